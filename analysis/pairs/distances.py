"""Spike train distances: of intervals and spikes without a parameter, or with a time scale."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial.distance import pdist, squareform

from bioae.analysis.pairs.trains import (
    Intervals,
    Span,
    as_matrix,
    intervals_of,
    raster_of,
    spikes_around,
    step_ms,
    sum_over_intervals,
)
from bioae.analysis.results.arrays import check_not_negative


def isi_distance(trains: xr.DataArray) -> xr.DataArray:
    """ISI-distance of all pairs of trains, (train, train_), in [0, 1).

    The mean over time of ``|x - y| / max(x, y)`` for the trains' interspike intervals x and y at
    each time. It depends on the intervals alone, and not on the timing of spikes within them.

    Parameters
    ----------
    trains
        (train, time) bool, as from `raster`. Edges are treated as in PySpike; a train without a
        spike is one interval.

    References
    ----------
    Kreuz, Haas, Morelli, Abarbanel & Politi (2007), Measuring spike train synchrony, Journal of
    Neuroscience Methods 165, 151-161, doi:10.1016/j.jneumeth.2007.05.031, whose values are signed;
    the absolute value and the edges follow Mulansky & Kreuz (2016), PySpike, SoftwareX 5,
    doi:10.1016/j.softx.2016.07.006.
    """
    raster = raster_of(trains)
    intervals = intervals_of(raster)
    # (time, train), so that the steps of an interval are contiguous.
    length = intervals.length.T.astype(np.float64, order="C")

    def similarity(span: Span, others: slice) -> NDArray[np.float64]:
        other = length[span.start : span.stop, others]
        ratio = np.minimum(other, span.length)
        ratio /= np.maximum(other, span.length)
        return np.asarray(ratio.sum(0))

    upper = np.triu(1 - sum_over_intervals(raster, intervals, similarity) / raster.shape[1])
    # Rounding depends on the order of a pair: one half is mirrored.
    distance = upper + np.triu(upper, 1).T
    return as_matrix(trains, distance, "isi_distance", "ISI-distance")


def spike_distance(trains: xr.DataArray) -> xr.DataArray:
    """SPIKE-distance of all pairs of trains, (train, train_), in [0, 1].

    Each of the four spikes around a time, the previous and the next spike of both trains, has a
    nearest spike in the other train. The dissimilarity at that time is the mean distance to those
    spikes, weighted by proximity of the four and divided by the mean of the two intervals; the
    SPIKE-distance is its mean over time.

    Parameters
    ----------
    trains
        (train, time) bool, as from `raster`. Edges are treated as in PySpike.

    Notes
    -----
    Between two steps the dissimilarity is linear in time: its mean is its value in the middle.

    References
    ----------
    Kreuz, Chicharro, Houghton, Andrzejak & Mormann (2013), Monitoring spike train synchrony,
    Journal of Neurophysiology 109, 1457-1472, doi:10.1152/jn.00873.2012; the edges follow Mulansky
    & Kreuz (2016), PySpike, SoftwareX 5, doi:10.1016/j.softx.2016.07.006.
    """
    raster = raster_of(trains)
    intervals = intervals_of(raster)
    # (time, train), so that the steps of an interval are contiguous.
    near = _to_nearest(raster, intervals).T.copy()
    length = intervals.length.T.astype(np.float64, order="C")

    def dissimilarity(span: Span, others: slice) -> NDArray[np.float64]:
        other = length[span.start : span.stop, others]
        # Interpolated between the interval's two spikes, in the middle of each step.
        before, after = near[span.before, others], near[span.after, others]
        middle = np.arange(span.start, span.stop) + 0.5
        weight = (middle - span.before) / max(span.after - span.before, 1)
        value = before + weight[:, None] * (after - before)
        value *= other
        both = other + span.length
        both *= both
        value /= both
        return np.asarray(value.sum(0))

    # The dissimilarity is the sum of two terms, one for each train's spikes.
    half = sum_over_intervals(raster, intervals, dissimilarity)
    distance = (half + half.T) * (2 / raster.shape[1])
    np.fill_diagonal(distance, 0)
    return as_matrix(trains, distance, "spike_distance", "SPIKE-distance")


def _to_nearest(raster: NDArray[np.bool_], intervals: Intervals) -> NDArray[np.float64]:
    """Return the time from each step, and from the end, to the nearest spike, (train, time + 1).

    Two further spikes are outside the presentation, before the first and after the last spike by
    the lengths of the intervals at the edges.
    """
    total = raster.shape[1]
    before, after = spikes_around(raster)
    # A train without spikes has them at the edges.
    first = np.where(raster[:, 0], 0, after[:, 0])
    last = np.maximum(before[:, -1], 0)
    lower = (first - intervals.length[:, 0])[:, None]
    upper = (last + intervals.length[:, -1])[:, None]
    left = np.where(before < 0, lower, before)
    right = np.where(after == total, upper, after)
    step = np.arange(total)
    near = np.empty((len(raster), total + 1))
    near[:, :-1] = np.minimum(step - left, right - step)
    near[:, -1:] = np.minimum(total - left[:, -1:], upper - total)
    return near


def spike_synchronization(trains: xr.DataArray) -> xr.DataArray:
    """SPIKE-synchronization of all pairs of trains, (train, train_), in [0, 1].

    The fraction of the spikes of both trains that coincide: at the same time, or closer than half
    of each of the adjacent intervals. It is a similarity: 1 where every spike has a partner, and
    where neither train spikes.

    Parameters
    ----------
    trains
        (train, time) bool, as from `raster`. The intervals before the first and after the last
        spike are as long as the presentation, as in PySpike.

    References
    ----------
    Kreuz, Mulansky & Bozanic (2015), SPIKY: a graphical user interface for monitoring spike train
    synchrony, Journal of Neurophysiology 113, 3432-3445, doi:10.1152/jn.00848.2014, after Quian
    Quiroga, Kreuz & Grassberger (2002), Physical Review E 66, 041904.
    """
    raster = raster_of(trains)
    reach = _reach(raster)
    # Float32 counts exactly up to 2**24, and its products are twice as fast.
    at = raster.astype(np.float32)
    pairs = (at @ at.T).astype(np.float64)
    lag = 1
    while (rows := np.flatnonzero((reach > lag).any(1))).size:
        far = (reach[rows] > lag).astype(np.float32)
        later = (far[:, :-lag] @ far[:, lag:].T).astype(np.float64)
        pairs[np.ix_(rows, rows)] += later + later.T
        lag += 1
    count = raster.sum(1)
    spikes = count[:, None] + count
    value = np.ones(spikes.shape)
    np.divide(2 * pairs, spikes, out=value, where=spikes > 0)
    return as_matrix(trains, value, "spike_synchronization", "SPIKE-synchronization")


def _reach(raster: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return half of the shorter adjacent interval of each spike in steps, 0 elsewhere."""
    total = raster.shape[1]
    before, after = spikes_around(raster)
    step = np.arange(total)
    last = np.full_like(before, -1)
    last[:, 1:] = before[:, :-1]
    since = np.where(last < 0, total, step - last)
    until = np.where(after == total, total, after - step)
    return np.where(raster, np.minimum(since, until) / 2, 0)


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
    return as_matrix(trains, distance, "victor_purpura_distance", "Victor-Purpura distance")


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
