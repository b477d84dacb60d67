"""Constant input: its sums are computed once, and act in every step."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import conv, dense
from mirrors import close, learn, mirror_of, needs_compiler
from torch import Tensor

from bioae.networks import Network, NetworkConfig
from bioae.networks.layers import Dense
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.connections.functional import connect
from bioae.trainers.mirror.derivatives import FastSigmoid

COMPILED = [False, pytest.param(True, marks=[pytest.mark.medium, needs_compiler])]
LAYERS: list[dict[str, Any]] = [
    conv("first", 3, 3),
    dense("last", shape=[1, 6, 6], gain=2.0),
]


def described(**changes: Any) -> NetworkConfig:
    fields = {
        "input_shape": [1, 6, 6], "steps": 12, "dt": "1*ms", "schedule": "paper", "layers": LAYERS,
        "encoder": {"kind": "constant_current", "gain": 0.5}, "decoder": {"kind": "last"},
        **changes,
    }  # fmt: skip
    return builders.described(*fields.pop("layers"), **fields)


def shown(config: NetworkConfig) -> Tensor:
    images = np.random.default_rng(3).random((4, *config.input_shape))
    return torch.from_numpy(Presentations.of(config, images).drive()).double()


@pytest.mark.parametrize("compiled", COMPILED)
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
@pytest.mark.parametrize("delay", ["0*ms", pytest.param("3*ms", marks=pytest.mark.slow)])
def test_held_input_equals_separate_steps(
    monkeypatch: pytest.MonkeyPatch, schedule: str, delay: str, compiled: bool
) -> None:
    layers = [{**LAYERS[0], "delay": delay}, LAYERS[1]]
    network = Network.initialise(described(schedule=schedule, layers=layers)).quantised()
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
    layer = dense("only", shape=[1, 6, 6])
    network = Network.initialise(described(layers=[layer], latent="only"))
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
