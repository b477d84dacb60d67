"""Arrays along a layer's dimensions: coordinates, ratios, counts by blocks, classes, windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.layers import layer_data, root_of, steps
from bioae.checks import any_array, real
from bioae.errors import ResultError

__all__ = [
    "along",
    "classes",
    "count_blocks",
    "in_steps",
    "labels_of",
    "ratio",
    "runs",
    "several_examples",
    "whole_numbers",
    "whole_steps",
]


def along(data: xr.Dataset, values: ArrayLike, *dims: str) -> xr.DataArray:
    """Give values their dimensions, and the coordinates that the layer has along them."""
    coords = {
        name: coord
        for name, coord in data.coords.items()
        if coord.dims and set(coord.dims) <= set(dims)
    }
    return xr.DataArray(values, coords=coords, dims=dims)


def ratio(over: ArrayLike, under: ArrayLike) -> NDArray[np.float64]:
    """Divide; NaN where the denominator is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(over, float), np.asarray(under, float))
    quotient = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=quotient, where=bottom != 0)
    return quotient


def runs(
    place: NDArray[np.int64], train: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of runs of equal neighbours (equal in both arrays), and their lengths."""
    if not place.size:
        return place, place
    new = np.flatnonzero((place[1:] != place[:-1]) | (train[1:] != train[:-1])) + 1
    first = np.concatenate(([0], new))
    return place[first], np.diff(first, append=place.size)


def count_blocks(
    tree: xr.DataTree, layer: str, *, entries: int = 2**22
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Read the spike counts by blocks of whole examples, in their order.

    Yields
    ------
    tuple
        The position of the block's first example, and its counts (example, neuron).
    """
    counts = layer_data(tree, layer)["spike_count"].transpose("example", "neuron").variable
    examples, neurons = counts.shape
    rows = max(1, entries // max(1, neurons))
    for start in range(0, examples, rows):
        yield start, counts[start : start + rows].to_numpy().astype(np.int64)


def several_examples(data: xr.Dataset) -> int:
    """Return the number of examples of a layer.

    Raises
    ------
    ResultError
        If there are fewer than two.
    """
    examples = data.sizes["example"]
    if examples < 2:
        raise ResultError(
            "variability over examples needs at least two examples", found=str(examples)
        )
    return examples


def labels_of(tree: xr.DataTree) -> NDArray[Any]:
    """Return the class of each example, (example,).

    Raises
    ------
    ResultError
        If the result has no labels.
    """
    root = root_of(tree).to_dataset()
    if "label" not in root:
        raise ResultError(
            "the classes of the examples are not known",
            where="label",
            hint="Simulate images that have labels",
        )
    return root["label"].to_numpy()


def classes(tree: xr.DataTree) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, (class,), and the index of each example's class.

    Raises
    ------
    ResultError
        If the result has no labels.
    """
    distinct, index = np.unique(labels_of(tree), return_inverse=True)
    return distinct, index.astype(np.int64)


def in_steps(tree: xr.DataTree, name: str, ms: float) -> int:
    """Return the number of steps that begin before a time.

    Raises
    ------
    ResultError
        If the time, the parameter `name`, is not positive and finite.
    """
    dt_ms = float(root_of(tree).attrs["dt_ms"])
    if not 0 < real(ms, name, error=ResultError) < np.inf:
        raise ResultError(
            "a time must be positive", where=name, expected="milliseconds", found=repr(ms)
        )
    # 3 * 0.1 ms is 3 steps of 0.1 ms, not 4.
    return int(np.ceil(ms / dt_ms - 1e-9))


def whole_numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Return whole numbers in one dimension or more, unchanged in shape.

    Raises
    ------
    ResultError
        If they are not.
    """
    numbers = any_array(values)
    if numbers.ndim < 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise ResultError(f"{name} do not fit", expected="whole numbers", found=repr(values))
    return numbers.astype(np.int64)


def whole_steps(tree: xr.DataTree, name: str, ms: float) -> int:
    """Return the number of steps of a window.

    Raises
    ------
    ResultError
        If the window, the parameter `name`, is not a whole number of steps, or longer than a
        presentation.
    """
    dt_ms = float(tree.attrs["dt_ms"])
    width = in_steps(tree, name, ms)
    if not np.isclose(width * dt_ms, ms) or width > steps(tree):
        raise ResultError(
            "a window must be a whole number of steps",
            where=name,
            expected=f"a multiple of {dt_ms:g} ms up to {steps(tree) * dt_ms:g} ms",
            found=f"{ms:g} ms",
        )
    return width
