"""Synapses that leave each neuron, against the lists of all synapses."""

from __future__ import annotations

import numpy as np
import pytest

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
