"""Correlations and dimensionality of counts, against NumPy, elephant and planted values."""

from __future__ import annotations

import warnings
from typing import get_args

import elephant.conversion
import elephant.spike_train_correlation
import neo
import numpy as np
import pytest
import quantities as pq
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasters import NEARLY, Raster, make, properties, rasters

from bioae import analysis
from bioae.analysis.pairs import pair_matrices
from bioae.analysis.pairs.correlations import CorrelationKind

# Elephant's construction of quantities.
pytestmark = pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity is deprecated")

KINDS: tuple[CorrelationKind, ...] = get_args(CorrelationKind)
RASTERS = rasters((2, 9), (1, 6), (1, 7))
odd_cases = properties(RASTERS, NEARLY)


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
@odd_cases
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


@odd_cases
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
