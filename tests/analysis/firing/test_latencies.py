"""First-spike latency, against a search in each train."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from bioae.analysis import first_spike_latency, layer_statistics, neuron_statistics

Make = Callable[..., xr.DataTree]


def test_latency_is_the_median_time_of_first_spikes(make: Make) -> None:
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


def test_the_latency_of_a_layer_is_the_median_over_neurons(make: Make) -> None:
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
