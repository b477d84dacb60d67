"""Goodness and label lines of the experiment `csdp`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.experiments.csdp import goodness, tagged
from bioae.experiments.runner.recipes import read
from bioae.networks import NetworkConfig
from bioae.random import named_stream


def test_goodness_is_the_sum_of_squared_traces() -> None:
    spikes = named_stream(1, "spikes").random((2, 3, 7, 20)) < 0.2  # (layer, example, neuron, step)
    spikes[:, 2] = False
    layers = {}
    for name, each in zip(("first", "second"), spikes, strict=True):
        example, neuron, step = each.nonzero()
        times = {"example": example, "neuron": neuron, "time_ms": 3.0 * step}
        layers[f"layers/{name}"] = xr.Dataset(
            {f"spike_{n}": ("spike", values) for n, values in times.items()}
        )
    root = xr.Dataset(coords={"example": range(3)}, attrs={"dt_ms": 3.0, "steps": 20})
    expected, trace = np.zeros(3), np.zeros((2, 3, 7))
    for step in range(20):
        trace = np.where(spikes[..., step], 1, trace * (1 - 1 / 13))
        expected += (trace**2).sum((0, 2))
    found = goodness(xr.DataTree.from_dict({"/": root, **layers}))
    assert expected[:2].min() > 10
    np.testing.assert_allclose(found, expected)


def test_label_lines_are_a_row_on_top() -> None:
    images = named_stream(1, "images").random((3, 1, 28, 28))
    found = tagged(images, np.array([0, 9, 4]))
    np.testing.assert_array_equal(found[:, :, 1:], images)
    assert [tuple(each) for each in np.argwhere(found[:, 0, 0])] == [(0, 0), (1, 9), (2, 4)]
    assert not tagged(images)[:, :, 0].any()


def test_the_rules_have_the_constants_of_the_paper() -> None:
    config = NetworkConfig.from_mapping(read("csdp")["network"], where="csdp.toml")
    assert config.dt_seconds == 0.003
    for placed in config.placed:
        forward, lateral = placed.synapses.values()
        assert forward.parameters["tau_trace"] == lateral.parameters["tau_trace"] == "39*ms"
        neuron = {"h_step": "0.001", "h_min": "0.025", "tau": "100*ms"}
        assert neuron.items() <= placed.model.parameters.items()
        assert placed.layer.spread["h_start"] == ("0.03", "0.08")
