"""Correlations and dimensionality of counts, against NumPy, elephant and planted values."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import get_args

import elephant.conversion
import elephant.spike_train_correlation
import neo
import numpy as np
import pytest
import quantities as pq
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bioae.analysis.coding.latent_space import participation_ratio
from bioae.analysis.pairs import pair_matrices
from bioae.analysis.pairs.correlations import (
    CorrelationKind,
    correlation_matrix,
    mean_pairwise_correlation,
    temporal_correlation_matrix,
)

# Elephant's construction of quantities.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

Make = Callable[..., xr.DataTree]
Raster = NDArray[np.bool_]

KINDS: tuple[CorrelationKind, ...] = get_args(CorrelationKind)
# (example, step, neuron)
RASTERS = arrays(bool, st.tuples(st.integers(2, 9), st.integers(1, 6), st.integers(1, 7)))
SINGLE = np.zeros((3, 4, 2), bool)
SINGLE[1, 2, 0] = True
SIMULTANEOUS = np.repeat(np.random.default_rng(1).random((4, 6, 1)) < 0.5, 3, axis=2)
# Nearly constant firing: the means are far larger than the deviations from them.
NEARLY = np.ones((300, 30, 3), bool)
NEARLY[7, 3, 1] = NEARLY[7, 4, 2] = NEARLY[9, 4, 2] = False
ODD = (np.zeros((2, 5, 2), bool), np.ones((3, 5, 2), bool), SINGLE, SIMULTANEOUS, NEARLY)


def odd_cases(test: Callable[..., None]) -> Callable[..., None]:
    """Run a property on trains that random generation rarely produces."""
    for raster in ODD:
        test = example(raster=raster)(test)
    return settings(max_examples=40, deadline=None)(given(raster=RASTERS)(test))


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
        inside = np.corrcoef(observed[:, varies].T)
        matrix[np.ix_(varies, varies)] = inside
    return matrix


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
@odd_cases
def test_the_matrix_equals_that_of_numpy(make: Make, kind: CorrelationKind, raster: Raster) -> None:
    tree = make(raster, label=labels(raster))
    expected = pearson(responses(raster, kind))
    found = correlation_matrix(tree, "latent", kind=kind)
    assert found.dims == ("neuron", "other")
    np.testing.assert_allclose(found, expected, atol=1e-9)
    chosen = np.arange(raster.shape[2])[::-2]
    some = correlation_matrix(tree, "latent", kind=kind, neurons=chosen.tolist())
    np.testing.assert_allclose(some, expected[np.ix_(chosen, chosen)], atol=1e-9)
    assert some["other"].to_numpy().tolist() == chosen.tolist()


@pytest.mark.medium
@pytest.mark.parametrize("kind", KINDS)
@odd_cases
def test_the_mean_over_pairs_equals_that_of_the_matrix(
    make: Make, kind: CorrelationKind, raster: Raster
) -> None:
    tree = make(raster, label=labels(raster))
    matrix = correlation_matrix(tree, "latent", kind=kind).to_numpy()
    pairs = matrix[np.triu_indices_from(matrix, 1)]
    pairs = pairs[~np.isnan(pairs)]
    found = float(mean_pairwise_correlation(tree, "latent", kind=kind))
    if pairs.size:
        assert found == pytest.approx(pairs.mean(), abs=1e-9)
    else:
        assert np.isnan(found)


@odd_cases
def test_the_participation_ratio_equals_that_of_the_eigenvalues(make: Make, raster: Raster) -> None:
    counts = raster.sum(1).astype(float)
    found = float(participation_ratio(make(raster), "latent"))
    if np.ptp(counts, axis=0).any():
        spread = np.linalg.svd(counts - counts.mean(0), compute_uv=False) ** 2
        assert found == pytest.approx(spread.sum() ** 2 / (spread**2).sum(), rel=1e-9)
    else:
        assert np.isnan(found)


@given(raster=RASTERS, width=st.integers(1, 6))
@example(raster=SIMULTANEOUS, width=2)
@example(raster=np.ones((2, 6, 2), bool), width=1)
@example(raster=np.zeros((2, 6, 2), bool), width=1)
def test_correlation_over_time_equals_that_of_elephant(
    make: Make, raster: Raster, width: int
) -> None:
    steps = raster.shape[1]
    width = min(width, steps)
    found = temporal_correlation_matrix(make(raster), "latent", example=1, bin_ms=0.5 * width)
    bins = steps // width
    counts = raster[1, : bins * width].reshape(bins, width, -1).sum(1)
    varies = np.ptp(counts, axis=0) > 0
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


def test_signal_and_noise_correlations_are_separated(make: Make) -> None:
    rng = np.random.default_rng(24)
    label = np.arange(600) % 3
    common = rng.random((600, 20)) < 0.5
    raster = np.zeros((600, 40, 2), bool)
    # Both respond to the classes in opposite order, and share their noise.
    for neuron in range(2):
        raster[:, :20, neuron] = common
        level = label if neuron == 0 else 2 - label
        for number in range(600):
            raster[number, 20 : 20 + 5 * level[number], neuron] = True
    tree = make(raster, label=label)
    signal, noise = (
        float(correlation_matrix(tree, "latent", kind=kind)[0, 1]) for kind in ("signal", "noise")
    )
    assert signal == pytest.approx(-1, abs=0.02)
    assert noise == pytest.approx(1)
    assert signal < float(correlation_matrix(tree, "latent")[0, 1]) < noise
