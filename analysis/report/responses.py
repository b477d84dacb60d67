"""Illustrations of responses to the input: the code, the first layer, and all spikes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np
import xarray as xr

from bioae.analysis.coding.receptive_fields import spike_triggered_average, transfer_curve
from bioae.analysis.pairs.correlations import correlation_matrix
from bioae.analysis.report.pictures import Illustration
from bioae.analysis.results.layers import firing_layers, first_example, layer_data, layer_names
from bioae.analysis.results.outputs import has_images

__all__ = ["illustrate_responses"]

Results = Mapping[str, xr.DataTree]

#: The largest number of neurons of a readable matrix.
_MOST_NEURONS = 1000
#: The neurons of the first layer whose fields are drawn.
_FIELDS = 20
#: The largest number of examples that a map or an average needs.
_MOST_EXAMPLES = 2000


def illustrate_responses(results: Results) -> list[Illustration]:
    """Illustrate the code, responses of the first layer, and all spikes.

    Parameters
    ----------
    results
        The results by name.
    """
    return [
        *_code(results),
        *_first_layer(results),
        *(
            _raster(place, name, tree)
            for place, (name, tree) in enumerate(results.items(), 1)
            if firing_layers(tree)
        ),
    ]


def _code(results: Results) -> Iterator[Illustration]:
    """Draw the hidden layer with the fewest neurons, which all information passes."""
    from bioae.analysis import plots

    first = next(iter(results.values()))
    # The last layer is the output, unless there is no other.
    names = layer_names(first)
    hidden = [name for name in firing_layers(first) if name in names[:-1] or len(names) == 1]
    if not hidden:
        return
    sizes = {name: layer_data(first, name).sizes["neuron"] for name in hidden}
    layer = min(sizes, key=lambda name: sizes[name])
    with_it = {name: tree for name, tree in results.items() if layer in firing_layers(tree)}
    some = {name: _some(tree) for name, tree in with_it.items()}
    shown = first["example"].to_numpy()[:1]
    of_one = {name: tree for name, tree in with_it.items() if np.isin(shown, tree["example"]).all()}
    yield Illustration(
        "code-activity",
        f"Activity of {layer}",
        f"Spikes of the narrowest hidden layer, {layer}, in response to one example, and its mean "
        "rate per neuron.",
        partial(plots.population_activity, of_one, layer),
    )
    if all(min(layer_data(tree, layer)["spike_count"].shape) > 1 for tree in some.values()):
        yield Illustration(
            "code-map",
            f"Map of {layer}",
            "First two principal components of the spike counts of each example; colours are "
            "classes, where they are known.",
            partial(plots.latent_maps, some, layer),
        )
        if sizes[layer] <= _MOST_NEURONS:
            yield Illustration(
                "code-correlations",
                f"Correlations in {layer}",
                "Pearson correlation of the spike counts over examples, for all pairs of neurons. "
                "Neurons that vary together are next to each other; those whose count never "
                "varies, such as dead ones, are left out.",
                lambda: plots.correlation_matrices(
                    {name: correlation_matrix(tree, layer) for name, tree in some.items()}
                ),
            )


def _first_layer(results: Results) -> Iterator[Illustration]:
    """Draw the responses of the first layer, which receives the images."""
    from bioae.analysis import plots

    layer = layer_names(next(iter(results.values())))[0]
    some = {
        name: _some(tree)
        for name, tree in results.items()
        if layer in firing_layers(tree) and has_images(tree)
    }
    if not some:
        return
    yield Illustration(
        "fields",
        f"Receptive fields of {layer}",
        "Spike-triggered averages of some neurons, evenly chosen: the mean image weighted by spike "
        "counts, minus the mean image. Light is more, dark less; a crossed-out neuron never fired.",
        lambda: plots.filter_grid({name: _fields(tree, layer) for name, tree in some.items()}),
    )
    yield Illustration(
        "transfer",
        f"Rate and intensity in {layer}",
        "Firing rate against the mean intensity of the pixels around each neuron's position, as an "
        "f-I curve: median and quartiles over neurons.",
        lambda: plots.transfer_curves(
            {name: transfer_curve(tree, layer) for name, tree in some.items()}
        ),
    )


def _fields(tree: xr.DataTree, layer: str) -> xr.DataArray:
    average = spike_triggered_average(tree, layer)["average"]
    last = average.sizes["neuron"] - 1
    chosen = np.unique(np.linspace(0, last, _FIELDS).round().astype(int))
    return average.isel(neuron=chosen).assign_coords(neuron=chosen)


def _some(tree: xr.DataTree) -> xr.DataTree:
    if tree.sizes["example"] <= _MOST_EXAMPLES:
        return tree
    return tree.isel(example=slice(_MOST_EXAMPLES))


def _raster(place: int, name: str, tree: xr.DataTree) -> Illustration:
    from bioae.analysis import plots

    example = first_example(tree)
    # The place separates names that differ only in what a file's name cannot hold.
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "result"
    return Illustration(
        f"raster-{place}-{slug}",
        f"Spikes: {name}",
        f"Every spike of every layer that fires, in response to example {example}.",
        partial(plots.rasters, tree, example=example),
    )
