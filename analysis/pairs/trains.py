"""Spike trains as rasters and intervals, and matrices over all pairs of trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bioae.analysis.results.arrays import described
from bioae.errors import ResultError

Steps = NDArray[np.int64]

# Most trains, and most numbers in total, in memory at once.
_COLUMNS = 1024
_NUMBERS = 8_000_000


class Intervals(NamedTuple):
    """Interspike interval around each step of each train, in steps; arrays are (train, time).

    A presentation of T steps is the time from 0 to T, and a spike of step n is at time n.

    `before`, `after`: the spikes on either side of the middle of the step. At an edge, where one
        side has no spike, both are the spike on the other side.
    `length`: the interval's length. At an edge it is the time to the edge, or the next interval if
        that is longer. A train without spikes has spikes added at both edges, 0 and T; a train with
        a single spike at 0 has one added at T.
    """

    before: Steps
    after: Steps
    length: Steps


class Span(NamedTuple):
    """Interspike interval that holds the steps ``start:stop``; the rest as in `Intervals`."""

    start: int
    stop: int
    before: int
    after: int
    length: int


def spikes_around(raster: NDArray[np.bool_]) -> tuple[Steps, Steps]:
    """Return the last spike at or before each step and the first after it; -1 and T for none."""
    total = raster.shape[1]
    step = np.arange(total)
    before = np.maximum.accumulate(np.where(raster, step, -1), axis=1)
    at_or_after = np.minimum.accumulate(np.where(raster, step, total)[:, ::-1], axis=1)[:, ::-1]
    after = np.full_like(at_or_after, total)
    after[:, :-1] = at_or_after[:, 1:]
    return before, after


def intervals_of(raster: NDArray[np.bool_]) -> Intervals:
    """Return the intervals of trains (train, time), with PySpike's conventions at the edges."""
    before, after = spikes_around(raster)
    total = raster.shape[1]
    count = raster.sum(1)
    leading, trailing = before < 0, after == total
    length = after - np.maximum(before, 0)
    # The first and the last interval between two spikes.
    first_spike, last_spike = np.where(raster[:, 0], 0, after[:, 0]), before[:, -1]
    rows = np.flatnonzero(count > 1)
    first, last = np.zeros((2, len(raster), 1), np.int64)
    first[rows, 0] = after[rows, first_spike[rows]] - first_spike[rows]
    last[rows, 0] = last_spike[rows] - before[rows, last_spike[rows] - 1]
    length = np.where(leading, np.maximum(length, first), length)
    length = np.where(trailing, np.maximum(length, last), length)
    empty = (count == 0)[:, None]
    lone_at_start = ((count == 1) & raster[:, 0])[:, None]
    between = empty | lone_at_start
    return Intervals(
        np.where(empty, 0, np.where(leading, after, before)),
        np.where(trailing & ~between, before, after),
        length,
    )


def sum_over_intervals(
    raster: NDArray[np.bool_],
    intervals: Intervals,
    contribution: Callable[[Span, slice], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Sum the contributions of each train's intervals with each other train, (train, other train).

    On a grid many trains share an interval: each different one is evaluated once.

    `raster`, `intervals`: the trains (train, time); `contribution`: contribution of an interval
    with a range of other trains, (other train,).
    """
    begins = raster.copy()
    begins[:, 0] = True
    train, start = np.nonzero(begins)
    # Each train's last interval is followed by the next train's first, which starts at 0.
    stop = np.append(start[1:], 0)[: start.size]
    stop[stop == 0] = raster.shape[1]
    columns = (start, stop, *(array[train, start] for array in intervals))
    rows, which = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)
    spans = [Span(*row) for row in rows.tolist()]
    shape = (len(raster), len(spans))
    has = csr_array((np.ones(train.size), (train, which.ravel())), shape=shape)
    total = np.empty((len(raster), len(raster)))
    size = min(max(_NUMBERS // max(len(spans), 1), 1), _COLUMNS)
    for first in range(0, len(raster), size):
        chosen = slice(first, min(first + size, len(raster)))
        each = np.empty((len(spans), chosen.stop - first))
        for row, span in zip(each, spans, strict=True):
            row[:] = contribution(span, chosen)
        total[:, chosen] = np.asarray(has @ each)
    return total


def raster_of(trains: xr.DataArray) -> NDArray[np.bool_]:
    """Return the trains as an array (train, time) bool; raise a `ResultError` for other data."""
    array = isinstance(trains, xr.DataArray)
    fits = array and trains.ndim == 2 and trains.dtype == bool
    if not fits or not trains.sizes.get("time"):
        raise ResultError(
            "the trains are not a raster",
            expected="bool (train, time), as from `raster`, with at least one step",
            found=f"{trains.dtype} {dict(trains.sizes)}" if array else type(trains).__name__,
        )
    dense: NDArray[np.bool_] = trains.transpose(..., "time").to_numpy()
    return dense


def step_ms(trains: xr.DataArray) -> float:
    """Return the length of a step; 1 for trains of a single step, which have no interval."""
    time = trains["time"].to_numpy() if "time" in trains.coords else np.zeros(2)
    lengths = np.diff(time.astype(np.float64))
    if not lengths.size:
        return 1.0
    if not (lengths[0] > 0 and np.allclose(lengths, lengths[0])):
        raise ResultError(
            "the trains have no regular grid of times", where="time", expected="equal steps in ms"
        )
    return float(lengths.mean())


def as_matrix(
    trains: xr.DataArray, values: NDArray[np.float64], name: str, long_name: str
) -> xr.DataArray:
    """Label a matrix over pairs of trains, (train, train_), like the trains."""
    train = next(dim for dim in trains.dims if dim != "time")
    matrix = xr.DataArray(values, dims=(train, f"{train}_"))
    for dim in matrix.dims:
        if train in trains.coords:
            matrix = matrix.assign_coords({dim: trains[train].to_numpy()})
    return described(matrix, name, long_name, "1")
