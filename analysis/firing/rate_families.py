"""Families of distributions that are fitted to firing rates: log-normal, gamma, exponential.

The location is 0. `scipy.stats` has all of this too, and the tests compare with it; loading it
takes as long as measuring a small result.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "Family", "Fit"]

Rates = NDArray[np.float64]


class Family(ABC):
    """A family with a scale and at most one shape.

    Attributes
    ----------
    label
        Its name in legends.
    scipy_name
        Its name in `scipy.stats`, where it has the same parameters.
    parameters
        The number of fitted parameters.
    """

    label: str
    scipy_name: str
    parameters: int = 2

    @abstractmethod
    def estimate(self, rates: Rates) -> tuple[float, float]:
        """Return the shape, NaN without one, and the scale of maximum likelihood."""

    @abstractmethod
    def log_density(self, x: Rates, shape: float) -> Rates:
        """Return the logarithm of the probability density at scale 1."""

    @abstractmethod
    def distribution(self, x: Rates, shape: float) -> Rates:
        """Return the cumulative distribution at scale 1."""

    def fit(self, rates: Rates) -> Fit:
        """Fit positive rates, at least two of which differ."""
        return Fit(self, *self.estimate(rates))


class Fit:
    """A member of a family.

    Parameters
    ----------
    family, shape, scale
        The family and its parameters; the shape is NaN where there is none.
    """

    def __init__(self, family: Family, shape: float, scale: float) -> None:
        self.family, self.shape, self.scale = family, shape, scale

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


class _LogNormal(Family):
    """The shape is the standard deviation of ln(rate), the scale the median."""

    label, scipy_name = "log-normal", "lognorm"

    def estimate(self, rates: Rates) -> tuple[float, float]:
        logarithm = np.log(rates)
        scale = np.exp(logarithm.mean())
        return float(np.sqrt(np.mean((logarithm - np.log(scale)) ** 2))), float(scale)

    def log_density(self, x: Rates, shape: float) -> Rates:
        return np.asarray(
            -(np.log(x) ** 2) / (2 * shape**2) - np.log(shape * x * np.sqrt(2 * np.pi))
        )

    def distribution(self, x: Rates, shape: float) -> Rates:
        from scipy.special import ndtr

        return np.asarray(ndtr(np.log(x) / shape))


class _Gamma(Family):
    """The shape is the order, the scale the mean over the order.

    References
    ----------
    Minka (2002), Estimating a gamma distribution: a Newton iteration in 1 / order, which converges
    to the last digits in a few steps.
    """

    label, scipy_name = "gamma", "gamma"

    def estimate(self, rates: Rates) -> tuple[float, float]:
        from scipy.special import digamma, zeta

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

    def log_density(self, x: Rates, shape: float) -> Rates:
        from scipy.special import gammaln, xlogy

        return np.asarray(xlogy(shape - 1, x) - x - gammaln(shape))

    def distribution(self, x: Rates, shape: float) -> Rates:
        from scipy.special import gammainc

        return np.asarray(gammainc(shape, x))


class _Exponential(Family):
    """The scale is the mean."""

    label, scipy_name, parameters = "exponential", "expon", 1

    def estimate(self, rates: Rates) -> tuple[float, float]:
        return float("nan"), float(rates.mean())

    def log_density(self, x: Rates, shape: float) -> Rates:
        return -x

    def distribution(self, x: Rates, shape: float) -> Rates:
        return -np.expm1(-x)


#: The families by their names in datasets.
FAMILIES: dict[str, Family] = {
    "lognormal": _LogNormal(),
    "gamma": _Gamma(),
    "exponential": _Exponential(),
}
