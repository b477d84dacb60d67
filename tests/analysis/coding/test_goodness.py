"""Goodness of a layer against traces that are written out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from bioae.analysis import goodness

Make = Callable[..., xr.DataTree]


def test_goodness_is_the_mean_of_squared_traces(make: Make) -> None:
    raster = np.random.default_rng(0).random((5, 30, 7)) < 0.2
    raster[3] = False
    found = goodness(make(raster), "latent", tau_ms=9.0)
    dt = float(make(raster).attrs["dt_ms"])
    expected = np.zeros((5, 30))
    for example, spikes in enumerate(raster):
        trace = np.zeros(7)
        for step, fired in enumerate(spikes):
            trace = np.where(fired, 1, trace * (1 - dt / 9.0) if step else trace)
            expected[example, step] = (trace**2).sum()
    assert expected.sum() > 10
    np.testing.assert_allclose(found, expected.mean(1), rtol=1e-12)
    assert found.dims == ("example",)
    assert found[3] == 0


def test_examples_have_any_numbers_in_any_order(make: Make) -> None:
    raster = np.random.default_rng(1).random((4, 20, 3)) < 0.3
    plain = goodness(make(raster), "latent")
    named = make(raster, example=np.array([613, 7, 9580, 8]))
    assert named["layers/latent/spike_example"].max() == 9580
    found = goodness(named, "latent")
    assert plain.min() > 0
    np.testing.assert_array_equal(found, plain)
    assert found["example"].to_numpy().tolist() == [613, 7, 9580, 8]
    np.testing.assert_array_equal(goodness(named.isel(example=[2, 0]), "latent"), plain[[2, 0]])
