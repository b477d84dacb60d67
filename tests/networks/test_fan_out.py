"""Synapses that leave each neuron, against the lists of all synapses."""

from __future__ import annotations

import numpy as np
import pytest
from builders import conv, dense, described

from bioae.networks import Network


@pytest.mark.parametrize("autapses", [False, True])
def test_every_synapse_is_counted_at_both_ends(autapses: bool) -> None:
    pool = {"kind": "sum_pool2d", "name": "pool", "kernel": 2, "stride": 1}
    layers = (
        conv("first", 2, 3), pool,
        dense("second", 5, recurrent=True, autapses=autapses), dense("last", shape=[1, 6, 6]),
    )  # fmt: skip
    network = Network.initialise(described(*layers, input_shape=[1, 6, 6]))
    received, sent = network.synapse_counts(), network.fan_out()
    expected = {name: np.zeros(len(each), np.int64) for name, each in sent.items()}
    before = None
    for placed in network.config.placed:
        source = placed.layer.connections(placed.input_shape).source
        forward = np.bincount(source, minlength=np.prod(placed.input_shape))
        own = np.zeros(placed.size, np.int64)
        if placed.layer.recurrent:
            np.add.at(own, placed.layer.recurrent_connections(placed.input_shape).source, 1)
        np.testing.assert_array_equal(received[placed.name]["forward"], forward)
        np.testing.assert_array_equal(received[placed.name]["recurrent"], own)
        expected[placed.name] += own
        if before is not None:
            expected[before] += forward
        before = placed.name
    assert received["second"]["recurrent"].tolist() == [5 if autapses else 4] * 5
    for name, counts in expected.items():
        np.testing.assert_array_equal(sent[name], counts)
