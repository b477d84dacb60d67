"""Fields against dense averages, all permutations of few images, and planted pixels."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasters import Raster, make, rasters
from refusals import refused

from bioae.analysis import inverse_participation_ratio, spike_triggered_average, weight_fields
from bioae.errors import ResultError


def shown(raster: Raster, images: NDArray[np.float64]) -> xr.DataTree:
    """Return a result of images (example, y, x)."""
    whole = images[:, None]
    return make(raster, images=whole, reconstruction=whole)


@given(raster=rasters((1, 6), (1, 5), (1, 4)), seed=st.integers(0, 99))
def test_the_average_is_a_mean_over_the_images_of_all_spikes(raster: Raster, seed: int) -> None:
    images = np.random.default_rng(seed).random((len(raster), 2, 3))
    images[:, 0, 1] = 0.3
    found = spike_triggered_average(shown(raster, images), "latent")
    assert found["average"].dims == ("neuron", "y", "x")
    for neuron in range(raster.shape[2]):
        own = found.isel(neuron=neuron)
        count = raster[:, :, neuron].sum(1)
        if not count.any():
            assert np.isnan(own["average"]).all()
            assert np.isnan(own["z_score"]).all()
            continue
        expected = np.repeat(images, count, axis=0).mean(0) - images.mean(0)
        np.testing.assert_allclose(own["average"], expected, rtol=1e-9, atol=1e-12)
        assert np.isnan(own["z_score"][0, 1])
        assert np.isnan(own["z_score"]).all() == (np.unique(count).size == 1)


def test_the_z_score_equals_that_of_all_permutations_of_the_images() -> None:
    rng = np.random.default_rng(3)
    raster, images = rng.random((5, 6, 3)) < 0.5, rng.random((5, 2, 2))
    found = spike_triggered_average(shown(raster, images), "latent")
    count = raster.sum(1).astype(float)
    assert np.all(count.std(0) > 0)
    weight = count / count.sum(0)
    every = np.array(
        [np.tensordot(weight[list(order)], images, (0, 0)) for order in permutations(range(5))]
    )
    np.testing.assert_allclose(
        found["z_score"], found["average"].to_numpy() / every.std(0), rtol=1e-9
    )


@pytest.mark.parametrize("scale", [1.0, 1e-120, 1e120])
def test_the_participation_ratio_is_the_inverse_number_of_pixels(scale: float) -> None:
    field = xr.DataArray(np.zeros((4, 3, 5)), dims=("neuron", "y", "x"))
    field[0, 1, 2] = -2 * scale
    field[1] = 3 * scale
    field[2, :, :2] = scale * np.array([1, -1])
    found = inverse_participation_ratio(field)
    np.testing.assert_allclose(found[:3], [1, 1 / 15, 1 / 6], rtol=1e-12)
    assert np.isnan(found[3])
    assert np.isnan(inverse_participation_ratio(field.where(field > 0))[0])


def test_fields_of_integers_and_empty_fields() -> None:
    field = xr.DataArray(np.full((1, 3, 3), -128, np.int8), dims=("neuron", "y", "x"))
    np.testing.assert_allclose(inverse_participation_ratio(field), [1 / 9], rtol=1e-12)
    assert np.isnan(inverse_participation_ratio(field[:, :0])).all()
    assert inverse_participation_ratio(field[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("dtype", "dims", "fields"),
    [
        (float, ("x", "x"), {"where": "dims", "expected": "some of y, x"}),
        (float, ("z",), {"where": "dims", "expected": "some of y, x"}),
        (str, "x", {"expected": "real numbers", "found": "<U1"}),
        (complex, "x", {"expected": "real numbers", "found": "complex128"}),
    ],
)
def test_fields_that_are_refused(dtype: type, dims: Any, fields: dict[str, str]) -> None:
    field = xr.DataArray(np.ones((3, 3), dtype), dims=("y", "x"))
    with refused(ResultError, **fields):
        inverse_participation_ratio(field, dims=dims)


def test_images_with_channels_have_fields_with_channels() -> None:
    images = np.random.default_rng(0).random((6, 2, 3, 4))
    raster = np.random.default_rng(1).random((6, 5, 7)) < 0.5
    tree = make(raster, images=images, reconstruction=images)
    found = spike_triggered_average(tree, "latent")["average"]
    assert found.dims == ("neuron", "channel", "y", "x")
    assert inverse_participation_ratio(found, dims=("channel", "y", "x")).shape == (7,)


def test_input_that_varies_in_time_is_refused() -> None:
    signals = {"images": np.zeros((2, 3, 1)), "output": np.zeros((2, 1)), "task": "regression"}
    tree = make(np.ones((2, 3, 4), bool), **signals)
    with refused(ResultError, where="input"):
        spike_triggered_average(tree, "latent")


def test_weights_of_neurons_that_see_images_are_images() -> None:
    weights = np.arange(24.0).reshape(2, 12)
    fields = weight_fields(weights, (1, 3, 4))
    assert fields.dims == ("neuron", "y", "x")
    np.testing.assert_array_equal(fields, weights.reshape(2, 3, 4))
    assert weight_fields(weights, (3, 2, 2)).dims == ("neuron", "channel", "y", "x")
    assert weight_fields(np.ones((3, 8)), (2, 4)).dims == ("neuron", "y", "x")
    wrong: list[tuple[Any, tuple[int, ...]]] = [
        (weights, (1, 3, 3)), ([[1.0, 2.0], [3.0]], (1, 2)),
    ]  # fmt: skip
    for values, shape in wrong:
        with refused(ResultError, expected=f"numbers (neuron, {math.prod(shape)})"):
            weight_fields(values, shape)
    with refused(ResultError, found="(1, 1, 2, 4)"):
        weight_fields(np.ones((3, 8)), (1, 1, 2, 4))
