"""Fields on a ring, NK landscapes and functions of Genz against closed forms."""

from __future__ import annotations

import itertools
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from bioae.datasets import Data
from experiments.synthetic import genz, nk_landscape, ring_fields
from experiments.synthetic.fields import erf_covariance, ring_covariance
from experiments.synthetic.nk import NKLandscape


def measured(fields: Data, label: int) -> tuple[np.ndarray[Any, Any], int]:
    """Return the covariance of a class with the place 0, over all examples and rotations."""
    assert fields.labels is not None
    values = fields.as_float()[fields.labels == label, 0]
    length = values.shape[1]
    lags = [(values * np.roll(values, -lag, axis=1)).mean() for lag in range(length)]
    return np.array(lags), len(values)


def test_the_covariance_is_that_of_a_squared_exponential() -> None:
    found = ring_covariance(40, 4.0)
    distance = np.minimum(np.arange(40), 40 - np.arange(40))
    np.testing.assert_allclose(found, np.exp(-((distance / 4) ** 2)), atol=1e-12)
    long = ring_covariance(40, 20.0)  # as it stands, it would have negative eigenvalues
    exact = np.fft.fft(np.exp(-((distance / 20) ** 2))).real
    assert exact.min() < -1e-3
    assert np.fft.fft(long).real.min() > -1e-12
    assert long[0] == pytest.approx(1.0)
    assert abs(long - np.exp(-((distance / 20) ** 2))).max() < 0.1
    magnitude = ring_covariance(40, 20.0, negative="magnitude")
    assert magnitude[0] == pytest.approx(1.0)
    powers = np.fft.fft(magnitude).real
    np.testing.assert_allclose(powers / powers[0], abs(exact) / exact[0], atol=1e-12)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("gain", [0.3, 3.0])
def test_both_kinds_of_fields_have_the_same_covariance(gain: float, gaussian: bool) -> None:
    """The law of the arcsine (Williams 1998); a mean over rotations has little noise."""
    fields = ring_fields(8000, gain=gain, gaussian=gaussian, seed=1)
    assert fields.values.shape == (8000, 1, 40)
    for label, scale in enumerate((4.0, 20.0)):
        lags, count = measured(fields, label)
        assert count == 4000
        expected = erf_covariance(ring_covariance(40, scale), gain)
        assert expected[0] == pytest.approx(1.0)
        # At most one independent value of variance 2 per field.
        np.testing.assert_allclose(lags, expected, atol=5 * math.sqrt(2 / count))


def test_values_of_a_plane_wave_whose_coefficients_have_the_sum_4() -> None:
    """``cos(2 pi u + a x)`` is a linear function of the cosine and the sine of ``a x``."""
    drawn = genz(60, inputs=2, seed=2)
    points = drawn.values[:, 0, 0]
    assert drawn.targets is not None

    def wave(first: float) -> tuple[NDArray[np.float64], float]:
        phases = points @ [first, 4.0 - first]
        terms = np.column_stack([np.cos(phases), np.sin(phases)])
        fitted, (error,), *_ = np.linalg.lstsq(terms, drawn.targets[:, 0])
        return fitted, float(error)

    near = min(np.linspace(0.1, 3.9, 381), key=lambda first: wave(first)[1])
    bounds = (near - 0.01, near + 0.01)
    found = minimize_scalar(lambda first: wave(first)[1], bounds=bounds, method="bounded")
    factors, error = wave(found.x)
    assert error < 1e-9
    assert np.hypot(*factors) == pytest.approx(1.0, abs=1e-5)


@cache
def genotypes(loci: int) -> NDArray[np.int64]:
    """Return all genotypes, in the order of the binary numbers whose lowest digit comes first."""
    return np.arange(2**loci)[:, None] >> np.arange(loci) & 1


def by_loops(landscape: NKLandscape, genotype: tuple[int, ...]) -> float:
    total = 0.0
    for locus, table in enumerate(landscape.tables):
        index = 0
        for place, other in enumerate(landscape.neighbours[locus]):
            index += genotype[other] * 2**place
        total += table[index]
    return total / len(genotype)


@pytest.mark.parametrize(("loci", "epistasis"), [(1, 0), (6, 0), (6, 2), (6, 5), (8, 3)])
def test_fitness_is_that_of_a_loop(loci: int, epistasis: int) -> None:
    landscape = nk_landscape(loci, epistasis, seed=3)
    every = list(itertools.product((0, 1), repeat=loci))
    expected = [by_loops(landscape, genotype) for genotype in every]
    np.testing.assert_allclose(landscape.fitness(every), expected, rtol=1e-14)
    assert len(set(expected)) == 2**loci


@pytest.mark.medium
@pytest.mark.parametrize("epistasis", [0, 2, 5, 7])
def test_moments_and_correlation_of_mutants(epistasis: int) -> None:
    """Weinberger (1990): correlation 1 - (K + 1)/N, mean 1/2 and variance 1/(12 N)."""
    loci, landscapes = 8, 1500
    drawn = (nk_landscape(loci, epistasis, seed=seed) for seed in range(landscapes))
    fitness = np.stack([each.fitness(genotypes(loci)) for each in drawn])
    variance = 1 / (12 * loci)
    assert fitness.mean() == pytest.approx(0.5, abs=4 * np.sqrt(variance / landscapes))
    assert np.mean((fitness - 0.5) ** 2) == pytest.approx(variance, rel=0.1)
    mutants = np.arange(2**loci)[:, None] ^ (1 << np.arange(loci))  # in one locus each
    products = (fitness[:, :, None] - 0.5) * (fitness[:, mutants] - 0.5)
    assert products.mean() / variance == pytest.approx(1 - (epistasis + 1) / loci, abs=0.05)


def test_a_sample_has_different_genotypes_and_their_fitness() -> None:
    landscape = nk_landscape(6, 2, seed=2)
    drawn = landscape.sample(64)
    assert (drawn.name, drawn.as_float().shape) == ("nk-6-2-2", (64, 1, 6))
    alleles = (drawn.as_float()[:, 0] + 1) / 2
    assert len(np.unique(alleles, axis=0)) == 64
    assert drawn.targets is not None
    np.testing.assert_array_equal(drawn.targets[:, 0], landscape.fitness(alleles))
    share = nk_landscape(20, 2, seed=2).sample(5000).as_float().mean(axis=(0, 1))
    assert np.abs(share).max() < 4 / np.sqrt(5000)  # both alleles are equally frequent
