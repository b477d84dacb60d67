"""Pathways: pairs without a connection, input that follows from spikes, and constant input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import COBA, SCHEDULES, conv, dense, described
from mirrors import close, delayed, drive_of, learn, mirror_of, needs_compiler
from torch import Tensor

from bioae.networks import Network, NetworkConfig
from bioae.networks.layers import Dense
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.connections.functional import connect
from bioae.trainers.mirror.derivatives import FastSigmoid


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
    mirror = mirror_of(delayed(schedule, {**COBA, "initial": {"v": "4*int(i == 0)"}}))
    emitted = {"input": drive_of(mirror.config)}
    with torch.no_grad():
        activity = mirror(emitted["input"])
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
            emitted[name] = spikes


COMPILED = [False, pytest.param(True, marks=[pytest.mark.medium, needs_compiler])]
LAYERS: list[dict[str, Any]] = [conv("first", 3, 3), dense("last", shape=[1, 6, 6], gain=2.0)]


def constant(**changes: Any) -> NetworkConfig:
    fields = {
        "input_shape": [1, 6, 6], "steps": 12, "dt": "1*ms", "schedule": "paper", "layers": LAYERS,
        "encoder": {"kind": "constant_current", "gain": 0.5}, "decoder": {"kind": "last"},
        **changes,
    }  # fmt: skip
    return described(*fields.pop("layers"), **fields)


def shown(config: NetworkConfig) -> Tensor:
    images = np.random.default_rng(3).random((4, *config.input_shape))
    return torch.from_numpy(Presentations.of(config, images).drive()).double()


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("delay", ["0*ms", pytest.param("3*ms", marks=pytest.mark.slow)])
def test_held_input_equals_separate_steps(
    monkeypatch: pytest.MonkeyPatch, schedule: str, delay: str, compiled: bool
) -> None:
    layers = [{**LAYERS[0], "delay": delay}, LAYERS[1]]
    network = Network.initialise(constant(schedule=schedule, layers=layers)).quantised()
    drive = shown(network.config)
    options = {"derivative": FastSigmoid(2.0), "potentials": "all", "compile": compiled}
    _, read, found = learn(mirror_of(network, **options), drive)
    monkeypatch.setattr("bioae.trainers.mirror.network.held", lambda emitted: emitted)
    plain, same, expected = learn(mirror_of(network, **options), drive)
    for name, layer in plain.layers.items():
        assert layer.spikes.any()
        assert torch.equal(read[f"{name}.spikes"], layer.spikes)
    assert torch.equal(read["output"], same["output"])
    assert found.keys() == expected.keys() == {*network.weights}
    for name, gradient in expected.items():
        assert gradient.any()
        close(found[name], gradient, 1e-10)


@pytest.mark.parametrize("compiled", COMPILED)
def test_a_leaky_potential_is_a_geometric_sum(compiled: bool) -> None:
    """U_T = w I (a + a^2 + ... + a^T), whatever the neurons of the layer do."""
    network = Network.initialise(constant(layers=[dense("only", shape=[1, 6, 6])], latent="only"))
    config = network.config
    drive, decay = shown(config), np.exp(-config.dt_seconds / 0.1)
    mirror = mirror_of(network, compile=compiled)
    weight = torch.tensor(network.weights["only.weight"])
    steady = connect(Dense(name="only", units=36), drive[0], weight).reshape(4, 1, 6, 6)
    expected = steady * decay * (1 - decay**config.steps) / (1 - decay)
    found = mirror(drive)
    assert found.layers["only"].spikes.any()
    scale = config.encoder.mean_drive(config.steps)
    torch.testing.assert_close(found.reconstruction * scale, expected, rtol=1e-12, atol=1e-12)
