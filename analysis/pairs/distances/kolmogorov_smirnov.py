"""The distance of Kolmogorov and Smirnov of two samples."""

from __future__ import annotations

import warnings

import xarray as xr
from numpy.typing import ArrayLike

from bioae.analysis.pairs.distances.samples import as_dataset, defined

__all__ = ["kolmogorov_smirnov"]


def kolmogorov_smirnov(a: ArrayLike, b: ArrayLike) -> xr.Dataset:
    """Return the largest difference of the cumulative distributions of two samples.

    This is `scipy.stats.ks_2samp` of the values that are defined, two-sided.

    Parameters
    ----------
    a, b
        Two samples of any shape, such as `firing_rate`; NaN is an undefined value, and left out.

    Returns
    -------
    xarray.Dataset
        The scalars ``statistic`` in [0, 1], and ``p_value`` (both NaN where a sample has no
        defined value): how often two samples of one continuous distribution differ as much. Values
        that are often equal, such as rates of few spikes, make it too large. ``values_a``,
        ``values_b``, ``undefined_a`` and ``undefined_b`` are numbers of values compared and left
        out.

    References
    ----------
    Hodges (1958), The significance probability of the Smirnov two-sample test, Arkiv för Matematik
    3, 469-486, doi:10.1007/BF02589501.
    """
    from scipy.stats import ks_2samp

    sample_a, sample_b = defined(a), defined(b)
    statistic = p_value = float("nan")
    if sample_a[0].size and sample_b[0].size:
        with warnings.catch_warnings():
            # Where the exact p value loses its digits, scipy gives the asymptotic one.
            warnings.filterwarnings("ignore", "ks_2samp: Exact calc", RuntimeWarning)
            found = ks_2samp(sample_a[0], sample_b[0])
        statistic, p_value = float(found.statistic), float(found.pvalue)
    measures = {
        "statistic": (statistic, "Kolmogorov-Smirnov statistic", "1"),
        "p_value": (p_value, "p value", "1"),
    }
    return as_dataset(measures, sample_a, sample_b)
