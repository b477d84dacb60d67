"""Arrays of measures: names and units, ratios, counts by blocks, windows."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.layers import layer_data, steps
from bioae.checks import any_array, instance, number, real
from bioae.errors import ResultError

Dims = str | Collection[Hashable]

#: Times differ from whole steps by rounding of at most this part of a step.
_ROUNDING = 1e-5


def as_dataset(
    columns: Mapping[str, tuple[str, Any]],
    dims: str | Sequence[str] = (),
    *,
    units: str = "1",
    coords: Mapping[str, Any] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Return a dataset of columns, by name the long name and the values, of the same dimensions."""
    variables = {
        name: (dims, values, {"long_name": long_name, "units": units})
        for name, (long_name, values) in columns.items()
    }
    return xr.Dataset(variables, coords, attrs)


def by_layer(columns: Mapping[str, str], rows: Mapping[str, Mapping[str, float]]) -> xr.Dataset:
    """Return rows of numbers by layer as a dataset along `layer`, with the columns' long names."""
    values = {
        column: (text, [row[column] for row in rows.values()]) for column, text in columns.items()
    }
    return as_dataset(values, "layer", coords={"layer": list(rows)})


def check_dims(array: xr.DataArray, dims: Dims) -> None:
    """Raise a `ResultError` for dimensions that an array does not have, and repeated ones."""
    instance(array, "the array", xr.DataArray, error=ResultError)
    instance(dims, "dims", (str, Collection), error=ResultError)
    named = [dims] if isinstance(dims, str) else dims
    known = all(name in array.dims for name in named)
    if not known or len(set(named)) < len(named):
        raise ResultError(
            "a dimension is named twice" if known else "there is no such dimension", where="dims",
            expected=f"some of {', '.join(map(str, array.dims))}", found=repr(dims),
        )  # fmt: skip


def averaged(array: xr.DataArray, dims: Dims) -> xr.DataArray:
    """Return the mean over some dimensions, NaN without values."""
    check_dims(array, dims)
    with np.errstate(invalid="ignore"):
        return array.mean(dims)


def described(
    array: xr.DataArray, name: str, long_name: str, units: str | None = None
) -> xr.DataArray:
    """Name an array, and set its long name and unit."""
    # `drop_attrs` and `rename` copy the numbers, which may be as many as a result has.
    labelled = array.copy(deep=False)
    labelled.attrs = {"long_name": long_name} | ({} if units is None else {"units": units})
    labelled.name = name
    return labelled


def of_neurons(
    source: tuple[xr.DataTree, str], values: ArrayLike, name: str, long_name: str, units: str = "1"
) -> xr.DataArray:
    """Return a measure of each neuron of a result's layer, (neuron,), with its coordinates."""
    return described(along(layer_data(*source), values, "neuron"), name, long_name, units)


def check_of_neurons(name: object, values: Any, layer: str, neurons: int) -> None:
    """Reject what is not a statistic of each neuron of a layer."""
    sizes = dict(values.sizes) if isinstance(values, xr.DataArray) else type(values).__name__
    if sizes != {"neuron": neurons}:
        raise ResultError(
            f"the statistic {name!r} is not one of the layer's neurons", where=layer,
            expected=f"(neuron: {neurons})", found=str(sizes),
        )  # fmt: skip


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

    Yields the position of the block's first example, and its counts (example, neuron).
    """
    counts = layer_data(tree, layer)["spike_count"].transpose("example", "neuron").variable
    examples, neurons = counts.shape
    rows = max(1, entries // max(1, neurons))
    for start in range(0, examples, rows):
        yield start, counts[start : start + rows].to_numpy().astype(np.int64)


def check_several(count: int, what: str) -> None:
    """Raise a `ResultError` if there are fewer than two examples, classes or neurons."""
    if count < 2:
        raise ResultError(f"there are fewer than two {what}", found=str(count))


def in_steps(tree: xr.DataTree, name: str, ms: float) -> int:
    """Return the number of steps that begin before a time, the positive parameter `name`."""
    ms = number(ms, name, above=0, error=ResultError)
    # 3 * 0.1 ms is 3 steps of 0.1 ms, not 4.
    return int(np.ceil(ms / float(tree.attrs["dt_ms"]) - 1e-9))


def whole_steps(tree: xr.DataTree, name: str, ms: float | None, *, least: int = 1) -> int:
    """Return the whole number of steps of a time, the parameter `name`; 1 by default."""
    if ms is None:
        return 1
    dt_ms, most = float(tree.attrs["dt_ms"]), steps(tree)
    width = real(ms, name, error=ResultError) / dt_ms
    whole = np.rint(width)
    # The tolerance is absolute: one in proportion would be half a step of a long recording.
    if not (least <= whole <= most and abs(width - whole) <= _ROUNDING):
        raise ResultError(
            "a time must be a whole number of steps", where=name,
            expected=f"a multiple of {dt_ms:g} ms from {least * dt_ms:g} to {most * dt_ms:.12g} ms",
            found=f"{ms:.12g} ms",
        )  # fmt: skip
    return int(whole)


def check_not_negative(value: float, name: str) -> None:
    """Raise a `ResultError` unless a number is 0 or more; it may be infinite."""
    if not real(value, name, error=ResultError) >= 0:
        raise ResultError(f"{name} does not fit", expected="0 or more", found=str(value))


def whole_numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    """Return whole numbers in one dimension or more, unchanged in shape."""
    numbers = any_array(values)
    if numbers.ndim < 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise ResultError(f"{name} do not fit", expected="whole numbers", found=repr(values))
    return numbers.astype(np.int64)
