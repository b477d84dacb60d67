"""The distance of Victor and Purpura: what it costs to turn one train into the other."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.distances.trains import as_matrix, raster_of, step_ms
from bioae.errors import ResultError

__all__ = ["victor_purpura_distance"]

# Trains a side of a block: a row of pairs that the processor's cache holds.
_SIDE = 96


def victor_purpura_distance(trains: xr.DataArray, *, cost_per_ms: float) -> xr.DataArray:
    """Return the distances of Victor and Purpura of all pairs of trains, (train, train_).

    To insert or to delete a spike costs 1, to shift it by a time t costs ``cost_per_ms * t``. The
    distance is the least cost of turning one train into the other.

    Parameters
    ----------
    trains
        (train, time) bool, with `time` in milliseconds, as from `raster`.
    cost_per_ms
        What it costs to shift a spike by a millisecond. 0 compares the numbers of spikes; infinity
        counts the spikes that are not shared. There elephant lets no two spikes be the same, which
        is not the limit of its own values.

    Raises
    ------
    ResultError
        If the cost is negative or not a number, or the trains are no raster.

    References
    ----------
    Victor & Purpura (1996), Nature and precision of temporal coding in visual cortex: a
    metric-space analysis, Journal of Neurophysiology 76, 1310-1326, doi:10.1152/jn.1996.76.2.1310.
    """
    if not cost_per_ms >= 0:
        raise ResultError("the cost is outside", expected="0 or more", found=str(cost_per_ms))
    raster = raster_of(trains)
    # No spike is ever shifted at a cost above 2: it is deleted and inserted.
    cost = min(cost_per_ms * step_ms(trains), 2.0)
    distance = _all_pairs(raster, cost)
    return as_matrix(trains, distance, "victor_purpura_distance", "Victor-Purpura distance")


def _all_pairs(raster: NDArray[np.bool_], cost: float) -> NDArray[np.float64]:
    count = raster.sum(1)
    # Sorted, blocks hold trains of similar length, and little is computed in vain.
    order = np.argsort(count, kind="stable")
    times = _scaled_times(raster[order], cost)
    count = count[order]
    distance = np.zeros((len(raster), len(raster)))
    for top in range(0, len(raster), _SIDE):
        for left in range(top, len(raster), _SIDE):
            rows, columns = slice(top, top + _SIDE), slice(left, left + _SIDE)
            block = _block(times[:, rows], count[rows], times[:, columns], count[columns])
            distance[np.ix_(order[rows], order[columns])] = block
            distance[np.ix_(order[columns], order[rows])] = block.T
    return distance


def _scaled_times(raster: NDArray[np.bool_], cost: float) -> NDArray[np.float64]:
    """Return the times of spikes in the cost of shifts, (spike, train), padded with zeros."""
    train, step = np.nonzero(raster)
    count = raster.sum(1)
    place = np.arange(train.size) - np.repeat(np.cumsum(count) - count, count)
    times = np.zeros((int(count.max(initial=0)), len(raster)))
    times[place, train] = step * cost
    return times


def _block(
    a: NDArray[np.float64],
    count_a: NDArray[np.int64],
    b: NDArray[np.float64],
    count_b: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the distances of each of some trains to each of others, (train a, train b).

    The table G[i, j] is the distance of the first i spikes of one train to the first j of the
    other. What is kept is H = G - i - j, in which insertions and deletions cost nothing and a
    shift costs 2 less; a row of it at a time, of all pairs: (spike, train a, train b).
    """
    rows, columns = int(count_a.max()), int(count_b.max())
    last, row = np.zeros((2, columns + 1, count_a.size, count_b.size))
    every = np.arange(count_b.size)
    total = np.zeros(row.shape[1:])
    shift = np.empty(row.shape[1:])
    for i in range(rows):
        for j in range(columns):
            np.subtract(a[i, :, None], b[j], out=shift)
            np.abs(shift, out=shift)
            shift -= 2
            shift += last[j]
            np.minimum(shift, last[j + 1], out=row[j + 1])
            np.minimum(row[j + 1], row[j], out=row[j + 1])
        done = np.flatnonzero(count_a == i + 1)
        total[done] = row[count_b, done[:, None], every]
        last, row = row, last
    return total + count_a[:, None] + count_b
