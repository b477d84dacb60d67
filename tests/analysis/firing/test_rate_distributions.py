"""Fits and moments of rates, and rates over time and by class, against scipy and elephant."""

from __future__ import annotations

from collections.abc import Callable

import neo
import numpy as np
import pytest
import quantities as pq
import xarray as xr
from elephant.kernels import GaussianKernel
from elephant.statistics import instantaneous_rate, time_histogram
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats
from scipy.special import digamma

from bioae.analysis.coding.class_responses import rates_by_class
from bioae.analysis.firing.rate_distributions import fit_rates, rate_statistics
from bioae.analysis.firing.rate_families import FAMILIES
from bioae.analysis.firing.rates import firing_rate, population_rate

# Elephant's construction of quantities.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

Make = Callable[..., xr.DataTree]
DT_S = 0.5e-3


# (example, step, neuron)
RASTERS = arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 7)))
modest = settings(max_examples=40)


@modest
@given(raster=RASTERS)
def test_fits_equal_those_of_scipy(make: Make, raster: NDArray[np.bool_]) -> None:
    tree = make(raster)
    found = fit_rates(tree, "latent")
    rates = firing_rate(tree, "latent").to_numpy()
    rates = rates[rates > 0]
    assert int(found["neurons"]) == rates.size
    assert "p_value" not in found
    if rates.size < 3 or np.unique(rates.round(6)).size == 1:
        assert all(np.isnan(found[name]).all() for name in found if name != "neurons")
        return
    for name, family in FAMILIES.items():
        distribution = getattr(stats, family.scipy_name)
        *shape, _, scale = distribution.fit(rates, floc=0)
        expected = distribution(*shape, 0, scale)
        likelihood = expected.logpdf(rates).sum()
        own = {key: float(value) for key, value in found.sel(distribution=name).items()}
        assert own["shape"] == pytest.approx(*(shape or [np.nan]), rel=1e-9, nan_ok=True)
        assert own["scale"] == pytest.approx(scale, rel=1e-9)
        assert own["log_likelihood"] == pytest.approx(likelihood, rel=1e-9)
        assert own["aic"] == pytest.approx(2 * len([*shape, scale]) - 2 * likelihood, rel=1e-9)
        distance = stats.kstest(rates, expected.cdf).statistic
        assert own["ks_statistic"] == pytest.approx(distance, rel=1e-9)


@given(order=st.floats(0.02, 1e4), mean=st.floats(1e-3, 1e3), seed=st.integers(0, 2**32 - 1))
def test_the_order_of_a_gamma_distribution_maximises_its_likelihood(
    order: float, mean: float, seed: int
) -> None:
    rates = np.random.default_rng(seed).gamma(order, mean / order, 50)
    rates = np.maximum(rates, 1e-200)
    fit = FAMILIES["gamma"].fit(rates)
    # The derivative of the likelihood with respect to the order, per neuron.
    slope = np.log(rates / fit.scale).mean() - digamma(fit.shape)
    assert abs(slope) < 1e-9
    assert fit.shape * fit.scale == pytest.approx(rates.mean(), rel=1e-12)


@modest
@given(raster=RASTERS, of=st.sampled_from(["all", "alive"]))
def test_moments_equal_those_of_scipy(make: Make, raster: NDArray[np.bool_], of: str) -> None:
    tree = make(raster)
    found = rate_statistics(tree, "latent", of=of)  # type: ignore[arg-type]
    rates = firing_rate(tree, "latent").to_numpy()
    alive = rates[rates > 0]
    rates = alive if of == "alive" else rates
    assert int(found["neurons"]) == rates.size
    if not rates.size:
        assert all(np.isnan(found[name]) for name in found if name != "neurons")
        return
    assert float(found["mean"]) == pytest.approx(rates.mean())
    assert np.isnan(found["standard_deviation"]) == (rates.size < 2)
    if rates.any():
        pairs = np.abs(rates[:, None] - rates).mean()
        assert float(found["gini"]) == pytest.approx(pairs / (2 * rates.mean()), abs=1e-9)
    else:
        assert np.isnan(found["gini"])
    for name, values in (("skewness", rates), ("log_skewness", np.log(alive))):
        if values.size < 3 or np.unique(values.round(9)).size == 1:
            assert np.isnan(found[name])
        else:
            assert float(found[name]) == pytest.approx(stats.skew(values), abs=1e-9)


def test_a_single_active_neuron_has_the_largest_gini_coefficient(make: Make) -> None:
    raster = np.zeros((2, 4, 8), bool)
    raster[:, :, 5] = True
    assert float(rate_statistics(make(raster), "latent", of="all")["gini"]) == pytest.approx(7 / 8)
    assert float(rate_statistics(make(raster), "latent")["gini"]) == 0


@modest
@given(raster=RASTERS)
def test_the_population_rate_equals_the_time_histogram_of_elephant(
    make: Make, raster: NDArray[np.bool_]
) -> None:
    examples, total, neurons = raster.shape
    found = population_rate(make(raster), "latent")
    assert found.dims == ("time",)
    trains = [
        # In the middle of a step, so that no bin's edge is hit.
        neo.SpikeTrain((np.flatnonzero(row) + 0.5) * 0.5, units="ms", t_stop=total * 0.5)
        for row in raster.transpose(0, 2, 1).reshape(examples * neurons, total)
    ]
    expected = time_histogram(trains, 0.5 * pq.ms, output="rate").rescale("Hz").magnitude.ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.mean(), raster.mean() / DT_S, rtol=1e-9)


def test_the_smoothed_rate_equals_that_of_elephant_far_from_the_edges(make: Make) -> None:
    raster = np.random.default_rng(0).random((1, 200, 1)) < 0.2
    found = population_rate(make(raster), "latent", sigma_ms=3.0).to_numpy()
    train = neo.SpikeTrain(np.flatnonzero(raster[0, :, 0]) * 0.5, units="ms", t_stop=100)
    kernel = GaussianKernel(3.0 * pq.ms)
    rate = instantaneous_rate(train, 0.5 * pq.ms, kernel=kernel).magnitude.ravel()
    np.testing.assert_allclose(found[40:-40], rate[40:-40], rtol=1e-4)
    assert rate[40:-40].std() > 1


def test_smoothing_keeps_a_constant_rate_constant(make: Make) -> None:
    found = population_rate(make(np.ones((2, 30, 3), bool)), "latent", sigma_ms=2.0)
    np.testing.assert_allclose(found, 1 / DT_S, rtol=1e-12)


@modest
@given(raster=RASTERS, data=st.data())
def test_rates_by_class_are_means_over_its_examples(
    make: Make, raster: NDArray[np.bool_], data: st.DataObject
) -> None:
    label = data.draw(arrays(np.int64, len(raster), elements=st.integers(3, 5)))
    found = rates_by_class(make(raster, label=label), "latent")
    assert found.dims == ("class", "neuron")
    for own in found["class"].to_numpy():
        expected = raster[label == own].mean((0, 1)) / DT_S
        np.testing.assert_allclose(found.sel({"class": own}), expected, rtol=1e-12)
    assert set(found["class"].to_numpy()) == set(label)
