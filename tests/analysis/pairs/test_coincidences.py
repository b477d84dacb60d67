"""Correlograms, synchrony and spike time tiling, against elephant, NumPy and planted trains."""

from __future__ import annotations

import elephant.conversion
import elephant.spike_train_correlation as elephant_correlation
import neo
import numpy as np
import pytest
import quantities as pq
import xarray as xr
from hypothesis import strategies as st
from rasters import Raster, make, properties, rasters

from bioae.analysis.pairs.coincidences import cross_correlogram, spike_time_tiling, synchrony

# Elephant's construction of quantities.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

DT_MS = 0.5
odd_cases = properties(rasters((1, 4), (1, 10), (2, 4)), width=(st.integers(1, 5), 2))


def train(spikes: Raster) -> neo.SpikeTrain:
    """Return one presentation of one neuron as a train for elephant."""
    times = np.flatnonzero(spikes) * DT_MS
    return neo.SpikeTrain(times, units="ms", t_stop=len(spikes) * DT_MS)


@pytest.mark.medium
@odd_cases
def test_a_correlogram_is_elephants_summed_over_presentations(raster: Raster, width: int) -> None:
    steps = raster.shape[1]
    pairs = [(0, 1), (1, 0), (1, 1)]
    found = cross_correlogram(make(raster), "latent", pairs)
    assert found["count"].dims == ("pair", "lag")
    assert list(found["lag"]) == [DT_MS * lag for lag in range(1 - steps, steps)]
    for row, (neuron, other) in zip(found["count"].to_numpy(), pairs, strict=True):
        expected = np.zeros(2 * steps - 1)
        for presentation in raster:
            # Elephant refuses trains without a spike, which have no lags.
            if presentation[:, [neuron, other]].any(0).all():
                first, second = (
                    elephant.conversion.BinnedSpikeTrain(
                        train(presentation[:, index]), bin_size=DT_MS * pq.ms, n_bins=steps
                    )
                    for index in (neuron, other)
                )
                counts, lags = elephant_correlation.cross_correlation_histogram(first, second)
                assert lags.tolist() == list(range(1 - steps, steps))
                expected += counts.magnitude.squeeze(1)
        assert row == pytest.approx(expected, abs=1e-9)
    short = cross_correlogram(make(raster), "latent", pairs, max_lag_ms=width * DT_MS)
    longest = min(width, steps - 1)
    middle = slice(steps - 1 - longest, steps + longest)
    xr.testing.assert_identical(short, found.isel(lag=middle))


def test_the_expected_correlogram_is_a_mean_over_all_pairs_of_presentations() -> None:
    raster = np.random.default_rng(31).random((5, 8, 2)) < 0.4
    found = cross_correlogram(make(raster), "latent", [(0, 1)])["expected"][0]
    expected = sum(
        np.correlate(second[:, 1] * 1.0, first[:, 0] * 1.0, "full")
        for first in raster
        for second in raster
    )
    np.testing.assert_allclose(found, expected / 5)


@odd_cases
def test_synchrony_is_the_ratio_of_variances(raster: Raster, width: int) -> None:
    width = min(width, raster.shape[1])
    bins = raster.shape[1] // width
    counts = raster[:, : bins * width].reshape(len(raster), bins, width, -1).sum(2)
    found = synchrony(make(raster), "latent", bin_ms=width * DT_MS)
    assert found.dims == ("example",)
    for value, presentation in zip(found.to_numpy(), counts, strict=True):
        if (presentation == presentation[0]).all():
            assert np.isnan(value)
        else:
            squared = presentation.mean(1).var() / presentation.var(0).mean()
            assert value == pytest.approx(np.sqrt(squared), abs=1e-7)


@odd_cases
def test_tiling_of_one_presentation_equals_that_of_elephant(raster: Raster, width: int) -> None:
    window = width - 1
    found = spike_time_tiling(make(raster[:1]), "latent", window_ms=window * DT_MS)
    assert found.dims == ("neuron", "other")
    # In the middle of its step, and half a step more: then continuous time is that of steps.
    trains = [
        neo.SpikeTrain(np.flatnonzero(spikes) + 0.5, units="ms", t_stop=raster.shape[1])
        for spikes in raster[0].T
    ]
    for first, one in enumerate(trains):
        for second, other in enumerate(trains):
            expected = elephant_correlation.spike_time_tiling_coefficient(
                one, other, dt=(window + 0.5) * pq.ms
            )
            value = float(found[first, second])
            assert value == pytest.approx(float(expected), abs=1e-9, nan_ok=True)


@odd_cases
def test_tiling_pools_spikes_and_steps_of_presentations(raster: Raster, width: int) -> None:
    tree = make(raster)
    assert spike_time_tiling(tree, "latent", window_ms=0.5, neurons=[]).shape == (0, 0)
    found = spike_time_tiling(tree, "latent", window_ms=width * DT_MS).to_numpy()
    steps = np.arange(raster.shape[1])
    close = np.abs(steps[:, None] - steps) <= width
    within = np.array([(close[:, :, None] & shown).any(1) for shown in raster])
    for first in range(raster.shape[2]):
        for second in range(raster.shape[2]):
            if not raster[..., first].any() or not raster[..., second].any():
                assert np.isnan(found[first, second])
                continue
            expected = 0.0
            for a, b in ((first, second), (second, first)):
                p, t = within[..., b][raster[..., a]].mean(), within[..., b].mean()
                expected += 0.5 if p * t == 1 else 0.5 * (p - t) / (1 - p * t)
            assert found[first, second] == pytest.approx(expected, abs=1e-9)
