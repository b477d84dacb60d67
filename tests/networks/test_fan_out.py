"""Synapses that leave each neuron, against the lists of all synapses."""

from __future__ import annotations

import numpy as np
import pytest
from builders import conv, dense, described

from bioae.networks import Network, NetworkConfig


@pytest.mark.parametrize("recurrent", [None, {}, {"autapses": True}])
def test_every_synapse_is_counted_at_its_source(recurrent: dict[str, bool] | None) -> None:
    config = NetworkConfig.preset("strided")
    # The latent layer is also recurrent, with or without autapses.
    changes = {} if recurrent is None else {"recurrent": True, **recurrent}
    layers = [
        layer.model_copy(update=changes if layer.name == "latent" else {})
        for layer in config.layers
    ]
    config = config.model_copy(update={"layers": tuple(layers)})
    placed = config.placed
    counts = Network.initialise(config).fan_out()
    assert list(counts) == [own.name for own in placed]
    assert (
        counts["latent"].max()
        == 512 + {None: 0, False: 99, True: 100}[None if recurrent is None else bool(recurrent)]
    )
    for place, own in enumerate(placed):
        expected = np.zeros(own.size, np.int64)
        for following in placed[place + 1 : place + 2]:
            source = following.layer.connections(following.input_shape).source
            np.add.at(expected, source, 1)
        if own.layer.recurrent:
            source = own.layer.recurrent_connections(own.input_shape).source
            np.add.at(expected, source, 1)
        np.testing.assert_array_equal(counts[own.name], expected)


@pytest.mark.parametrize("autapses", [False, True])
def test_every_synapse_is_counted_at_its_target(autapses: bool) -> None:
    layers = (
        conv("first", 2, 3),
        dense("second", 5, recurrent=True, autapses=autapses),
        dense("last", shape=[1, 6, 6]),
    )
    network = Network.initialise(described(*layers, input_shape=[1, 6, 6]))
    counts = network.synapse_counts()
    for placed in network.config.placed:
        source = placed.layer.connections(placed.input_shape).source
        found = counts[placed.name]
        assert found["forward"].size == np.prod(placed.input_shape)
        np.testing.assert_array_equal(
            found["forward"], np.bincount(source, minlength=found["forward"].size)
        )
        own = np.zeros(placed.size, np.int64)
        if placed.layer.recurrent:
            np.add.at(own, placed.layer.recurrent_connections(placed.input_shape).source, 1)
        np.testing.assert_array_equal(found["recurrent"], own)
    assert counts["second"]["recurrent"].tolist() == [5 if autapses else 4] * 5


def test_neurons_project_to_the_windows_that_hold_them() -> None:
    pool = {"kind": "sum_pool2d", "name": "pool", "kernel": 2, "stride": 1}
    layers = conv("first", 2, 1), pool, dense("last", shape=[1, 3, 3])
    counts = Network.initialise(described(*layers, input_shape=[1, 3, 3])).fan_out()
    # Corners, edges and the middle of an image of 3 by 3, in each of two channels.
    assert counts["first"].tolist() == [1, 2, 1, 2, 4, 2, 1, 2, 1] * 2
    assert counts["pool"].tolist() == [9] * 8
