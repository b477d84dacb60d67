"""Parity of networks with layers that never spike: their states are compared."""

from __future__ import annotations

from typing import Any

import pytest
from builders import dense, drawn, pictures

import bioae
from bioae import simulate
from bioae.api import engine_of
from bioae.networks import Network
from bioae.simulation.backend import Backend
from bioae.trainers.parity.comparison import Comparison, recorded

SIZE: dict[str, Any] = {"input_shape": [1, 6, 6], "steps": 8}


def read_out(neuron: str = "lif", last: str = "leaky_readout", gain: float = 4.0) -> Network:
    """Return a network whose last layer never spikes."""
    return drawn(
        dense("hidden", 8, neuron=neuron, gain=4.0),
        dense("output", shape=[1, 6, 6], neuron=last, gain=gain),
        **SIZE,
    )


@pytest.mark.medium
@pytest.mark.parametrize("neuron", ["lif", "eif"])
def test_a_read_out_layer(neuron: str) -> None:
    parity = bioae.parity(read_out(neuron), pictures(3, 1, 6, 6))
    assert parity.passed
    assert parity.exact == (neuron == "lif")
    assert not parity.silent
    assert parity.spikes > 5
    # Of the eight neurons that can fire, not of the 44.
    assert parity.active_fraction > 0.4
    assert (parity.active_fraction * 8) % 1 == 0
    assert parity.max_state_error < 1e-12


@pytest.mark.medium
@pytest.mark.parametrize("neuron", ["lif", "eif"])
def test_a_read_out_that_differs_fails(neuron: str) -> None:
    """Brian2 runs other weights into the last layer: every spike agrees, and no state."""
    network, images = read_out(neuron), pictures(3, 1, 6, 6)
    other = Network(
        network.config,
        {**network.weights, "output.weight": network.weights["output.weight"] * (1 + 1e-6)},
    )
    brian = simulate(other, images, Backend("numpy", record=recorded(network)))
    parity = Comparison(network, images, engine_of, name="mine").with_result(brian)
    assert parity.differing == 0
    assert 0 < parity.max_state_error < 1e-3
    assert parity.one_step < 1
    assert not parity.passed


def test_a_network_without_spikes() -> None:
    layer = dense("output", shape=[1, 6, 6], neuron="leaky_readout")
    parity = bioae.parity(drawn(layer, **SIZE), pictures(2, 1, 6, 6))
    assert (parity.silent, parity.spikes, parity.differing) == (True, 0, 0)
    assert (parity.neurons, parity.active_fraction) == (36, 1.0)
    assert parity.passed
