"""The distance of van Rossum: trains as traces that decay."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.pairs.distances.trains import as_matrix, raster_of, step_ms
from bioae.errors import ResultError

__all__ = ["van_rossum_distance"]


def van_rossum_distance(trains: xr.DataArray, *, tau_ms: float) -> xr.DataArray:
    """Return the distances of van Rossum of all pairs of trains, (train, train_).

    Every spike becomes ``exp(-t / tau)`` from its time on; the distance is the Euclidean one of
    the two sums. It is scaled so that a single spike is at distance 1 from silence, as in
    elephant; in the paper it is at the square root of one half.

    Parameters
    ----------
    trains
        (train, time) bool, with `time` in milliseconds, as from `raster`.
    tau_ms
        The time constant. 0 counts the spikes that are not shared, under the square root; infinity
        compares the numbers of spikes. At 0 elephant lets no two spikes be the same, which is not
        the limit of its own values.

    Raises
    ------
    ResultError
        If `tau_ms` is negative or not a number, or the trains are no raster.

    Notes
    -----
    The integral over the time after the last step is in closed form, so the square of the distance
    is a quadratic form ``d K d`` of the difference d of two rasters, with
    ``K = exp(-|t - t'| / tau)``. The traces below are a square root of K: a distance of theirs
    loses no digits where trains are nearly equal, as the form itself does.

    References
    ----------
    van Rossum (2001), A novel spike distance, Neural Computation 13, 751-763,
    doi:10.1162/089976601300014321.
    """
    from scipy.spatial.distance import pdist, squareform

    if not tau_ms >= 0:
        raise ResultError(
            "the time constant is outside", expected="0 ms or more", found=str(tau_ms)
        )
    raster = raster_of(trains)
    step = step_ms(trains)
    decay = 0.0 if tau_ms == 0 else float(np.exp(-step / tau_ms))
    # Of fewer than two trains there is no pair, which squareform takes for one train.
    empty = np.zeros((len(raster), len(raster)))
    distance = squareform(pdist(_traces(raster, decay))) if len(raster) > 1 else empty
    return as_matrix(trains, distance, "van_rossum_distance", "van Rossum distance")


def _traces(raster: NDArray[np.bool_], decay: float) -> NDArray[np.float64]:
    """Return traces whose inner products are those of the kernel, (train, time)."""
    from scipy.signal import lfilter

    traces: NDArray[np.float64] = lfilter([1.0], [1.0, -decay], raster.astype(np.float64), axis=1)
    traces[:, :-1] *= np.sqrt(1 - decay**2)
    return traces
