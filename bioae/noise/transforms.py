"""Uniform and normal numbers from random words, in arithmetic that IEEE 754 fixes to the bit.

A standard normal number is the inverse of the normal distribution function, in the rational
approximations of Wichura 1988 ("Algorithm AS 241: The percentage points of the normal
distribution", Applied Statistics 37, routine PPND16). The logarithm in its tails is computed here
too: additions, multiplications, divisions and square roots are the same everywhere, but the
logarithms of libraries are not. `templates/noise.h` does the same in C++, with these tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

#: Numerators and denominators in the order of rising powers, with the names of AS 241; L is
#: the series atanh(s) / s = 1 + s^2/3 + s^4/5 + ...
COEFFICIENTS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "A": (
            3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
            1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
            3.3430575583588128105e4, 2.5090809287301226727e3,
        ),
        "B": (
            1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
            2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
            5.2264952788528545610e3,
        ),
        "C": (
            1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
            3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
            2.27238449892691845833e-2, 7.74545014278341407640e-4,
        ),
        "D": (
            1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
            1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
            1.05075007164441684324e-9,
        ),
        "E": (
            6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
            2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
            2.71155556874348757815e-5, 2.01033439929228813265e-7,
        ),
        "F": (
            1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1,
            1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
            1.42151175831644588870e-7, 2.04426310338993978564e-15,
        ),
        "L": tuple(1.0 / n for n in range(1, 25, 2)),
    }
)  # fmt: skip

SQRT_HALF = 0.7071067811865476
# ln 2 as the sum of two numbers; the first has so few bits that its multiples are exact.
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


def uniform(words: NDArray[np.uint64]) -> Floats:
    """Return the words' upper 53 bits as numbers in [0, 1): multiples of 2^-53."""
    numbers: Floats = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers


def normal(words: NDArray[np.uint64]) -> Floats:
    """Return standard normal numbers: the quantiles of (k + 1/2) 2^-53, k the upper 53 bits.

    The relative error is a few units in the last place; the largest number is 8.3.
    """
    # As distances from 1/2, on either side, these probabilities are exact.
    centred = (words >> np.uint64(11)).astype(np.int64) - np.int64(2**52)
    q = (centred.astype(np.float64) + 0.5) * 2.0**-53
    numbers: Floats = q * _ratio("A", "B", 0.180625 - q * q)
    tail = np.abs(q) > 0.425
    numbers[tail] = np.copysign(_tail(0.5 - np.abs(q[tail])), q[tail])
    return numbers


def _tail(p: Floats) -> Floats:
    """Return the quantile of 1 - p, for p below 0.075."""
    r = np.sqrt(-_log(p))
    return np.where(r <= 5.0, _ratio("C", "D", r - 1.6), _ratio("E", "F", r - 5.0))


def _log(x: Floats) -> Floats:
    mantissa, exponent = np.frexp(x)
    small = mantissa < SQRT_HALF
    mantissa = np.where(small, 2.0 * mantissa, mantissa)
    power = (exponent - small).astype(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    log: Floats = power * LN2_HIGH + (2.0 * s * _horner(COEFFICIENTS["L"], s * s) + power * LN2_LOW)
    return log


def _ratio(above: str, below: str, x: Floats) -> Floats:
    ratio: Floats = _horner(COEFFICIENTS[above], x) / _horner(COEFFICIENTS[below], x)
    return ratio


def _horner(coefficients: Sequence[float], x: Floats) -> Floats:
    value = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value
