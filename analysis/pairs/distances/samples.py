"""Distances between two samples, such as two layers' rates: Wasserstein, Kolmogorov-Smirnov."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.errors import ResultError
from bioae.units import has_unit

__all__ = ["kolmogorov_smirnov", "wasserstein_distance"]

# The defined values of a sample, and the number of undefined ones.
_Sample = tuple[NDArray[np.float64], int]


def wasserstein_distance(a: ArrayLike, b: ArrayLike) -> xr.Dataset:
    """Wasserstein-1 (earth mover's) distance between two samples.

    The least mean shift of values that turns one sample into the other, by
    `scipy.stats.wasserstein_distance`.

    Parameters
    ----------
    a, b
        Samples of any shape, such as `firing_rate`; NaN is an undefined value, and left out.

    Returns
    -------
    xarray.Dataset
        The scalars ``distance``, in the units of `a` (NaN where a sample has no defined value),
        ``values_a`` and ``values_b``, the numbers of values compared, and ``undefined_a`` and
        ``undefined_b``, the numbers of values left out.

    References
    ----------
    Ramdas, García Trillos & Cuturi (2017), On Wasserstein two-sample testing and related families
    of nonparametric tests, Entropy 19, 47, doi:10.3390/e19020047.
    """
    from scipy.stats import wasserstein_distance as distance_of

    sample_a, sample_b = _defined(a), _defined(b)
    comparable = bool(sample_a[0].size and sample_b[0].size)
    distance = float(distance_of(sample_a[0], sample_b[0])) if comparable else float("nan")
    units = str(a.attrs.get("units", "1")) if isinstance(a, xr.DataArray) else "1"
    return _as_dataset({"distance": (distance, "Wasserstein distance", units)}, sample_a, sample_b)


def kolmogorov_smirnov(a: ArrayLike, b: ArrayLike) -> xr.Dataset:
    """Two-sample Kolmogorov-Smirnov test.

    The statistic is the largest difference of the two cumulative distributions, by the two-sided
    `scipy.stats.ks_2samp`.

    Parameters
    ----------
    a, b
        Samples of any shape, such as `firing_rate`; NaN is an undefined value, and left out.

    Returns
    -------
    xarray.Dataset
        The scalars ``statistic`` in [0, 1] and ``p_value``, which is too large where values are
        often equal, such as rates of few spikes. Both are NaN where a sample has no defined value.
        ``values_a``, ``values_b``, ``undefined_a`` and ``undefined_b`` are the numbers of values
        compared and left out.

    References
    ----------
    Hodges (1958), The significance probability of the Smirnov two-sample test, Arkiv för Matematik
    3, 469-486, doi:10.1007/BF02589501.
    """
    from scipy.stats import ks_2samp

    sample_a, sample_b = _defined(a), _defined(b)
    statistic = p_value = float("nan")
    if sample_a[0].size and sample_b[0].size:
        with warnings.catch_warnings():
            # Where the exact p value is inaccurate, scipy returns the asymptotic one.
            warnings.filterwarnings("ignore", "ks_2samp: Exact calc", RuntimeWarning)
            test = ks_2samp(sample_a[0], sample_b[0])
        statistic, p_value = float(test.statistic), float(test.pvalue)
    measures = {
        "statistic": (statistic, "Kolmogorov-Smirnov statistic", "1"),
        "p_value": (p_value, "p value", "1"),
    }
    return _as_dataset(measures, sample_a, sample_b)


def _defined(sample: ArrayLike) -> _Sample:
    """Return the values of a sample that are not NaN, and the number of those that are."""
    if has_unit(sample):
        raise ResultError(
            "a sample has a unit", expected="bare numbers", hint="Divide both samples by it"
        )
    values = np.asarray(sample, dtype=np.float64).ravel()
    known = values[~np.isnan(values)]
    return known, values.size - known.size


def _as_dataset(measures: dict[str, tuple[float, str, str]], a: _Sample, b: _Sample) -> xr.Dataset:
    """Return measures (value, long name, units) and the numbers of values of both samples."""
    rows: dict[str, Any] = {
        name: ((), value, {"long_name": text, "units": units})
        for name, (value, text, units) in measures.items()
    }
    for name, which, (values, undefined) in (("a", "first", a), ("b", "second", b)):
        text = {"long_name": f"values of the {which}", "units": "1"}
        rows[f"values_{name}"] = ((), values.size, text)
        text = {"long_name": f"undefined values of the {which}", "units": "1"}
        rows[f"undefined_{name}"] = ((), undefined, text)
    return xr.Dataset(rows)
