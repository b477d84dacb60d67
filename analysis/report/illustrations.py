"""Figures of a report, each with its caption: outputs, firing, responses and training."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bioae.analysis import plots
from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import confusion_matrix
from bioae.analysis.coding.receptive_fields import spike_triggered_average, transfer_curve
from bioae.analysis.pairs.correlations import correlation_matrix
from bioae.analysis.plots.style import render, to_svg
from bioae.analysis.report.page import Picture
from bioae.analysis.results.layers import (
    firing_layers,
    first_example,
    layer_data,
    layer_names,
    layers_of,
)
from bioae.analysis.results.outputs import has_images, is_recording, targets_known, task_of

Results = Mapping[str, xr.DataTree]

#: The largest number of neurons of a readable matrix.
_MOST_NEURONS = 1000
#: The neurons of the first layer whose fields are drawn.
_FIELDS = 20
#: The largest number of examples that a map or an average needs.
_MOST_EXAMPLES = 2000

_CAPTIONS: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).resolve().with_name("captions.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Illustration:
    """A figure to `draw`, the `name` of its file without suffix, its heading and its caption."""

    name: str
    heading: str
    caption: str
    draw: Callable[[], Figure]

    def picture(self, *, png: bool = False) -> Picture:
        """Draw the figure, and store it as SVG and, if requested, as PNG."""
        figure = self.draw()
        files = to_svg(figure), render(figure, "png") if png else b""
        return Picture(self.name, self.heading, self.caption, figure.get_figwidth(), *files)


def _shown(name: str, draw: Callable[[], Figure], file: str = "", **words: Any) -> Illustration:
    """Return an illustration with the heading and caption of a name, and the words in them."""
    texts = {key: text.strip().format(**words) for key, text in _CAPTIONS[name].items()}
    return Illustration(file or name, **texts, draw=draw)


def illustrate(
    results: Results,
    measured: Results,
    metrics: Mapping[str, Path | str] | None = None,
    *,
    metrics_keys: Sequence[str] | None = None,
    images: int = 10,
) -> list[Illustration]:
    """Illustrate outputs, firing, responses to the images, and training, in this order.

    `results`: the results by name.
    `measured`: `bioae.analysis.statistics` of each result.
    `metrics`: the files of training metrics by the names of the runs.
    `metrics_keys`: the metrics to draw; by default all that change.
    `images`: the number of images to draw.
    """
    drawn = [*_outputs(results, images), *_firing(measured), *_code(results), *_first(results)]
    for place, (name, tree) in enumerate(results.items(), 1):
        if firing_layers(tree):
            example = first_example(tree)
            # The place separates names that differ only in what a file's name cannot hold.
            slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "result"
            draw = partial(plots.rasters, tree, example=example)
            file = f"raster-{place}-{slug}"
            drawn.append(_shown("raster", draw, file, result=name, example=example))
    if metrics:
        draw = partial(plots.training_curves, metrics, keys=metrics_keys)
        drawn.append(_shown("training", draw))
    return drawn


def _outputs(results: Results, images: int) -> Iterator[Illustration]:
    """Illustrate input signals, and the outputs of the networks, according to their tasks."""
    inputs = {name: tree for name, tree in results.items() if "input" in tree.data_vars}
    signals = {name: tree for name, tree in inputs.items() if not has_images(tree)}
    if signals:
        yield _shown("signals", partial(plots.input_signals, signals))
    of: dict[str, dict[str, xr.DataTree]] = {}
    for name, tree in results.items():
        if targets_known(tree) or task_of(tree) == "sequence":
            of.setdefault(task_of(tree), {})[name] = tree
    if encoders := of.get("reconstruction"):
        yield _shown("reconstructions", partial(plots.reconstructions, encoders, images=images))
    if classifiers := of.get("classification"):
        yield _shown(
            "confusion",
            lambda: plots.confusion_matrices(
                {name: confusion_matrix(tree) for name, tree in classifiers.items()}
            ),
        )
        last = {n: layers[-1] for n, tree in classifiers.items() if (layers := firing_layers(tree))}
        if last:
            yield _shown(
                "class-rates",
                lambda: plots.class_rates(
                    {f"{n}: {each}": rates_by_class(results[n], each) for n, each in last.items()}
                ),
            )
    if "regression" in of:
        yield _shown("outputs", partial(plots.predicted_values, of["regression"]))
    if "sequence" in of:
        yield _shown("traces", partial(plots.output_traces, of["sequence"]))


def _firing(measured: Results) -> Iterator[Illustration]:
    """Illustrate rates, intervals between spikes, and irregularity."""
    layers = {name: own for name, tree in measured.items() if (own := layers_of(tree))}
    if not layers:
        return

    def column(name: str) -> dict[str, dict[str, xr.DataArray]]:
        return {
            result: {layer: data[name] for layer, data in own.items()}
            for result, own in layers.items()
        }

    names = {f"rate_fit_{name}": name for name in ("shape", "scale", "aic")}
    fits = {
        result: {layer: data[[*names]].rename(names) for layer, data in own.items()}
        for result, own in layers.items()
    }
    yield _shown("rates", partial(plots.fitted_rates, column("firing_rate"), fits, which="all"))
    yield _shown("intervals", partial(plots.interval_histograms, column("isi_distribution")))
    yield _shown("latencies", partial(plots.response_latencies, column("first_spike_latency")))
    yield _shown("irregularity", partial(plots.cv_against_rate, layers))


def _code(results: Results) -> Iterator[Illustration]:
    """Illustrate the hidden layer with the fewest neurons, which all information passes."""
    first = next(iter(results.values()))
    # The last layer is the output, unless there is no other.
    names = layer_names(first)
    no_output = len(names) == 1 or is_recording(first)
    hidden = [name for name in firing_layers(first) if name in names[:-1] or no_output]
    if not hidden:
        return
    sizes = {name: layer_data(first, name).sizes["neuron"] for name in hidden}
    layer = min(sizes, key=lambda name: sizes[name])
    with_it = {name: tree for name, tree in results.items() if layer in firing_layers(tree)}
    some = {name: _some(tree) for name, tree in with_it.items()}
    shown = first["example"].to_numpy()[:1]
    of_one = {name: tree for name, tree in with_it.items() if np.isin(shown, tree["example"]).all()}
    draw = partial(plots.population_activity, of_one, layer)
    yield _shown("code-activity", draw, layer=layer)
    if all(min(layer_data(tree, layer)["spike_count"].shape) > 1 for tree in some.values()):
        yield _shown("code-map", partial(plots.latent_maps, some, layer), layer=layer)
        if sizes[layer] <= _MOST_NEURONS:
            yield _shown(
                "code-correlations",
                lambda: plots.correlation_matrices(
                    {name: correlation_matrix(tree, layer) for name, tree in some.items()}
                ),
                layer=layer,
            )


def _first(results: Results) -> Iterator[Illustration]:
    """Illustrate the responses of the first layer, which receives the images."""
    layer = layer_names(next(iter(results.values())))[0]
    seen = {name: _some(tree) for name, tree in results.items() if has_images(tree)}
    some = {name: tree for name, tree in seen.items() if layer in firing_layers(tree)}

    def of_each(measure: Callable[[xr.DataTree, str], Any]) -> dict[str, Any]:
        return {name: measure(tree, layer) for name, tree in some.items()}

    if some:
        yield _shown("fields", lambda: plots.filter_grid(of_each(_fields)), layer=layer)
        transfer = lambda: plots.transfer_curves(of_each(transfer_curve))  # noqa: E731
        yield _shown("transfer", transfer, layer=layer)


def _fields(tree: xr.DataTree, layer: str) -> xr.DataArray:
    average = spike_triggered_average(tree, layer)["average"]
    last = average.sizes["neuron"] - 1
    chosen = np.unique(np.linspace(0, last, _FIELDS).round().astype(int))
    return average.isel(neuron=chosen).assign_coords(neuron=chosen)


def _some(tree: xr.DataTree) -> xr.DataTree:
    if tree.sizes["example"] <= _MOST_EXAMPLES:
        return tree
    return tree.isel(example=slice(_MOST_EXAMPLES))
