"""Figures of a report, each with its caption: outputs, firing and training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import xarray as xr

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.coding.classification import confusion_matrix
from bioae.analysis.report.pictures import Illustration
from bioae.analysis.report.responses import illustrate_responses
from bioae.analysis.results.layers import firing_layers, layers_of
from bioae.analysis.results.outputs import has_images, targets_known, task_of

__all__ = ["illustrate", "illustrate_firing", "illustrate_outputs"]

Results = Mapping[str, xr.DataTree]


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
    last = {name: layers[-1] for name, tree in results.items() if (layers := firing_layers(tree))}
    if last:
        yield Illustration(
            "class-rates",
            "Firing rate by class",
            "Mean firing rate of each neuron of the last layer that fires, in response to each "
            "class.",
            lambda: plots.class_rates(
                {
                    f"{name}: {layer}": rates_by_class(results[name], layer)
                    for name, layer in last.items()
                }
            ),
        )


def _firing(measured: Results) -> Iterator[Illustration]:
    from bioae.analysis import plots

    layers = {name: own for name, tree in measured.items() if (own := layers_of(tree))}
    if not layers:
        return

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
        "AIC) of the log-normal, gamma and exponential distributions; above, the median and the "
        "quartiles of the neurons that fire. Dead neurons have no place on a logarithmic axis.",
        partial(plots.fitted_rates, column("firing_rate"), fits),
    )
    yield Illustration(
        "intervals",
        "Intervals between spikes",
        "Distribution of the intervals of each layer, its median and its quartiles. Intervals are "
        "within one presentation, which cuts off long ones.",
        partial(plots.interval_histograms, column("isi_distribution")),
    )
    yield Illustration(
        "latencies",
        "Response latency",
        "Time from a presentation's arrival at the layer to a neuron's first spike: median and "
        "quartiles over the neurons that fire. It arrives at each layer a step after the one "
        "before it.",
        partial(plots.response_latencies, column("first_spike_latency")),
    )
    yield Illustration(
        "irregularity",
        "Irregularity and rate",
        "Coefficient of variation of each neuron's intervals against its rate. The line is that of "
        "a Poisson process; on a grid of steps, chance gives less than that at high rates. The "
        "numbers of neurons are of those that have two intervals; the others are left out.",
        partial(plots.cv_against_rate, layers),
    )


def _fits(data: xr.Dataset) -> xr.Dataset:
    names = ("shape", "scale", "aic")
    return xr.Dataset({name: data[f"rate_fit_{name}"] for name in names})
