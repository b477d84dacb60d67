"""Label lines and constants of the experiment `csdp`."""

from __future__ import annotations

import numpy as np

from bioae.networks import NetworkConfig
from bioae.random import named_stream
from experiments.common.recipes import read
from experiments.csdp import tagged


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
