"""Figures of a report, each with its caption."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import confusion_matrix
from bioae.analysis.coding.receptive_fields import spike_triggered_average
from bioae.analysis.coding.transfer import transfer_curve
from bioae.analysis.measures.statistics import statistics
from bioae.analysis.pairs.correlations import correlation_matrix
from bioae.analysis.results.layers import first_example, layer_data, layer_names, layers_of
from bioae.analysis.results.outputs import has_images, targets_known, task_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Illustration", "illustrate"]

Results = Mapping[str, xr.DataTree]

#: The largest number of neurons of a readable matrix.
_MOST_NEURONS = 1000
#: The neurons of the first layer whose fields are drawn.
_FIELDS = 20
#: The largest number of examples that a map or an average needs.
_MOST_EXAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Illustration:
    """A figure, the `name` of its file without suffix, its heading and its caption."""

    name: str
    heading: str
    caption: str
    figure: Figure

    @cached_property
    def svg(self) -> str:
        """The figure as the text of an SVG file."""
        from bioae.analysis.plots import to_svg

        return to_svg(self.figure)


def illustrate(
    results: Results,
    metrics: Mapping[str, Path | str] | None = None,
    *,
    metrics_keys: Sequence[str] | None = None,
    images: int = 10,
    measured: Results | None = None,
) -> list[Illustration]:
    """Draw outputs, firing, responses to the images, and training curves.

    Parameters
    ----------
    results
        The results by name.
    metrics
        The files of training metrics by the names of the runs.
    metrics_keys
        The metrics to draw; by default all that change.
    images
        The number of images to draw.
    measured
        `bioae.analysis.statistics` of each result, if they are computed already.

    Raises
    ------
    ResultError
        If there is no result, or the metrics cannot be read.
    """
    # matplotlib takes a while to import.
    from bioae.analysis import plots
    from bioae.analysis.plots.style import lay_out

    if measured is None:
        measured = {name: statistics(tree) for name, tree in results.items()}
    drawn = [
        *_signals(results),
        *_outputs(results, images),
        *_firing(measured),
        *_code(results),
        *_first_layer(results),
        *(_raster(place, name, tree) for place, (name, tree) in enumerate(results.items(), 1)),
    ]
    if metrics:
        curves = plots.training_curves(metrics, keys=metrics_keys)
        drawn.append(
            Illustration("training", "Training", "The metrics of training, by epoch.", curves)
        )
    for each in drawn:
        lay_out(each.figure)
    return drawn


def _signals(results: Results) -> Iterator[Illustration]:
    """Draw the input of the networks that receive signals."""
    from bioae.analysis import plots

    some = {name: tree for name, tree in results.items() if not has_images(tree)}
    if some:
        yield Illustration(
            "signals",
            "Input signals",
            "Input of the first examples over time; a colour per channel, or with more than six "
            "channels a row per channel.",
            plots.input_signals(some),
        )


def _outputs(results: Results, images: int) -> Iterator[Illustration]:
    """Draw the outputs of the networks, as their tasks have them."""
    from bioae.analysis import plots

    of: dict[str, dict[str, xr.DataTree]] = {}
    for name, tree in results.items():
        of.setdefault(task_of(tree), {})[name] = tree
    if "reconstruction" in of:
        yield Illustration(
            "reconstructions",
            "Inputs and reconstructions",
            "Inputs above their reconstructions, each with its squared error summed over pixels.",
            plots.reconstructions(of["reconstruction"], images=images),
        )
    known = {n: tree for n, tree in of.get("classification", {}).items() if targets_known(tree)}
    if known:
        yield from _classes(known)
    known = {n: tree for n, tree in of.get("regression", {}).items() if targets_known(tree)}
    if known:
        yield Illustration(
            "outputs",
            "Outputs and targets",
            "Each output against its target; on the line they are equal.",
            plots.predicted_values(known),
        )
    if "sequence" in of:
        yield Illustration(
            "traces",
            "Outputs over time",
            "Outputs of some examples over time, and their targets (dashed); a colour per output.",
            plots.output_traces(of["sequence"]),
        )


def _classes(results: Results) -> Iterator[Illustration]:
    from bioae.analysis import plots

    yield Illustration(
        "confusion",
        "Confusion matrix",
        "Fraction of the examples of each class that is predicted as each class; numbers are per "
        "cent.",
        plots.confusion_matrices({name: confusion_matrix(tree) for name, tree in results.items()}),
    )
    rates = {name: rates_by_class(tree, layer_names(tree)[-1]) for name, tree in results.items()}
    yield Illustration(
        "class-rates",
        "Firing rate by class",
        "Mean firing rate of each neuron of the last layer in response to each class.",
        plots.class_rates(rates),
    )


def _firing(measured: Results) -> Iterator[Illustration]:
    from bioae.analysis import plots

    layers = {name: layers_of(tree) for name, tree in measured.items()}

    def column(name: str) -> dict[str, dict[str, xr.DataArray]]:
        return {
            result: {layer: data[name] for layer, data in own.items()}
            for result, own in layers.items()
        }

    fits = {
        result: {layer: _fits(data) for layer, data in own.items()}
        for result, own in layers.items()
    }
    yield Illustration(
        "rates",
        "Firing rates",
        "Number of neurons by firing rate, averaged over all examples, and the best fit (least "
        "AIC) of the log-normal, gamma and exponential distributions. Neurons that never fire have "
        "no place on a logarithmic axis; the labels give their number.",
        plots.fitted_rates(column("firing_rate"), fits),
    )
    yield Illustration(
        "intervals",
        "Intervals between spikes",
        "Distribution of the intervals of each layer. Intervals are within one presentation, which "
        "cuts off long ones.",
        plots.interval_histograms(column("isi_distribution")),
    )
    yield Illustration(
        "irregularity",
        "Irregularity and rate",
        "Coefficient of variation of each neuron's intervals against its rate. The line is that of "
        "a Poisson process; on a grid of steps, chance gives less than that at high rates.",
        plots.cv_against_rate(layers),
    )


def _fits(data: xr.Dataset) -> xr.Dataset:
    names = ("shape", "scale", "aic")
    return xr.Dataset({name: data[f"rate_fit_{name}"] for name in names})


def _code(results: Results) -> Iterator[Illustration]:
    """Draw the layer with the fewest neurons, which all information passes."""
    from bioae.analysis import plots

    first = next(iter(results.values()))
    sizes = {name: layer_data(first, name).sizes["neuron"] for name in layer_names(first)}
    layer = min(sizes, key=lambda name: sizes[name])
    with_it = {name: tree for name, tree in results.items() if layer in layer_names(tree)}
    some = {name: _some(tree) for name, tree in with_it.items()}
    yield Illustration(
        "code-activity",
        f"Activity of {layer}",
        f"Spikes of the narrowest layer, {layer}, in response to one example, and its mean rate "
        "per neuron.",
        plots.population_activity(with_it, layer),
    )
    if all(min(layer_data(tree, layer)["spike_count"].shape) > 1 for tree in some.values()):
        yield Illustration(
            "code-map",
            f"Map of {layer}",
            "First two principal components of the spike counts of each example; colours are "
            "classes.",
            plots.latent_maps(some, layer),
        )
        if sizes[layer] <= _MOST_NEURONS:
            yield Illustration(
                "code-correlations",
                f"Correlations in {layer}",
                "Pearson correlation of the spike counts over examples, for all pairs of neurons. "
                "Neurons that vary together are next to each other.",
                plots.correlation_matrices(
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
        if layer in layer_names(tree) and has_images(tree)
    }
    if not some:
        return
    averages = {}
    for name, tree in some.items():
        average = spike_triggered_average(tree, layer)["average"]
        last = average.sizes["neuron"] - 1
        chosen = np.unique(np.linspace(0, last, _FIELDS).round().astype(int))
        averages[name] = average.isel(neuron=chosen).assign_coords(neuron=chosen)
    yield Illustration(
        "fields",
        f"Receptive fields of {layer}",
        "Spike-triggered averages of some neurons, evenly chosen: the mean image weighted by spike "
        "counts, minus the mean image. Light is more, dark less; a crossed-out neuron never fired.",
        plots.filter_grid(averages),
    )
    yield Illustration(
        "transfer",
        f"Rate and intensity in {layer}",
        "Firing rate against the mean intensity of the pixels around each neuron's position, as an "
        "f-I curve; the band is one standard deviation over neurons and images.",
        plots.transfer_curves({name: transfer_curve(tree, layer) for name, tree in some.items()}),
    )


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
        f"Every spike of every layer in response to example {example}.",
        plots.rasters(tree, example=example),
    )
