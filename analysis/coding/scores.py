"""Scores of a network's outputs, for its task, and the goodness of a layer."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.special import log_softmax

from bioae.analysis.coding.classification import CONFIDENCE, accuracy
from bioae.analysis.coding.reconstruction import (
    mean_absolute_error,
    mean_squared_error,
    sum_squared_error,
)
from bioae.analysis.results.arrays import as_dataset, described, ratio
from bioae.analysis.results.layers import of_layer, of_result, steps
from bioae.analysis.results.outputs import (
    check_task,
    class_labels,
    output_of,
    targets_known,
    task_of,
)
from bioae.analysis.results.spikes import blocks, trains
from bioae.checks import number
from bioae.errors import ResultError

_LABELS = {
    "accuracy": "accuracy",
    "cross_entropy": "cross-entropy (nats)",
    "sum_squared_error": "squared error per image",
    "mean_squared_error": "mean squared error",
    "mean_absolute_error": "mean absolute error",
    "r2": "R²",
}

# The squares of very large outputs are infinite.
_INFINITE = np.errstate(over="ignore", invalid="ignore")


@of_result
@_INFINITE
def output_errors(tree: xr.DataTree) -> xr.Dataset:
    """Errors of each example of a regression or sequence, averaged over outputs and steps.

    Returns
    -------
    xarray.Dataset
        ``mean_squared_error`` and ``mean_absolute_error``, (example,).
    """
    _check_targets(tree)
    error = output_of(tree) - output_of(tree, "target")
    each = tuple(range(1, error.ndim))
    values = {"mean_squared_error": error**2, "mean_absolute_error": np.abs(error)}
    columns = {name: (_LABELS[name], array.mean(each)) for name, array in values.items()}
    return as_dataset(columns, "example", coords={"example": tree["example"].to_numpy()})


@of_result
@_INFINITE
def output_scores(tree: xr.DataTree) -> xr.Dataset:
    """Errors and R² of each output of a regression or sequence, over examples and steps.

    Returns
    -------
    xarray.Dataset
        Along ``unit``: ``mean_squared_error``; ``mean_absolute_error``; ``r2``, the coefficient of
        determination 1 - Σ(y - f)² / Σ(y - mean y)², NaN where the targets do not vary. The scalar
        ``r2_all`` takes both sums over all outputs.
    """
    _check_targets(tree)
    units = tree.sizes["unit"]
    values = output_of(tree, "target").reshape(-1, units)
    error = output_of(tree).reshape(-1, units) - values
    count, squares = len(error), (error**2).sum(0)
    around = ((values - ratio(values.sum(0), count)) ** 2).sum(0)
    columns = {
        "mean_squared_error": (_LABELS["mean_squared_error"], ratio(squares, count)),
        "mean_absolute_error": (_LABELS["mean_absolute_error"], ratio(np.abs(error).sum(0), count)),
        "r2": (_LABELS["r2"], 1 - ratio(squares, around)),
    }
    whole = {"r2_all": ("R² over all outputs", 1 - ratio(squares.sum(), around.sum()))}
    own = as_dataset(columns, "unit", coords={"unit": np.arange(units)})
    return as_dataset(whole).assign(own)


@of_result
def scores(tree: xr.DataTree) -> xr.Dataset:
    """Scores of a network on its task, over all examples.

    Returns
    -------
    xarray.Dataset
        Along ``score``: ``value``, and the interval from ``low`` to ``high``, NaN where there is
        none. Of a reconstruction the errors, as in `reconstruction_errors`; of a classification
        ``accuracy`` and ``cross_entropy``, of the softmax of the outputs in nats; of a regression
        or sequence ``mean_squared_error``, ``mean_absolute_error`` and ``r2``.
    """
    task, low, high = task_of(tree), np.nan, np.nan
    if task == "classification":
        found = accuracy(tree)
        low, high = float(found["low"]), float(found["high"])
        labels = class_labels(tree)
        own = log_softmax(output_of(tree), axis=1)[np.arange(labels.size), labels]
        entropy = float(ratio(-own.sum(), labels.size))
        values = {"accuracy": float(found["accuracy"]), "cross_entropy": entropy}
    elif task == "reconstruction":
        measures = (sum_squared_error, mean_squared_error, mean_absolute_error)
        values = {measure.__name__: float(measure(tree).mean()) for measure in measures}
    else:
        found, errors = output_scores(tree), ("mean_squared_error", "mean_absolute_error")
        values = {name: float(found[name].mean()) for name in errors}
        values["r2"] = float(found["r2_all"])
    others = [np.nan] * (len(values) - 1)
    columns = {"value": [*values.values()], "low": [low, *others], "high": [high, *others]}
    return xr.Dataset(
        {name: ("score", column, {"units": "1"}) for name, column in columns.items()},
        coords={"score": list(values), "label": ("score", [_LABELS[name] for name in values])},
        attrs={"confidence": CONFIDENCE, "examples": tree.sizes["example"]},
    )


def _check_targets(tree: xr.DataTree) -> None:
    check_task(tree, "regression", "sequence")
    if not targets_known(tree):
        raise ResultError(
            "the targets of the examples are not known", where="target",
            hint="Simulate images that have targets",
        )  # fmt: skip


@of_layer
def goodness(tree: xr.DataTree, layer: str, *, tau_ms: float = 13.0) -> xr.DataArray:
    """Goodness of a layer in each example, (example,): the sum of its neurons' squared traces.

    A trace is 1 after a spike, loses a part dt/tau in each step, and is 0 at the start. The result
    is the mean over the steps of a presentation.

    Parameters
    ----------
    tau_ms
        Time constant of the traces, above the time step.

    References
    ----------
    Ororbia (2024), Science Advances 10, eadn6076 (arXiv:2303.18187).
    """
    dt, last = float(tree.attrs["dt_ms"]), steps(tree)
    kept = (1 - dt / number(tau_ms, "tau_ms", above=dt, error=ResultError)) ** 2
    sums = np.zeros(tree.sizes["example"])
    for block in blocks(tree, layer):
        bounds, position, step = trains(block)
        neuron = np.repeat(np.arange(block.neurons), np.diff(bounds))
        # A trace lasts until the neuron's next spike, or the end of the presentation.
        lasts = last - step
        again = (position[1:] == position[:-1]) & (neuron[1:] == neuron[:-1])
        lasts[:-1] = np.where(again, np.diff(step), lasts[:-1])
        squares = (1 - kept**lasts) / (1 - kept)
        here = slice(block.start, block.start + block.examples)
        sums[here] = np.bincount(position, squares, minlength=block.examples)
    example = tree["example"].to_numpy()
    values = xr.DataArray(sums / last, dims="example", coords={"example": example})
    return described(values, "goodness", "goodness of the layer", "1")
