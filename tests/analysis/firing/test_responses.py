"""Variability, sparseness and latency of responses, against elephant, SciPy and known codes."""

from __future__ import annotations

from typing import get_args

import elephant.statistics
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasters import NEARLY, Raster, make, properties, rasters

from bioae.analysis import first_spike_latency, layer_statistics, neuron_statistics
from bioae.analysis.firing.sparseness import (
    SparsenessMeasure,
    lifetime_sparseness,
    population_sparseness,
)
from bioae.analysis.firing.variability import dispersion, fano_factor


def fano_of(counts: NDArray[np.int64]) -> float:
    """Return elephant's Fano factor of one neuron's counts, with the unbiased variance."""
    trials = [np.arange(count) for count in counts]
    # Elephant divides the variance by n.
    return float(elephant.statistics.fanofactor(trials)) * len(counts) / (len(counts) - 1)


@properties(rasters((2, 6), (1, 8), (1, 4)), width=(st.integers(1, 8), 2))
def test_the_fano_factor_equals_that_of_elephant(raster: Raster, width: int) -> None:
    tree = make(raster)
    whole = fano_factor(tree, "latent")
    assert whole.dims == ("neuron",)
    expected = [fano_of(counts) for counts in raster.sum(1).T]
    np.testing.assert_allclose(whole, expected, rtol=1e-9, atol=1e-9)

    width = min(width, raster.shape[1])
    windows = raster.shape[1] // width
    found = fano_factor(tree, "latent", window_ms=width * 0.5)
    assert found.dims == ("neuron", "window")
    assert list(found["window"]) == [0.5 * width * n for n in range(windows)]
    for window in range(windows):
        part = raster[:, window * width : (window + 1) * width].sum(1)
        expected = [fano_of(counts) for counts in part.T]
        np.testing.assert_allclose(found[:, window], expected, rtol=1e-9, atol=1e-9)


@given(raster=rasters((2, 6), (1, 8), (1, 4)), data=st.data())
def test_dispersion_splits_the_variance_by_class(raster: Raster, data: st.DataObject) -> None:
    examples = len(raster)
    label = np.array(data.draw(st.lists(st.integers(0, 3), min_size=examples, max_size=examples)))
    found = dispersion(make(raster, label=label), "latent")
    np.testing.assert_array_equal(found["total"], fano_factor(make(raster), "latent"))
    counts = raster.sum(1).astype(float)
    classes = np.unique(label)
    means = np.array([counts[label == name].mean(0) for name in classes])
    inside = ((counts - means[np.searchsorted(classes, label)]) ** 2).sum(0)
    around = ((counts - counts.mean(0)) ** 2).sum(0)
    # For Poisson counts the expected sum of squares of a class is (n - 1) times its mean.
    poisson = sum((np.sum(label == c) - 1) * m for c, m in zip(classes, means, strict=True))
    for neuron, expected in enumerate(poisson):
        within, explained = (float(found[name][neuron]) for name in ("within", "explained"))
        assert np.isnan(within) == (expected == 0)
        if expected:
            assert within == pytest.approx(inside[neuron] / expected, abs=1e-12)
        assert np.isnan(explained) == bool((counts[:, neuron] == counts[0, neuron]).all())
        if not np.isnan(explained):
            assert explained == pytest.approx(1 - inside[neuron] / around[neuron], abs=1e-12)


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
@pytest.mark.parametrize("measure", get_args(SparsenessMeasure))
@properties(rasters((2, 6), (1, 6), (2, 6)), NEARLY)
def test_sparseness_follows_the_formula(measure: SparsenessMeasure, raster: Raster) -> None:
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


@pytest.mark.parametrize("measure", ["treves_rolls", "hoyer", "kurtosis"])
def test_the_population_may_be_the_neurons_that_are_alive(measure: SparsenessMeasure) -> None:
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


def test_latency_is_the_median_time_of_first_spikes() -> None:
    raster = np.random.default_rng(0).random((9, 12, 30)) < np.linspace(0, 0.3, 30)
    found = first_spike_latency(make(raster), "latent")
    expected = np.full(30, np.nan)
    for neuron in range(30):
        responses = [train.argmax() for train in raster[:, :, neuron] if train.any()]
        if responses:
            expected[neuron] = np.median(responses) * 0.5
    assert np.isnan(expected[0])
    assert np.isfinite(expected).sum() > 20
    np.testing.assert_array_equal(found, expected)
    assert found.attrs["units"] == "ms"


def test_the_latency_of_a_layer_is_the_median_over_neurons() -> None:
    raster = np.zeros((2, 8, 4), bool)
    raster[:, [1, 3, 6], [0, 1, 2]] = True
    tree = make(raster)
    np.testing.assert_array_equal(
        neuron_statistics(tree, "latent")["first_spike_latency"], [0.5, 1.5, 3.0, np.nan]
    )
    assert float(layer_statistics(tree, "latent")["latency_ms_median"]) == 1.5
    silent = layer_statistics(make(np.zeros((2, 8, 4), bool)), "latent")["latency_ms_median"]
    assert np.isnan(silent)
    assert silent.attrs["undefined"] == "no neuron spikes"
