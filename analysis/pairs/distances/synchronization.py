"""SPIKE-synchronization: how many spikes of two trains belong to each other."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.distances.intervals import spikes_around
from bioae.analysis.pairs.distances.trains import as_matrix, raster_of

__all__ = ["spike_synchronization"]


def spike_synchronization(trains: xr.DataArray) -> xr.DataArray:
    """Return the fraction of spikes of both trains that coincide, (train, train_), in [0, 1].

    Two spikes coincide if they are at the same time, or less apart than half of each of the
    intervals beside them. It is a similarity: 1 where every spike has its partner, and where
    neither train spikes.

    Parameters
    ----------
    trains
        (train, time) bool, as from `raster`. The interval before a first spike and the one after
        a last are as long as the presentation, as in PySpike.

    Raises
    ------
    ResultError
        If the trains are no raster.

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
        # Float32 counts exactly up to 2**24 and its products are twice as fast.
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
    """Return half of the shorter interval beside each spike in steps, 0 elsewhere."""
    total = raster.shape[1]
    before, after = spikes_around(raster)
    step = np.arange(total)
    last = np.full_like(before, -1)
    last[:, 1:] = before[:, :-1]
    since = np.where(last < 0, total, step - last)
    until = np.where(after == total, total, after - step)
    return np.where(raster, np.minimum(since, until) / 2, 0)
