"""How far apart two samples lie, and which of many differences are more than chance.

Samples are one-dimensional and finite. Signs are of the second sample against the first: positive
where the second is greater.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cliffs_delta", "cohens_d", "hedges_g", "holm", "rank_biserial"]

Sample = NDArray[np.float64]


def cohens_d(a: Sample, b: Sample) -> float:
    """Return the difference of the means over the pooled standard deviation.

    The standard deviation is that over the neurons of each sample, also where samples are paired,
    so that paired and independent comparisons are on one scale. 0 where neither varies and they
    are equal; NaN where neither varies and they differ, or one has fewer than two values.
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences.
    """
    if min(a.size, b.size) < 2:
        return np.nan
    freedom = a.size + b.size - 2
    pooled = ((a.size - 1) * a.var(ddof=1) + (b.size - 1) * b.var(ddof=1)) / freedom
    difference = float(b.mean() - a.mean())
    if pooled == 0:
        return 0.0 if difference == 0 else np.nan
    return difference / float(np.sqrt(pooled))


def hedges_g(a: Sample, b: Sample) -> float:
    """Return Cohen's d without its bias in small samples; NaN where d is.

    The correction is the exact one. Hedges (1981), J. Educ. Stat. 6:107, doi:10.2307/1164588.
    """
    from scipy.special import gammaln

    d, freedom = cohens_d(a, b), a.size + b.size - 2
    if not np.isfinite(d):
        return np.nan
    log = gammaln(freedom / 2) - np.log(freedom / 2) / 2 - gammaln((freedom - 1) / 2)
    return d * float(np.exp(log)) if freedom > 1 else np.nan


def cliffs_delta(a: Sample, b: Sample) -> float:
    """Return P(b > a) - P(b < a) for values drawn from each, in [-1, 1]; NaN where one is empty.

    It is the rank-biserial correlation of the Mann-Whitney test. Cliff (1993), Psychol. Bull.
    114:494, doi:10.1037/0033-2909.114.3.494.
    """
    if not a.size or not b.size:
        return np.nan
    ordered = np.sort(a)
    below = np.searchsorted(ordered, b, side="left").sum(dtype=np.int64)
    above = (a.size - np.searchsorted(ordered, b, side="right")).sum(dtype=np.int64)
    return float(below - above) / (a.size * b.size)


def rank_biserial(differences: Sample) -> float:
    """Return the matched-pairs rank-biserial correlation of differences, in [-1, 1].

    The ranks of the positive ones minus those of the negative ones, over all of them; zeros are
    dropped, as the Wilcoxon test drops them. 0 where all are zero, NaN where there are none.
    Kerby (2014), Compr. Psychol. 3:11.IT.3.1, doi:10.2466/11.IT.3.1.
    """
    from scipy.stats import rankdata

    if not differences.size:
        return np.nan
    moved = differences[differences != 0]
    if not moved.size:
        return 0.0
    ranks = rankdata(np.abs(moved))
    return float((np.sign(moved) * ranks).sum() / ranks.sum())


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return p-values that hold jointly, of the same shape; NaN is no test and stays.

    Reject those below a level, and the chance of rejecting a true hypothesis at all is at most
    that level, however the tests depend on each other. Holm (1979), Scand. J. Stat. 6:65.
    """
    flat = p_values.ravel()
    adjusted = np.full(flat.size, np.nan)
    tests = np.flatnonzero(~np.isnan(flat))
    order = tests[np.argsort(flat[tests], kind="stable")]
    scaled = flat[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.reshape(p_values.shape)
