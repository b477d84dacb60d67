"""Pairs of neurons without a connection, and input that follows from spikes."""

from __future__ import annotations

import pytest
import torch
from builders import COBA, SCHEDULES, conv, dense, described, multiplied
from mirrors import drive_of, learn, mirror_of

from bioae.networks import Network


@pytest.mark.parametrize("autapses", [False, True])
def test_the_diagonal_is_connected_where_the_layer_has_autapses(autapses: bool) -> None:
    layer = dense("a", shape=[1, 3, 2], recurrent=True, autapses=autapses, gain=4.0)
    config = described(layer, input_shape=[1, 3, 2], steps=9, decoder={"kind": "mean"})
    network = Network.initialise(config, seed=2)
    mirror = mirror_of(network)
    gradient = learn(mirror)[2]["a.recurrent"]
    assert gradient.any()
    assert bool(gradient.diagonal().any()) == autapses
    assert bool(network.weights["a.recurrent"].diagonal().any()) == autapses
    mirror.to_network()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_input_follows_from_the_spikes(schedule: str) -> None:
    """Step by step from recorded spikes, as restarting from a result needs it.

    A neuron starts above its threshold: it fires before the first step that is recorded.
    """
    delays = {"delay": ["0*ms", "2*ms"], "recurrent_delay": ["0*ms", "3*ms"]}
    config = described(
        conv("first", 2, 2, recurrent=True, **delays),
        dense("last", shape=[1, 3, 2], delay="1*ms", recurrent=True, recurrent_delay="2*ms"),
        input_shape=[1, 3, 2], steps=9, schedule=schedule, neuron="coba",
        neurons={"coba": {**COBA, "initial": {"v": "4*int(i == 0)"}}}, decoder={"kind": "mean"},
    )  # fmt: skip
    mirror = mirror_of(multiplied(Network.initialise(config, seed=2), 1.5))
    emitted = drive_of(config)
    with torch.no_grad():
        activity = mirror(emitted)
        for name, layer in mirror.layers.items():
            spikes = activity.layers[name].spikes
            run = layer.neuron(layer.arriving(emitted), recurrence=layer.recurrence)
            arrived = layer.arrived(emitted, spikes)
            assert arrived.keys() == {"bioae_input", "bioae_inhibition"}
            for step, each in enumerate(run.arrived[layer.neuron.schedule.lead_in :]):
                for key, tensor in arrived.items():
                    expected = torch.zeros_like(tensor[step]) if each is None else each[key]
                    torch.testing.assert_close(tensor[step], expected, rtol=1e-12, atol=1e-12)
            assert all(tensor.any() for tensor in arrived.values())
            emitted = spikes
