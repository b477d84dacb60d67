"""Scores of a network's outputs: errors of numbers, and those of its task all at once."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.coding.classification import accuracy
from bioae.analysis.coding.reconstruction import (
    mean_absolute_error,
    mean_squared_error,
    sum_squared_error,
)
from bioae.analysis.results.arrays import ratio
from bioae.analysis.results.layers import root_of
from bioae.analysis.results.outputs import (
    check_task,
    class_labels,
    output_blocks,
    targets_known,
    task_of,
)
from bioae.errors import ResultError

__all__ = ["output_errors", "output_scores", "scores"]

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


@_INFINITE
def output_errors(tree: xr.DataTree) -> xr.Dataset:
    """Errors of each example of a regression or sequence, averaged over outputs and steps.

    Returns
    -------
    xarray.Dataset
        ``mean_squared_error`` and ``mean_absolute_error``, (example,).

    Raises
    ------
    ResultError
        If the network has another task, or the targets are not known.
    """
    _check_targets(tree)
    columns: dict[str, list[np.ndarray]] = {"mean_squared_error": [], "mean_absolute_error": []}
    for _, output, target in output_blocks(tree):
        assert target is not None
        error = (output - target).reshape(len(output), -1)
        columns["mean_squared_error"].append((error**2).mean(1))
        columns["mean_absolute_error"].append(np.abs(error).mean(1))
    return xr.Dataset(
        {
            name: (
                "example",
                np.concatenate(parts) if parts else np.empty(0),
                {"long_name": _LABELS[name], "units": "1"},
            )
            for name, parts in columns.items()
        },
        coords={"example": tree["example"].to_numpy()},
    )


@_INFINITE
def output_scores(tree: xr.DataTree) -> xr.Dataset:
    """Errors and R² of each output of a regression or sequence, over examples and steps.

    Returns
    -------
    xarray.Dataset
        Along ``unit``: ``mean_squared_error``; ``mean_absolute_error``; ``r2``, the coefficient of
        determination 1 - Σ(y - f)² / Σ(y - mean y)², NaN where the targets do not vary. The scalar
        ``r2_all`` takes both sums over all outputs.

    Raises
    ------
    ResultError
        If the network has another task, or the targets are not known.
    """
    _check_targets(tree)
    units = root_of(tree).sizes["unit"]
    squares, absolute, around, mean = (np.zeros(units) for _ in range(4))
    count = 0
    for _, output, target in output_blocks(tree):
        assert target is not None
        error, values = (output - target).reshape(-1, units), target.reshape(-1, units)
        squares += (error**2).sum(0)
        absolute += np.abs(error).sum(0)
        # Sums of squares around the mean, block by block (Chan, Golub & LeVeque 1979).
        shift, total = values.mean(0) - mean, count + len(values)
        around += ((values - values.mean(0)) ** 2).sum(0)
        around += shift**2 * (count * len(values) / total)
        mean += shift * (len(values) / total)
        count = total
    columns = {
        "mean_squared_error": ratio(squares, count),
        "mean_absolute_error": ratio(absolute, count),
        "r2": 1 - ratio(squares, around),
    }
    attrs = {"long_name": "R² over all outputs", "units": "1"}
    return xr.Dataset(
        {
            "r2_all": ((), 1 - ratio(squares.sum(), around.sum()), attrs),
            **{
                name: ("unit", values, {"long_name": _LABELS[name], "units": "1"})
                for name, values in columns.items()
            },
        },
        coords={"unit": np.arange(units)},
    )


def scores(tree: xr.DataTree, *, confidence: float = 0.95) -> xr.Dataset:
    """Scores of a network on its task, over all examples.

    Parameters
    ----------
    confidence
        Confidence level of the interval of the accuracy.

    Returns
    -------
    xarray.Dataset
        Along ``score``: ``value``, and the interval from ``low`` to ``high``, NaN where there is
        none. Of a reconstruction the errors, as in `reconstruction_errors`; of a classification
        ``accuracy`` and ``cross_entropy``; of a regression or sequence ``mean_squared_error``,
        ``mean_absolute_error`` and ``r2``.

    Raises
    ------
    ResultError
        If the targets are not known.
    """
    undefined = float("nan")
    rows: dict[str, tuple[float, float, float]] = {}
    task = task_of(tree)
    if task == "classification":
        found = accuracy(tree, confidence=confidence)
        rows["accuracy"] = (float(found["accuracy"]), float(found["low"]), float(found["high"]))
        rows["cross_entropy"] = (_cross_entropy(tree), undefined, undefined)
    elif task == "reconstruction":
        for measure in (sum_squared_error, mean_squared_error, mean_absolute_error):
            rows[measure.__name__] = (float(measure(tree).mean()), undefined, undefined)
    else:
        found = output_scores(tree)
        for name in ("mean_squared_error", "mean_absolute_error"):
            rows[name] = (float(found[name].mean()), undefined, undefined)
        rows["r2"] = (float(found["r2_all"]), undefined, undefined)
    columns = zip(("value", "low", "high"), zip(*rows.values(), strict=True), strict=True)
    return xr.Dataset(
        {name: ("score", list(values), {"units": "1"}) for name, values in columns},
        coords={
            "score": list(rows),
            "label": ("score", [_LABELS[name] for name in rows]),
        },
        attrs={"confidence": confidence, "examples": root_of(tree).sizes["example"]},
    )


def _cross_entropy(tree: xr.DataTree) -> float:
    """Return the mean cross-entropy of the softmax of the outputs and the classes, in nats."""
    from scipy.special import log_softmax

    labels = class_labels(tree)
    total = 0.0
    for start, output, _ in output_blocks(tree):
        own = labels[start : start + len(output)]
        total -= float(log_softmax(output, axis=1)[np.arange(len(own)), own].sum())
    return total / len(labels) if len(labels) else float("nan")


def _check_targets(tree: xr.DataTree) -> None:
    check_task(tree, "regression", "sequence")
    if not targets_known(tree):
        raise ResultError(
            "the targets of the examples are not known",
            where="target",
            hint="Simulate images that have targets",
        )
