"""The Wasserstein distance of two samples: how far values must be moved."""

from __future__ import annotations

import xarray as xr
from numpy.typing import ArrayLike

from bioae.analysis.pairs.distances.samples import as_dataset, defined

__all__ = ["wasserstein_distance"]


def wasserstein_distance(a: ArrayLike, b: ArrayLike) -> xr.Dataset:
    """Return the mean distance by which the values of one sample must be moved to be the other.

    This is the Wasserstein-1 or earth mover's distance, such as between the rates of two layers;
    it is `scipy.stats.wasserstein_distance` of the values that are defined.

    Parameters
    ----------
    a, b
        Two samples of any shape, such as `firing_rate`; NaN is an undefined value, and left out.

    Returns
    -------
    xarray.Dataset
        The scalars ``distance``, in the units of `a` (NaN where a sample has no defined value),
        ``values_a`` and ``values_b``, the numbers of values compared, and ``undefined_a`` and
        ``undefined_b``, of those left out.

    References
    ----------
    Ramdas, García Trillos & Cuturi (2017), On Wasserstein two-sample testing and related families
    of nonparametric tests, Entropy 19, 47, doi:10.3390/e19020047.
    """
    from scipy.stats import wasserstein_distance as distance_of

    sample_a, sample_b = defined(a), defined(b)
    comparable = bool(sample_a[0].size and sample_b[0].size)
    distance = float(distance_of(sample_a[0], sample_b[0])) if comparable else float("nan")
    units = str(a.attrs.get("units", "1")) if isinstance(a, xr.DataArray) else "1"
    return as_dataset({"distance": (distance, "Wasserstein distance", units)}, sample_a, sample_b)
