"""The SPIKE-distance: how far apart the spikes around each time are."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.distances.intervals import (
    Intervals,
    Span,
    intervals_of,
    spikes_around,
    sum_over_intervals,
)
from bioae.analysis.pairs.distances.trains import as_matrix, raster_of

__all__ = ["spike_distance"]


def spike_distance(trains: xr.DataArray) -> xr.DataArray:
    """Return the SPIKE-distances of all pairs of trains, (train, train_), in [0, 1].

    Each of the four spikes around a time, the last and the next one of both trains, has a nearest
    spike in the other train. The distances to those, weighted by how near the four are, over the
    mean of the two intervals, is the dissimilarity at that time, and its mean over time the
    distance. It has no parameter.

    Parameters
    ----------
    trains
        (train, time) bool, as from `raster`. Edges are treated as PySpike treats them, see
        `bioae.analysis.pairs.distances.intervals`.

    Raises
    ------
    ResultError
        If the trains are no raster.

    Notes
    -----
    Between two steps the dissimilarity is linear in time, so its mean is its value in the middle.

    References
    ----------
    Kreuz, Chicharro, Houghton, Andrzejak & Mormann (2013), Monitoring spike train synchrony,
    Journal of Neurophysiology 109, 1457-1472, doi:10.1152/jn.00873.2012; the edges are those of
    Mulansky & Kreuz (2016), PySpike, SoftwareX 5, doi:10.1016/j.softx.2016.07.006.
    """
    raster = raster_of(trains)
    intervals = intervals_of(raster)
    # (time, train), so that the steps of an interval adjoin.
    near = _to_nearest(raster, intervals).T.copy()
    length = intervals.length.T.astype(np.float64, order="C")

    def dissimilarity(span: Span, others: slice) -> NDArray[np.float64]:
        other = length[span.start : span.stop, others]
        value = _of_its_spikes(near[:, others], span)
        value *= other
        both = other + span.length
        both *= both
        value /= both
        return np.asarray(value.sum(0))

    # The dissimilarity is a sum of what each train's spikes are from the other's.
    half = sum_over_intervals(raster, intervals, dissimilarity)
    distance = (half + half.T) * (2 / raster.shape[1])
    np.fill_diagonal(distance, 0)
    return as_matrix(trains, distance, "spike_distance", "SPIKE-distance")


def _of_its_spikes(near: NDArray[np.float64], span: Span) -> NDArray[np.float64]:
    """Return how far the spikes around an interval are from others', (step, other train).

    Parameters
    ----------
    near
        (time + 1, other train) The time from each step to the nearest spike of the others.
    """
    before, after = near[span.before], near[span.after]
    middle = np.arange(span.start, span.stop) + 0.5
    weight = (middle - span.before) / max(span.after - span.before, 1)
    return np.asarray(before + weight[:, None] * (after - before))


def _to_nearest(raster: NDArray[np.bool_], intervals: Intervals) -> NDArray[np.float64]:
    """Return the time from each step, and from the end, to each train's nearest spike.

    To the spikes come two that stand outside, before the first and after the last spike by the
    lengths of the intervals at the edges. (train, time + 1)
    """
    total = raster.shape[1]
    before, after = spikes_around(raster)
    # A train without spikes has them at the edges, from which the two outside follow too.
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
