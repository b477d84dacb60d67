"""Variability of counts over examples, against elephant, NumPy and planted classes."""

from __future__ import annotations

from collections.abc import Callable

import elephant.statistics
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bioae.analysis.firing.variability import dispersion, fano_factor

Make = Callable[..., xr.DataTree]
Raster = NDArray[np.bool_]

# (example, step, neuron)
RASTERS = arrays(bool, st.tuples(st.integers(2, 6), st.integers(1, 8), st.integers(1, 4)))
SINGLE = np.zeros((3, 4, 2), bool)
SINGLE[1, 2, 0] = True


def fano_of(counts: NDArray[np.int64]) -> float:
    """Return elephant's Fano factor of one neuron's counts, with the unbiased variance."""
    trials = [np.arange(count) for count in counts]
    # Elephant divides the variance by n.
    return float(elephant.statistics.fanofactor(trials)) * len(counts) / (len(counts) - 1)


@given(raster=RASTERS, width=st.integers(1, 8))
@example(raster=np.zeros((2, 5, 2), bool), width=2)
@example(raster=np.ones((3, 5, 2), bool), width=2)
@example(raster=SINGLE, width=2)
def test_the_fano_factor_equals_that_of_elephant(make: Make, raster: Raster, width: int) -> None:
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


def test_known_processes_have_known_fano_factors(make: Make) -> None:
    rng = np.random.default_rng(11)
    density = np.array([0.05, 0.3, 0.8])
    found = fano_factor(make(rng.random((3000, 60, 3)) < density), "latent")
    np.testing.assert_allclose(found, 1 - density, rtol=0.1)
    clock = np.zeros((20, 40, 1), bool)
    clock[:, ::4] = True
    assert fano_factor(make(clock), "latent").item() == 0
    assert (fano_factor(make(clock), "latent", window_ms=4) == 0).all()


@given(raster=RASTERS, data=st.data())
def test_dispersion_splits_the_variance_by_class(
    make: Make, raster: Raster, data: st.DataObject
) -> None:
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
