"""Counts, rates and bursting, and fits of rates, against counts, NumPy, SciPy and elephant."""

from __future__ import annotations

import neo
import numpy as np
import pytest
import quantities as pq
import xarray as xr
from elephant.kernels import GaussianKernel
from elephant.statistics import instantaneous_rate, time_histogram
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasters import Raster, make, rasters
from scipy import stats
from scipy.special import digamma

from bioae import analysis
from bioae.analysis import firing_rate, fit_rates, population_rate, rate_statistics, rates_by_class
from bioae.analysis.firing.rate_families import FAMILIES

# Elephant's construction of quantities.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

DT_S = 0.5e-3
RASTERS = rasters((1, 3), (1, 8), (1, 7))


@given(raster=RASTERS)
def test_fits_equal_those_of_scipy(raster: Raster) -> None:
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
def test_the_order_of_a_gamma_fit_is_most_likely(order: float, mean: float, seed: int) -> None:
    rates = np.random.default_rng(seed).gamma(order, mean / order, 50)
    rates = np.maximum(rates, 1e-200)
    fit = FAMILIES["gamma"].fit(rates)
    # The derivative of the likelihood with respect to the order, per neuron.
    slope = np.log(rates / fit.scale).mean() - digamma(fit.shape)
    assert abs(slope) < 1e-9
    assert fit.shape * fit.scale == pytest.approx(rates.mean(), rel=1e-12)


@given(raster=RASTERS, of=st.sampled_from(["all", "alive"]))
def test_moments_equal_those_of_scipy(raster: Raster, of: str) -> None:
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


@given(raster=RASTERS)
def test_the_population_rate_equals_the_time_histogram_of_elephant(raster: Raster) -> None:
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


def test_the_smoothed_rate_equals_that_of_elephant_far_from_the_edges() -> None:
    raster = np.random.default_rng(0).random((1, 200, 1)) < 0.2
    found = population_rate(make(raster), "latent", sigma_ms=3.0).to_numpy()
    train = neo.SpikeTrain(np.flatnonzero(raster[0, :, 0]) * 0.5, units="ms", t_stop=100)
    kernel = GaussianKernel(3.0 * pq.ms)
    rate = instantaneous_rate(train, 0.5 * pq.ms, kernel=kernel).magnitude.ravel()
    np.testing.assert_allclose(found[40:-40], rate[40:-40], rtol=1e-4)
    assert rate[40:-40].std() > 1


@given(raster=RASTERS, data=st.data())
def test_rates_by_class_are_means_over_its_examples(raster: Raster, data: st.DataObject) -> None:
    label = data.draw(arrays(np.int64, len(raster), elements=st.integers(3, 5)))
    found = rates_by_class(make(raster, label=label), "latent")
    assert found.dims == ("class", "neuron")
    for own in found["class"].to_numpy():
        expected = raster[label == own].mean((0, 1)) / DT_S
        np.testing.assert_allclose(found.sel({"class": own}), expected, rtol=1e-12)
    assert set(found["class"].to_numpy()) == set(label)


def values(array: xr.DataArray) -> list[float]:
    return [float(value) for value in array.to_numpy()]


@pytest.mark.parametrize(
    ("threshold", "bursting"),
    [
        (0.0, [False, True, True, True, True]), (0.24, [False, True, True, True, True]),
        (0.25, [False, False, True, False, True]), (0.49, [False, False, True, False, True]),
        (0.5, [False, False, True, False, False]), (1.0, [False, False, False, False, False]),
    ],
)  # fmt: skip
def test_a_neuron_bursts_by_the_examples_in_which_it_fires(
    counted: xr.DataTree, threshold: float, bursting: list[bool]
) -> None:
    assert values(analysis.is_bursting(counted, "latent", threshold=threshold)) == bursting
    for of, neurons in (("all", 5), ("alive", 4)):
        fraction = analysis.bursting_fraction(counted, "latent", threshold=threshold, of=of)  # type: ignore[arg-type]
        assert float(fraction) == pytest.approx(sum(bursting) / neurons)


def test_undefined_numbers_of_a_dead_layer_are_nan_and_the_others_zero() -> None:
    dead = make(np.zeros((2, 3, 4), bool))
    row = analysis.summary(dead).isel(layer=0)
    undefined = {str(name) for name, value in row.data_vars.items() if np.isnan(float(value))}
    assert undefined == {"rate_per_step_mean_alive", "bursting_of_alive", "active_of_alive"}
    assert float(row["dead_fraction"]) == float(row["silent_fraction"]) == 1
    zero = (
        "spikes", "rate_per_step_mean", "rate_hz_mean", "bursting_fraction", "active_fraction_mean",
    )  # fmt: skip
    assert [float(row[name]) for name in zero] == [0] * len(zero)


@given(raster=rasters())
def test_every_measure_agrees_with_the_dense_raster(raster: Raster) -> None:
    tree = make(raster)
    alive = raster.any((0, 1))
    row = analysis.summary(tree).isel(layer=0)
    assert int(row["spikes"]) == raster.sum()
    assert float(row["rate_per_step_mean"]) == pytest.approx(raster.mean())
    assert float(row["dead_fraction"]) == pytest.approx(1 - alive.mean())
    assert float(row["active_fraction_mean"]) == pytest.approx(raster.any(1).mean())
    assert float(row["silent_fraction"]) == pytest.approx(1 - raster.any((1, 2)).mean())
    bursting = 0
    for neuron in np.flatnonzero(alive):
        per_example = raster[:, :, neuron].mean(1)
        bursting += per_example[per_example > 0].mean() > 0.5
    assert float(row["bursting_fraction"]) == pytest.approx(bursting / alive.size)
    if alive.any():
        assert float(row["rate_per_step_mean_alive"]) == pytest.approx(raster[:, :, alive].mean())
        assert float(row["active_of_alive"]) == pytest.approx(raster[:, :, alive].any(1).mean())
        # Density is that of the alive, times how many are alive.
        product = float(row["rate_per_step_mean_alive"]) * (1 - float(row["dead_fraction"]))
        assert float(row["rate_per_step_mean"]) == pytest.approx(product)


@given(raster=rasters(), bins=st.integers(1, 12))
def test_the_distribution_holds_every_living_neuron_once(raster: Raster, bins: int) -> None:
    found = analysis.rate_distribution(make(raster), "latent", bins=bins)
    assert int(found["neurons"].sum()) + int(found["dead"]) == raster.shape[2]
    assert int(found["dead"]) == (~raster.any((0, 1))).sum()
    np.testing.assert_allclose(found["rate_low"][1:], found["rate_high"][:-1])
