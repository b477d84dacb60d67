"""Two samples compared in every way that there is a column for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioae.analysis.comparison.effect_sizes import cliffs_delta, cohens_d, hedges_g, rank_biserial
from bioae.analysis.comparison.resampling import mean_difference_interval

__all__ = ["COLUMNS", "Settings", "compare_samples"]

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


class Settings(NamedTuple):
    """Of the bootstrap: the coverage of its interval, how many samples it draws, and the seed."""

    level: float
    resamples: int
    seed: int


def compare_samples(
    a: NDArray[np.float64], b: NDArray[np.float64], paired: bool, settings: Settings
) -> dict[str, float]:
    """Return one value for each of `COLUMNS`, in their order.

    Parameters
    ----------
    a, b
        (neuron,) Finite; of the same length if `paired`.
    """
    rng = np.random.default_rng(settings.seed)
    low, high = mean_difference_interval(
        a, b, paired=paired, level=settings.level, resamples=settings.resamples, rng=rng
    )
    mean_a, mean_b = (float(each.mean()) if each.size else np.nan for each in (a, b))
    smirnov, wasserstein = _distances(a, b)
    return {
        "neurons_a": a.size,
        "neurons_b": b.size,
        "mean_a": mean_a,
        "mean_b": mean_b,
        "difference": mean_b - mean_a,
        "difference_low": low,
        "difference_high": high,
        "cohens_d": cohens_d(a, b),
        "hedges_g": hedges_g(a, b),
        "cliffs_delta": cliffs_delta(a, b),
        "rank_biserial": rank_biserial(b - a) if paired else np.nan,
        "p_value": _p_value(a, b, paired),
        "kolmogorov_smirnov": smirnov,
        "wasserstein": wasserstein,
    }


def _p_value(a: NDArray[np.float64], b: NDArray[np.float64], paired: bool) -> float:
    from scipy.stats import mannwhitneyu, wilcoxon

    if not a.size or not b.size:
        return np.nan
    if paired:
        return float(wilcoxon(b, a).pvalue) if (a != b).any() else 1.0
    # The tests divide by the spread of the ranks, which is none where all values are one.
    if (a == a[0]).all() and (b == a[0]).all():
        return 1.0
    return float(mannwhitneyu(b, a).pvalue)


def _distances(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    from scipy.stats import wasserstein_distance

    if not a.size or not b.size:
        return np.nan, np.nan
    points = np.concatenate((a, b))
    below = [np.searchsorted(np.sort(each), points, side="right") / each.size for each in (a, b)]
    return float(np.abs(below[0] - below[1]).max()), float(wasserstein_distance(a, b))
