"""Parameter-free spike train distances: ISI-distance, SPIKE-distance, SPIKE-synchronization."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.trains import (
    Intervals,
    Span,
    as_matrix,
    intervals_of,
    raster_of,
    spikes_around,
    sum_over_intervals,
)

__all__ = ["isi_distance", "spike_distance", "spike_synchronization"]


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
    pairs = _coincidences(raster.astype(np.float32), raster.astype(np.float32))
    lag = 1
    while (rows := np.flatnonzero((reach > lag).any(1))).size:
        # Float32 counts exactly up to 2**24, and its products are twice as fast.
        far = (reach[rows] > lag).astype(np.float32)
        later = _coincidences(far[:, :-lag], far[:, lag:])
        pairs[np.ix_(rows, rows)] += later + later.T
        lag += 1
    count = raster.sum(1)
    spikes = count[:, None] + count
    value = np.ones(spikes.shape)
    np.divide(2 * pairs, spikes, out=value, where=spikes > 0)
    return as_matrix(trains, value, "spike_synchronization", "SPIKE-synchronization")


def _coincidences(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    product: NDArray[np.float64] = (a @ b.T).astype(np.float64)
    return product


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
