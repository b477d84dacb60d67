"""Comparison of two samples: effect sizes, tests, bootstrap interval and distances.

Samples are one-dimensional and finite. Signs are those of the second sample minus
the first: positive where the second is greater.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

Sample = NDArray[np.float64]

#: The columns of a comparison, with their long names.
COLUMNS = {
    "neurons_a": "neurons in the first",
    "neurons_b": "neurons in the second",
    "mean_a": "mean of the first",
    "mean_b": "mean of the second",
    "difference": "difference of the means",
    "difference_low": "lower end of its confidence interval",
    "difference_high": "upper end of its confidence interval",
    "cohens_d": "Cohen's d",
    "hedges_g": "Hedges' g",
    "cliffs_delta": "Cliff's delta",
    "rank_biserial": "rank-biserial correlation of pairs",
    "p_value": "p",
    "kolmogorov_smirnov": "largest difference of the distributions",
    "wasserstein": "Wasserstein distance",
}
# Values that are drawn at a time, which bounds the memory.
_DRAWN = 4_000_000


class Bootstrap(NamedTuple):
    """Coverage of the bootstrap interval, number of resamples, and seed."""

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0


def compare_samples(a: Sample, b: Sample, paired: bool, bootstrap: Bootstrap) -> dict[str, float]:
    """Compare two samples: return a value for each of `COLUMNS`, in their order.

    `a`, `b`: (neuron,) Finite; of the same length if `paired`.
    """
    mean_a, mean_b = (float(each.mean()) if each.size else np.nan for each in (a, b))
    row = {"neurons_a": a.size, "neurons_b": b.size, "mean_a": mean_a, "mean_b": mean_b}
    if not a.size or not b.size:
        return dict.fromkeys(COLUMNS, np.nan) | row
    low, high = mean_difference_interval(a, b, paired, bootstrap)
    # The p-value is not used: the exact one takes long, and that of two values divides by zero.
    with np.errstate(divide="ignore"):
        smirnov = stats.ks_2samp(a, b, method="asymp").statistic
    return row | {
        "difference": mean_b - mean_a,
        "difference_low": low,
        "difference_high": high,
        "cohens_d": cohens_d(a, b),
        "hedges_g": hedges_g(a, b),
        "cliffs_delta": cliffs_delta(a, b),
        "rank_biserial": rank_biserial(b - a) if paired else np.nan,
        "p_value": _p_value(a, b, paired),
        "kolmogorov_smirnov": float(smirnov),
        "wasserstein": float(stats.wasserstein_distance(a, b)),
    }


def mean_difference_interval(
    a: Sample, b: Sample, paired: bool, settings: Bootstrap
) -> tuple[float, float]:
    """Percentile bootstrap interval of mean(b) - mean(a).

    Neurons are drawn with replacement, in pairs if the samples are paired. The interval of a single
    neuron has no width. Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    # A constant sample has one mean, which drawing it again would only round.
    if paired or (a == a[0]).all():
        samples: tuple[Sample, ...] = (b - (a if paired else a[0]),)
    else:
        samples = (b[0] - a,) if (b == b[0]).all() else (b, a)
    if len(samples) == 1 and (samples[0] == samples[0][0]).all():
        return float(samples[0][0]), float(samples[0][0])

    def difference(*drawn: Sample, axis: int) -> Sample:
        means = [np.asarray(each.mean(axis)) for each in drawn]
        return means[0] - means[1] if len(means) > 1 else means[0]

    low, high = stats.bootstrap(
        samples,
        difference,
        n_resamples=settings.resamples,
        batch=max(1, _DRAWN // max(a.size, b.size)),
        vectorized=True,
        confidence_level=settings.level,
        method="percentile",
        rng=np.random.default_rng(settings.seed),
    ).confidence_interval
    return float(low), float(high)


def cohens_d(a: Sample, b: Sample) -> float:
    """Cohen's d: the difference of the means over the pooled standard deviation.

    The standard deviation is that over the neurons of each sample, also if samples are paired, so
    that paired and independent comparisons have one scale. 0 if neither sample varies and they are
    equal; NaN if neither varies and they differ, or if one has fewer than two values. Cohen (1988),
    Statistical Power Analysis for the Behavioral Sciences.
    """
    if min(a.size, b.size) < 2:
        return np.nan
    freedom = a.size + b.size - 2
    # The variance of equal numbers may differ from 0 by rounding.
    variances = [0.0 if (each == each[0]).all() else each.var(ddof=1) for each in (a, b)]
    pooled = ((a.size - 1) * variances[0] + (b.size - 1) * variances[1]) / freedom
    if pooled == 0:
        return 0.0 if a[0] == b[0] else np.nan
    return float(b.mean() - a.mean()) / float(np.sqrt(pooled))


def hedges_g(a: Sample, b: Sample) -> float:
    """Hedges' g: Cohen's d without its bias in small samples; NaN where d is NaN.

    The correction is exact. Hedges (1981), J. Educ. Stat. 6:107, doi:10.2307/1164588.
    """
    d, freedom = cohens_d(a, b), a.size + b.size - 2
    if not np.isfinite(d):
        return np.nan
    log = gammaln(freedom / 2) - np.log(freedom / 2) / 2 - gammaln((freedom - 1) / 2)
    return d * float(np.exp(log)) if freedom > 1 else np.nan


def cliffs_delta(a: Sample, b: Sample) -> float:
    """Cliff's delta: P(b > a) - P(b < a), in [-1, 1].

    It is the rank-biserial correlation of the Mann-Whitney test. Cliff (1993), Psychol. Bull.
    114:494, doi:10.1037/0033-2909.114.3.494.
    """
    ordered = np.sort(a)
    below = np.searchsorted(ordered, b, side="left").sum(dtype=np.int64)
    above = (a.size - np.searchsorted(ordered, b, side="right")).sum(dtype=np.int64)
    return float(below - above) / (a.size * b.size)


def rank_biserial(differences: Sample) -> float:
    """Matched-pairs rank-biserial correlation of differences, in [-1, 1].

    The ranks of the positive differences minus those of the negative ones, over all ranks; zeros
    are dropped, as in the Wilcoxon test. 0 if all are zero. Kerby (2014), Compr. Psychol.
    3:11.IT.3.1, doi:10.2466/11.IT.3.1.
    """
    moved = differences[differences != 0]
    if not moved.size:
        return 0.0
    ranks = stats.rankdata(np.abs(moved))
    return float((np.sign(moved) * ranks).sum() / ranks.sum())


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values corrected for multiple tests by Holm's method, of the same shape.

    NaN stays NaN and does not count as a test. If the hypotheses with a p-value below a level are
    rejected, the chance of rejecting any true hypothesis is at most that level, however the tests
    depend on each other. Holm (1979), Scand. J. Stat. 6:65.
    """
    flat = p_values.ravel()
    adjusted = np.full(flat.size, np.nan)
    tests = np.flatnonzero(~np.isnan(flat))
    order = tests[np.argsort(flat[tests], kind="stable")]
    scaled = flat[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.reshape(p_values.shape)


def _p_value(a: Sample, b: Sample, paired: bool) -> float:
    if paired:
        return float(stats.wilcoxon(b, a).pvalue) if (a != b).any() else 1.0
    # The test divides by the spread of the ranks, which is 0 if all values are equal.
    if (a == a[0]).all() and (b == a[0]).all():
        return 1.0
    return float(stats.mannwhitneyu(b, a).pvalue)
