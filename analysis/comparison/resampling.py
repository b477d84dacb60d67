"""Confidence intervals by drawing neurons anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_difference_interval"]

_AT_ONCE = 4_000_000


def mean_difference_interval(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    *,
    paired: bool,
    level: float = 0.95,
    resamples: int = 2000,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of mean(b) - mean(a).

    Neurons are drawn with replacement, in pairs where samples are paired. NaN where a sample is
    empty; a single neuron has an interval of no width, which says nothing. Efron & Tibshirani
    (1993), An Introduction to the Bootstrap, chapter 13.

    Parameters
    ----------
    a, b
        (neuron,) Finite; of the same length if `paired`.
    level
        The coverage, between 0 and 1.
    """
    if not a.size or not b.size:
        return np.nan, np.nan
    if paired:
        means = _means(b - a, resamples, rng)
    else:
        means = _means(b, resamples, rng) - _means(a, resamples, rng)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _means(
    values: NDArray[np.float64], resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the means of samples drawn from `values`, (resample,)."""
    if (values == values[0]).all():  # no rounding where there is nothing to average
        return np.full(resamples, values[0])
    means = np.empty(resamples)
    chunk = max(1, _AT_ONCE // values.size)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        drawn = rng.integers(values.size, size=(size, values.size))
        means[start : start + size] = values[drawn].mean(1)
    return means
