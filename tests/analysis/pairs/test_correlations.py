"""Correlations of counts and of spikes in time, against NumPy, elephant and planted values."""

from __future__ import annotations

import warnings
from typing import get_args

import elephant.conversion
import elephant.spike_train_correlation
import elephant.spike_train_correlation as elephant_correlation
import neo
import numpy as np
import pytest
import quantities as pq
import xarray as xr
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasters import NEARLY, Raster, make, properties, rasters

from bioae import analysis
from bioae.analysis.pairs import pair_matrices
from bioae.analysis.pairs.coincidences import cross_correlogram, spike_time_tiling, synchrony
from bioae.analysis.pairs.correlations import CorrelationKind

# Elephant's construction of quantities.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

KINDS: tuple[CorrelationKind, ...] = get_args(CorrelationKind)
RASTERS = rasters((2, 9), (1, 6), (1, 7))
odd_counts = properties(RASTERS, NEARLY)


def labels(raster: Raster) -> NDArray[np.int64]:
    """Return three classes, or two if there are only two examples."""
    return np.arange(len(raster)) % 3 + 5


def responses(raster: Raster, kind: str) -> NDArray[np.float64]:
    """Return the correlated values, (observation, neuron), exactly 0 for constant ones."""
    counts, label = raster.sum(1).astype(float), labels(raster)
    means = np.array([counts[label == name].mean(0) for name in np.unique(label)])
    if kind == "signal":
        return means
    return counts - means[label - 5] if kind == "noise" else counts


def pearson(observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate columns with NumPy; NaN where one does not vary."""
    varies = np.ptp(observed, axis=0) > 1e-12
    matrix = np.full((varies.size, varies.size), np.nan)
    if varies.any():
        matrix[np.ix_(varies, varies)] = np.corrcoef(observed[:, varies].T)
    return matrix


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
@odd_counts
def test_the_matrix_equals_that_of_numpy(kind: CorrelationKind, raster: Raster) -> None:
    tree = make(raster, label=labels(raster))
    expected = pearson(responses(raster, kind))
    found = analysis.correlation_matrix(tree, "latent", kind=kind)
    assert found.dims == ("neuron", "other")
    np.testing.assert_allclose(found, expected, atol=1e-9)
    chosen = np.arange(raster.shape[2])[::-2]
    some = analysis.correlation_matrix(tree, "latent", kind=kind, neurons=chosen.tolist())
    np.testing.assert_allclose(some, expected[np.ix_(chosen, chosen)], atol=1e-9)
    assert some["other"].to_numpy().tolist() == chosen.tolist()


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
@odd_counts
def test_the_mean_over_pairs_is_that_of_the_matrix(kind: CorrelationKind, raster: Raster) -> None:
    tree = make(raster, label=labels(raster))
    matrix = analysis.correlation_matrix(tree, "latent", kind=kind).to_numpy()
    pairs = matrix[np.triu_indices_from(matrix, 1)]
    pairs = pairs[~np.isnan(pairs)]
    found = float(analysis.mean_pairwise_correlation(tree, "latent", kind=kind))
    if pairs.size:
        assert found == pytest.approx(pairs.mean(), abs=1e-9)
    else:
        assert np.isnan(found)


@odd_counts
def test_the_participation_ratio_equals_that_of_the_eigenvalues(raster: Raster) -> None:
    counts = raster.sum(1).astype(float)
    found = float(analysis.participation_ratio(make(raster), "latent"))
    if np.ptp(counts, axis=0).any():
        spread = np.linalg.svd(counts - counts.mean(0), compute_uv=False) ** 2
        assert found == pytest.approx(spread.sum() ** 2 / (spread**2).sum(), rel=1e-9)
    else:
        assert np.isnan(found)


@properties(RASTERS, width=(st.integers(1, 6), 2))
def test_correlation_over_time_equals_that_of_elephant(raster: Raster, width: int) -> None:
    steps = raster.shape[1]
    width = min(width, steps)
    found = analysis.temporal_correlation_matrix(
        make(raster), "latent", example=1, bin_ms=0.5 * width
    )
    bins = steps // width
    varies = np.ptp(raster[1, : bins * width].reshape(bins, width, -1).sum(1), axis=0) > 0
    # Trains that are the same in every bin divide by zero in elephant; here they are NaN.
    assert np.isnan(found.to_numpy()[~varies]).all()
    if not varies.any():
        return
    trains = [
        neo.SpikeTrain(np.flatnonzero(train) * 0.5, units="ms", t_stop=0.5 * bins * width)
        for train in raster[1, : bins * width].T[varies]
    ]
    binned = elephant.conversion.BinnedSpikeTrain(trains, bin_size=0.5 * width * pq.ms, n_bins=bins)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # trains in which elephant finds something missing
        expected = elephant.spike_train_correlation.correlation_coefficient(binned)
    inside = found.to_numpy()[np.ix_(varies, varies)]
    np.testing.assert_allclose(inside, np.atleast_2d(expected), atol=1e-9)


@pytest.mark.parametrize("size", [50, 5000])
def test_products_of_integers_are_exact(size: int) -> None:
    # With counts up to 100, single precision holds 50 of them and not 5000.
    rows = np.random.default_rng(22).integers(-100, 101, (30, size)).astype(np.int8)
    expected = rows.astype(np.int64) @ rows.T.astype(np.int64)
    assert (pair_matrices.pair_products(rows) == expected).all()


# Elephant's construction of quantities.

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
