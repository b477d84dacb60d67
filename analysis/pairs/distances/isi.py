"""The ISI-distance: how different the intervals of two trains are at each time."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.distances.intervals import Span, intervals_of, sum_over_intervals
from bioae.analysis.pairs.distances.trains import as_matrix, raster_of, symmetric

__all__ = ["isi_distance"]


def isi_distance(trains: xr.DataArray) -> xr.DataArray:
    """Return the ISI-distances of all pairs of trains, (train, train_), in [0, 1).

    At each time the two trains are in the intervals x and y between spikes; the distance is the
    mean over time of ``|x - y| / max(x, y)``. It has no parameter, and does not see when spikes
    are as long as the intervals agree.

    Parameters
    ----------
    trains
        (train, time) bool, as from `raster`. Edges are treated as PySpike treats them, see
        `bioae.analysis.pairs.distances.intervals`; a train without a spike is one interval.

    Raises
    ------
    ResultError
        If the trains are no raster.

    References
    ----------
    Kreuz, Haas, Morelli, Abarbanel & Politi (2007), Measuring spike train synchrony, Journal of
    Neuroscience Methods 165, 151-161, doi:10.1016/j.jneumeth.2007.05.031; its values carry a sign,
    the absolute value and the edges are those of Mulansky & Kreuz (2016), PySpike, SoftwareX 5,
    doi:10.1016/j.softx.2016.07.006.
    """
    raster = raster_of(trains)
    intervals = intervals_of(raster)
    # (time, train), so that the steps of an interval adjoin.
    length = intervals.length.T.astype(np.float64, order="C")

    def similarity(span: Span, others: slice) -> NDArray[np.float64]:
        other = length[span.start : span.stop, others]
        ratio = np.minimum(other, span.length)
        ratio /= np.maximum(other, span.length)
        return np.asarray(ratio.sum(0))

    similar = sum_over_intervals(raster, intervals, similarity)
    distance = symmetric(1 - similar / raster.shape[1])
    return as_matrix(trains, distance, "isi_distance", "ISI-distance")
