"""Families of distributions that are fitted to firing rates: log-normal, gamma, exponential."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, gammainc, gammaln, ndtr, xlogy, zeta

Rates = NDArray[np.float64]
_ROOT = np.sqrt(2 * np.pi)


class Family(NamedTuple):
    """A family with a scale and at most one shape; the location is 0.

    `label`, `scipy_name`: its name in legends, and in `scipy.stats`, where it has the same
        parameters.
    `parameters`: the number of fitted parameters.
    `estimate`: the shape, NaN without one, and the scale of maximum likelihood.
    `log_density`, `distribution`: the logarithm of the probability density and the cumulative
        distribution at scale 1, of rates and a shape.
    """

    label: str
    scipy_name: str
    parameters: int
    estimate: Callable[[Rates], tuple[float, float]]
    log_density: Callable[[Rates, float], Rates]
    distribution: Callable[[Rates, float], Rates]

    def fit(self, rates: Rates) -> Fit:
        """Fit positive rates, at least two of which differ."""
        return Fit(self, *self.estimate(rates))


class Fit(NamedTuple):
    """A member of a family; its shape is NaN where there is none."""

    family: Family
    shape: float
    scale: float

    def log_density(self, rates: Rates) -> Rates:
        """Return the logarithm of the probability density."""
        return self.family.log_density(rates / self.scale, self.shape) - math.log(self.scale)

    def distribution(self, rates: Rates) -> Rates:
        """Return the cumulative distribution."""
        return self.family.distribution(rates / self.scale, self.shape)

    def distance(self, rates: Rates) -> float:
        """Return the Kolmogorov-Smirnov statistic of a sample."""
        below = self.distribution(np.sort(rates))
        steps = np.arange(rates.size + 1) / rates.size
        return float(max((steps[1:] - below).max(), (below - steps[:-1]).max()))


def _lognormal(rates: Rates) -> tuple[float, float]:
    """Return the standard deviation of ln(rate), and the median."""
    logarithm = np.log(rates)
    scale = np.exp(logarithm.mean())
    return float(np.sqrt(np.mean((logarithm - np.log(scale)) ** 2))), float(scale)


def _gamma(rates: Rates) -> tuple[float, float]:
    """Return the order, and the mean over the order.

    Newton's iteration in 1 / order (Minka 2002, Estimating a gamma distribution) converges to the
    last digits in a few steps.
    """
    spread = np.log(rates.mean()) - np.log(rates).mean()
    order = (3 - spread + np.sqrt((spread - 3) ** 2 + 24 * spread)) / (12 * spread)
    for _ in range(20):
        before = order
        error = np.log(order) - digamma(order) - spread
        # The derivative of the digamma function is a Hurwitz zeta function.
        order = 1 / (1 / order + error / (order**2 * (1 / order - zeta(2, order))))
        if abs(order - before) <= 1e-15 * order:
            break
    return float(order), float(rates.mean() / order)


#: The families by their names in datasets.
FAMILIES: dict[str, Family] = {
    "lognormal": Family(
        "log-normal", "lognorm", 2, _lognormal,
        lambda x, shape: -(np.log(x) ** 2) / (2 * shape**2) - np.log(shape * x * _ROOT),
        lambda x, shape: np.asarray(ndtr(np.log(x) / shape), np.float64),
    ),
    "gamma": Family(
        "gamma", "gamma", 2, _gamma,
        lambda x, shape: xlogy(shape - 1, x) - x - gammaln(shape),
        lambda x, shape: np.asarray(gammainc(shape, x), np.float64),
    ),
    "exponential": Family(
        "exponential", "expon", 1, lambda rates: (math.nan, float(rates.mean())),
        lambda x, _: -x, lambda x, _: np.asarray(-np.expm1(-x)),
    ),
}  # fmt: skip
