"""Figures of a report, each with its caption."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import confusion_matrix
from bioae.analysis.coding.receptive_fields import spike_triggered_average
from bioae.analysis.coding.transfer import transfer_curve
from bioae.analysis.pairs.correlations import correlation_matrix
from bioae.analysis.results.layers import first_example, layer_data, layer_names, layers_of
from bioae.analysis.results.outputs import has_images, targets_known, task_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "Illustration",
    "Picture",
    "illustrate",
    "illustrate_firing",
    "illustrate_outputs",
    "illustrate_responses",
]

Results = Mapping[str, xr.DataTree]

#: The largest number of neurons of a readable matrix.
_MOST_NEURONS = 1000
#: The neurons of the first layer whose fields are drawn.
_FIELDS = 20
#: The largest number of examples that a map or an average needs.
_MOST_EXAMPLES = 2000


class Picture(NamedTuple):
    """An illustration as it is stored: the texts of `Illustration`, and the figure.

    Attributes
    ----------
    width
        In inches.
    svg, png
        The figure as files of these formats; `png` is empty unless it was asked for.
    """

    name: str
    heading: str
    caption: str
    width: float
    svg: str
    png: bytes


@dataclass(frozen=True)
class Illustration:
    """A figure to `draw`, the `name` of its file without suffix, its heading and its caption."""

    name: str
    heading: str
    caption: str
    draw: Callable[[], Figure]

    def picture(self, *, png: bool = False) -> Picture:
        """Draw the figure, and store it as SVG and, if asked for, as PNG."""
        from bioae.analysis.plots.style import lay_out, render, to_svg

        figure = self.draw()
        lay_out(figure)
        return Picture(
            self.name,
            self.heading,
            self.caption,
            float(figure.get_figwidth()),
            to_svg(figure),
            render(figure, "png") if png else b"",
        )


def illustrate(
    results: Results,
    measured: Results,
    metrics: Mapping[str, Path | str] | None = None,
    *,
    metrics_keys: Sequence[str] | None = None,
    images: int = 10,
) -> list[Illustration]:
    """Illustrate outputs, firing, responses to the images, and training, in this order.

    Parameters
    ----------
    results
        The results by name.
    measured
        `bioae.analysis.statistics` of each result.
    metrics
        The files of training metrics by the names of the runs.
    metrics_keys
        The metrics to draw; by default all that change.
    images
        The number of images to draw.
    """
    from bioae.analysis import plots

    drawn = [
        *illustrate_outputs(results, images=images),
        *illustrate_firing(measured),
        *illustrate_responses(results),
    ]
    if metrics:
        draw = partial(plots.training_curves, metrics, keys=metrics_keys)
        drawn.append(
            Illustration("training", "Training", "The metrics of training, by epoch.", draw)
        )
    return drawn


def illustrate_outputs(results: Results, *, images: int = 10) -> list[Illustration]:
    """Illustrate input signals, and the outputs of the networks, as their tasks have them.

    Parameters
    ----------
    results, images
        As for `illustrate`.
    """
    return [*_signals(results), *_outputs(results, images)]


def illustrate_responses(results: Results) -> list[Illustration]:
    """Illustrate the code, responses of the first layer, and all spikes.

    Parameters
    ----------
    results
        As for `illustrate`.
    """
    return [
        *_code(results),
        *_first_layer(results),
        *(_raster(place, name, tree) for place, (name, tree) in enumerate(results.items(), 1)),
    ]


def illustrate_firing(measured: Results) -> list[Illustration]:
    """Illustrate rates, intervals between spikes, and irregularity.

    Parameters
    ----------
    measured
        As for `illustrate`.
    """
    return list(_firing(measured))


def _signals(results: Results) -> Iterator[Illustration]:
    from bioae.analysis import plots

    some = {name: tree for name, tree in results.items() if not has_images(tree)}
    if some:
        yield Illustration(
            "signals",
            "Input signals",
            "Input of the first examples over time; a colour per channel, or with more than six "
            "channels a row per channel.",
            partial(plots.input_signals, some),
        )


def _outputs(results: Results, images: int) -> Iterator[Illustration]:
    from bioae.analysis import plots

    of: dict[str, dict[str, xr.DataTree]] = {}
    for name, tree in results.items():
        if targets_known(tree) or task_of(tree) == "sequence":
            of.setdefault(task_of(tree), {})[name] = tree
    if "reconstruction" in of:
        yield Illustration(
            "reconstructions",
            "Inputs and reconstructions",
            "Inputs above their reconstructions, each with its squared error summed over pixels.",
            partial(plots.reconstructions, of["reconstruction"], images=images),
        )
    if "classification" in of:
        yield from _classes(of["classification"])
    if "regression" in of:
        yield Illustration(
            "outputs",
            "Outputs and targets",
            "Each output against its target; on the line they are equal.",
            partial(plots.predicted_values, of["regression"]),
        )
    if "sequence" in of:
        yield Illustration(
            "traces",
            "Outputs over time",
            "Outputs of some examples over time, and their targets (dashed); a colour per output.",
            partial(plots.output_traces, of["sequence"]),
        )


def _classes(results: Results) -> Iterator[Illustration]:
    from bioae.analysis import plots

    yield Illustration(
        "confusion",
        "Confusion matrix",
        "Fraction of the examples of each class that is predicted as each class; numbers are per "
        "cent.",
        lambda: plots.confusion_matrices(
            {name: confusion_matrix(tree) for name, tree in results.items()}
        ),
    )
    yield Illustration(
        "class-rates",
        "Firing rate by class",
        "Mean firing rate of each neuron of the last layer in response to each class.",
        lambda: plots.class_rates(
            {name: rates_by_class(tree, layer_names(tree)[-1]) for name, tree in results.items()}
        ),
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
        partial(plots.fitted_rates, column("firing_rate"), fits),
    )
    yield Illustration(
        "intervals",
        "Intervals between spikes",
        "Distribution of the intervals of each layer. Intervals are within one presentation, which "
        "cuts off long ones.",
        partial(plots.interval_histograms, column("isi_distribution")),
    )
    yield Illustration(
        "irregularity",
        "Irregularity and rate",
        "Coefficient of variation of each neuron's intervals against its rate. The line is that of "
        "a Poisson process; on a grid of steps, chance gives less than that at high rates.",
        partial(plots.cv_against_rate, layers),
    )


def _fits(data: xr.Dataset) -> xr.Dataset:
    names = ("shape", "scale", "aic")
    return xr.Dataset({name: data[f"rate_fit_{name}"] for name in names})


def _code(results: Results) -> Iterator[Illustration]:
    """Draw the hidden layer with the fewest neurons, which all information passes."""
    from bioae.analysis import plots

    first = next(iter(results.values()))
    names = layer_names(first)
    # The last layer is the output, unless there is no other.
    hidden = names[:-1] or names
    sizes = {name: layer_data(first, name).sizes["neuron"] for name in hidden}
    layer = min(sizes, key=lambda name: sizes[name])
    with_it = {name: tree for name, tree in results.items() if layer in layer_names(tree)}
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
                "Neurons that vary together are next to each other.",
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
        if layer in layer_names(tree) and has_images(tree)
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
        "f-I curve; the band is one standard deviation over neurons and images.",
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
        f"Every spike of every layer in response to example {example}.",
        partial(plots.rasters, tree, example=example),
    )
