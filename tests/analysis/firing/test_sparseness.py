"""Sparseness against SciPy, formulas on dense counts, and codes of known sparseness."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bioae.analysis.firing.sparseness import (
    SparsenessMeasure,
    lifetime_sparseness,
    population_sparseness,
)

Make = Callable[..., xr.DataTree]
Raster = NDArray[np.bool_]

MEASURES: tuple[SparsenessMeasure, ...] = get_args(SparsenessMeasure)
# (example, step, neuron)
RASTERS = arrays(bool, st.tuples(st.integers(2, 6), st.integers(1, 6), st.integers(2, 6)))
SINGLE = np.zeros((3, 4, 2), bool)
SINGLE[1, 2, 0] = True
NEARLY = np.ones((200, 30, 2), bool)
NEARLY[7, 3, 1] = False


def formula(measure: str, response: NDArray[np.float64]) -> float:
    """Compute a measure of one vector by the formula of its paper."""
    n = response.size
    if measure == "kurtosis":
        constant = (response == response[0]).all()
        return float("nan") if constant else float(scipy.stats.kurtosis(response))
    if not response.any():
        return float("nan")
    if measure == "hoyer":
        norms = np.abs(response).sum() / np.linalg.norm(response)
        return float((np.sqrt(n) - norms) / (np.sqrt(n) - 1))
    a = response.mean() ** 2 / (response**2).mean()
    return float((1 - a) / (1 - 1 / n))


@pytest.mark.medium
@pytest.mark.parametrize("measure", MEASURES)
@given(raster=RASTERS)
@example(raster=np.zeros((2, 5, 2), bool))
@example(raster=np.ones((3, 5, 2), bool))
@example(raster=SINGLE)
@example(raster=NEARLY)
def test_sparseness_of_neurons_and_examples_follows_the_formula(
    make: Make, measure: SparsenessMeasure, raster: Raster
) -> None:
    tree = make(raster)
    counts = raster.sum(1).astype(float)
    life = lifetime_sparseness(tree, "latent", measure=measure)
    assert life.dims == ("neuron",)
    expected = [formula(measure, response) for response in counts.T]
    np.testing.assert_allclose(life, expected, rtol=1e-9, atol=1e-9)
    population = population_sparseness(tree, "latent", measure=measure)
    assert population.dims == ("example",)
    expected = [formula(measure, response) for response in counts]
    np.testing.assert_allclose(population, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("measure", ["treves_rolls", "hoyer"])
def test_equal_responses_are_0_and_a_single_one_is_1(
    make: Make, measure: SparsenessMeasure
) -> None:
    dense = make(np.ones((5, 4, 3), bool))
    single = np.zeros((5, 4, 3), bool)
    single[2, :3, 1] = True
    one = make(single)
    assert lifetime_sparseness(dense, "latent", measure=measure).to_numpy() == pytest.approx(0)
    assert population_sparseness(dense, "latent", measure=measure).to_numpy() == pytest.approx(0)
    assert float(lifetime_sparseness(one, "latent", measure=measure)[1]) == pytest.approx(1)
    assert float(population_sparseness(one, "latent", measure=measure)[2]) == pytest.approx(1)


def test_counts_of_a_known_distribution_have_its_sparseness(make: Make) -> None:
    rng = np.random.default_rng(12)
    rate = 0.2
    tree = make(rng.random((4000, 50, 2)) < rate)
    life = lifetime_sparseness(tree, "latent")
    # Binomial counts: a = (n p)² / (n p (1 - p) + (n p)²).
    expected = 1 - (50 * rate) ** 2 / (50 * rate * (1 - rate) + (50 * rate) ** 2)
    np.testing.assert_allclose(life, expected, rtol=0.08)
    kurtosis = lifetime_sparseness(tree, "latent", measure="kurtosis")
    expected = (1 - 6 * rate * (1 - rate)) / (50 * rate * (1 - rate))
    assert kurtosis.to_numpy() == pytest.approx(expected, abs=0.25)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_scale_of_the_responses_does_not_matter(make: Make, measure: SparsenessMeasure) -> None:
    raster = np.random.default_rng(13).random((6, 5, 4)) < 0.4
    once, thrice = make(raster), make(np.repeat(raster, 3, axis=1))
    for sparseness in (lifetime_sparseness, population_sparseness):
        one, three = (sparseness(tree, "latent", measure=measure) for tree in (once, thrice))
        np.testing.assert_allclose(one, three)


@pytest.mark.parametrize("measure", ["treves_rolls", "hoyer", "kurtosis"])
def test_the_population_may_be_the_neurons_that_are_alive(
    make: Make, measure: SparsenessMeasure
) -> None:
    raster = np.random.default_rng(8).random((6, 12, 5)) < 0.3
    among_dead = np.concatenate([raster, np.zeros((6, 12, 4), bool)], axis=2)
    assert raster.any((0, 1)).all()
    found = population_sparseness(make(among_dead), "latent", measure=measure, of="alive")
    expected = population_sparseness(make(raster), "latent", measure=measure)
    np.testing.assert_allclose(found, expected)
    everyone = population_sparseness(make(among_dead), "latent", measure=measure)
    if measure != "kurtosis":
        assert (everyone > expected).all()
    one = make(among_dead[:, :, 4:])
    assert np.isnan(population_sparseness(one, "latent", measure=measure, of="alive")).all()
