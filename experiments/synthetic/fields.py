"""Random fields on a ring: non-linear Gaussian processes and Gaussian ones of the same covariance.

A field has one value at each place of a ring. The Gaussian field z has the covariance
exp(-(d / xi)^2) at the distance d along the ring, for the length scale xi; the non-linear field is
erf(g z / sqrt 2) / sqrt(gamma) with the gain g and gamma = 2/pi asin(g^2 / (1 + g^2)), so that its
variance is 1. Large gains give sharp edges, and a distribution that is far from Gaussian.

References
----------
A. Ingrosso, S. Goldt, "Data-driven emergence of convolutional structure in neural networks" (2022),
PNAS 119, e2201854119, arXiv:2202.00565. The covariance of the erf of a Gaussian: C. K. I. Williams,
"Computation with infinite neural networks" (1998), Neural Computation 10, 1203.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.data import Data, Split
from bioae.random import named_stream

Numbers = NDArray[np.float64]
Negative = Literal["zero", "magnitude"]


def ring_covariance(length: int, scale: float, *, negative: Negative = "zero") -> Numbers:
    """Return the covariance exp(-(d / scale)^2) of a Gaussian field on a ring, of variance 1.

    Where the scale is not small compared with the ring, this function of d is no covariance: it
    has negative eigenvalues. They are replaced, and all are divided by their mean.

    `length`, `scale`: the number of places, and the length scale xi in places.
    `negative`: the replacement of negative eigenvalues: ``"zero"``, which gives the nearest
        covariance; or their ``"magnitude"``, as by a singular value decomposition, which leaves
        some power at all small scales.
    """
    places = np.arange(length)
    distance = np.minimum(places, length - places)
    with np.errstate(over="ignore"):  # to infinity, of which the exponential is 0
        powers = np.fft.fft(np.exp(-((distance / scale) ** 2))).real
    powers = powers.clip(min=0.0) if negative == "zero" else abs(powers)
    covariance: Numbers = np.fft.ifft(powers / powers.mean()).real
    return covariance


def erf_covariance(covariance: ArrayLike, gain: float) -> Numbers:
    """Return the covariance of erf(g z / sqrt 2) / sqrt(gamma), of variance 1, from that of z."""
    share = gain**2 / (1.0 + gain**2)
    return np.asarray(
        np.arcsin(np.clip(share * np.asarray(covariance), -1.0, 1.0)) / np.arcsin(share)
    )


def ring_fields(
    examples: int,
    *,
    length: int = 40,
    scales: Sequence[float] = (0.1, 0.5),
    gain: float = 3.0,
    gaussian: bool = False,
    negative: Negative = "zero",
    split: Split = "train",
    seed: int = 0,
) -> Data:
    """Draw non-linear Gaussian fields on a ring, or Gaussian ones of the same covariance.

    `examples`: the number of fields; the classes have equal numbers of them, up to one, in random
        order.
    `length`, `scales`: the number of places on the ring, and the length scale of each class
        relative to it.
    `gain`, `gaussian`: the gain g; whether fields are Gaussian, with the covariance of the
        non-linear ones.
    `negative`: as for `ring_covariance`.
    `split`, `seed`: the two splits of a seed are independent.

    Returns signals with one point in time, (example, 1, place), and the class of each as its label.
    """
    covariances = [ring_covariance(length, scale * length, negative=negative) for scale in scales]
    generator = named_stream(seed, "ring_fields", split)
    labels = generator.permutation(np.arange(examples) % len(covariances))
    values = np.empty((examples, 1, length))
    for label, covariance in enumerate(covariances):
        chosen = labels == label
        count = int(chosen.sum())
        if gaussian:
            values[chosen, 0] = _gaussian(erf_covariance(covariance, gain), count, generator)
        else:
            values[chosen, 0] = _bent(_gaussian(covariance, count, generator), gain)
    return Data.of_signals(values, labels=labels, name="ring_fields", split=split)


def _gaussian(covariance: Numbers, examples: int, generator: Generator) -> Numbers:
    """Draw Gaussian fields (example, place) whose covariance is that of a ring (place)."""
    roots = np.sqrt(np.fft.rfft(covariance).real.clip(min=0.0))
    white = np.fft.rfft(generator.normal(size=(examples, len(covariance))))
    fields: Numbers = np.fft.irfft(roots * white, len(covariance))
    return fields


def _bent(fields: Numbers, gain: float) -> Numbers:
    from scipy.special import erf

    gamma = 2.0 / np.pi * np.arcsin(gain**2 / (1.0 + gain**2))
    return np.asarray(erf(gain * fields / np.sqrt(2.0)) / np.sqrt(gamma))
