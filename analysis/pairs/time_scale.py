"""Spike train distances with a time scale: van Rossum and Victor-Purpura."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.trains import as_matrix, raster_of, step_ms
from bioae.analysis.results.arrays import check_not_negative

__all__ = ["van_rossum_distance", "victor_purpura_distance"]

# Trains per side of a block, so that a row of pairs fits the processor's cache.
_SIDE = 96


def van_rossum_distance(trains: xr.DataArray, *, tau_ms: float) -> xr.DataArray:
    """Van Rossum distance of all pairs of trains, (train, train_).

    Every spike becomes ``exp(-t / tau)`` from its time on; the distance is the Euclidean distance
    of the two sums. It is scaled so that a single spike is at distance 1 from silence, as in
    elephant; in the paper it is at the square root of one half.

    Parameters
    ----------
    trains
        (train, time) bool, with `time` in milliseconds, as from `raster`.
    tau_ms
        The time constant. With 0 the distance is the square root of the number of spikes that are
        not shared; with infinity it compares spike counts. At 0, elephant treats all spikes as
        different, which is not the limit of its values.

    Notes
    -----
    The integral over the time after the last step has a closed form, so the squared distance is a
    quadratic form ``d K d`` of the difference d of two rasters, with ``K = exp(-|t - t'| / tau)``.
    The computed traces are a square root of K: unlike the quadratic form, their distance loses no
    digits where trains are nearly equal.

    References
    ----------
    van Rossum (2001), A novel spike distance, Neural Computation 13, 751-763,
    doi:10.1162/089976601300014321.
    """
    from scipy.signal import lfilter
    from scipy.spatial.distance import pdist, squareform

    check_not_negative(tau_ms, "tau_ms")
    raster = raster_of(trains)
    step = step_ms(trains)
    decay = 0.0 if tau_ms == 0 else float(np.exp(-step / tau_ms))
    # The traces' inner products are those of the kernel.
    traces = lfilter([1.0], [1.0, -decay], raster.astype(np.float64), axis=1)
    traces[:, :-1] *= np.sqrt(1 - decay**2)
    # squareform would take the missing pair of no train for one train.
    distance = squareform(pdist(traces)) if len(raster) else np.zeros((0, 0))
    return as_matrix(trains, distance, "van_rossum_distance", "van Rossum distance")


def victor_purpura_distance(trains: xr.DataArray, *, cost_per_ms: float) -> xr.DataArray:
    """Victor-Purpura distance of all pairs of trains, (train, train_).

    The least cost of turning one train into the other: inserting or deleting a spike costs 1, and
    shifting it by a time t costs ``cost_per_ms * t``.

    Parameters
    ----------
    trains
        (train, time) bool, with `time` in milliseconds, as from `raster`.
    cost_per_ms
        Cost of shifting a spike by a millisecond. 0 compares spike counts; infinity counts the
        spikes that are not shared. At infinity, elephant treats all spikes as different, which is
        not the limit of its values.

    References
    ----------
    Victor & Purpura (1996), Nature and precision of temporal coding in visual cortex: a
    metric-space analysis, Journal of Neurophysiology 76, 1310-1326, doi:10.1152/jn.1996.76.2.1310.
    """
    check_not_negative(cost_per_ms, "cost_per_ms")
    raster = raster_of(trains)
    # Above a cost of 2, deleting and inserting is cheaper than shifting.
    cost = min(cost_per_ms * step_ms(trains), 2.0)
    distance = _all_pairs(raster, cost)
    return as_matrix(trains, distance, "victor_purpura_distance", "Victor-Purpura distance")


def _all_pairs(raster: NDArray[np.bool_], cost: float) -> NDArray[np.float64]:
    count = raster.sum(1)
    # Sorting puts trains of similar length into a block, which avoids idle computation.
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
    """Return spike times in units of the cost of shifts, (spike, train), padded with zeros."""
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
    """Return the distances of two groups of trains, (train a, train b).

    The table G[i, j] is the distance of the first i spikes of one train to the first j of the
    other. Stored is H = G - i - j, in which insertions and deletions are free and a shift costs 2
    less, one row of all pairs at a time: (spike, train a, train b).
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
