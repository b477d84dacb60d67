"""Spike trains as a raster, and matrices over all pairs of them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import described
from bioae.errors import ResultError

__all__ = ["as_matrix", "raster_of", "step_ms", "symmetric"]


def raster_of(trains: xr.DataArray) -> NDArray[np.bool_]:
    """Return the trains as an array (train, time) bool.

    Raises
    ------
    ResultError
        If they are not a raster of two dimensions, one of them `time`, with a step at least.
    """
    if trains.ndim != 2 or "time" not in trains.dims or trains.dtype != bool:
        raise ResultError(
            "the trains are no raster",
            expected="bool (train, time), as from `raster`",
            found=f"{trains.dtype} {trains.dims}",
        )
    if not trains.sizes["time"]:
        raise ResultError("the trains have no time", expected="a step at least", found="none")
    dense: NDArray[np.bool_] = trains.transpose(..., "time").to_numpy()
    return dense


def step_ms(trains: xr.DataArray) -> float:
    """Return the length of a step; 1 for trains of a single one, where no interval depends on it.

    Raises
    ------
    ResultError
        If the coordinate `time` is missing, or its steps are not equal.
    """
    if "time" not in trains.coords:
        raise ResultError("the trains have no coordinate `time`", expected="milliseconds")
    lengths = np.diff(trains["time"].to_numpy().astype(np.float64))
    if not lengths.size:
        return 1.0
    if not (lengths[0] > 0 and np.allclose(lengths, lengths[0])):
        raise ResultError("the coordinate `time` of the trains is no grid", expected="equal steps")
    return float(lengths.mean())


def as_matrix(
    trains: xr.DataArray,
    values: NDArray[np.float64],
    name: str,
    long_name: str,
) -> xr.DataArray:
    """Label a matrix over pairs of trains, (train, train_), as the trains are labelled."""
    train = next(dim for dim in trains.dims if dim != "time")
    matrix = xr.DataArray(values, dims=(train, f"{train}_"))
    for dim in matrix.dims:
        if train in trains.coords:
            matrix = matrix.assign_coords({dim: trains[train].to_numpy()})
    return described(matrix, name, long_name, "1")


def symmetric(upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mirror what stands above the diagonal below it, in place."""
    for row in range(1, len(upper)):
        upper[row, :row] = upper[:row, row]
    return upper
