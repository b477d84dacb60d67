"""Gradients through delays and signs, and pairs without a connection."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import COBA, conv, dense, described, multiplied
from mirrors import mirror_of
from torch import Tensor

from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.derivatives import Gaussian
from bioae.trainers.mirror.layer import LayerMirror

SCHEDULES = ["brian2", "paper"]
FAST = {**COBA, "parameters": {**COBA["parameters"], "tau": "5*ms"}}


def network(schedule: str, **changes: Any) -> Network:
    first = {"delay": ["0*ms", "2*ms"], "recurrent_delay": ["0*ms", "3*ms"]}
    fields = {
        "input_shape": [1, 3, 2], "steps": 9, "schedule": schedule, "neuron": "coba",
        "neurons": {"coba": FAST}, "decoder": {"kind": "mean"}, **changes,
    }  # fmt: skip
    config = described(
        conv("first", 2, 2, recurrent=True, **first),
        dense("last", shape=[1, 3, 2], delay="1*ms", recurrent=True, recurrent_delay="2*ms"),
        **fields,
    )
    return multiplied(Network.initialise(config, seed=2), 1.5)


def drive(steps: int = 9) -> Tensor:
    return torch.from_numpy(stream(0, 0).random((steps, 2, 1, 3, 2)))


def loss(mirror: NetworkMirror) -> Tensor:
    """Return the weighted sum of all spikes, and the decoded potentials."""
    activity = mirror(drive())
    total = (activity.reconstruction**2).sum()
    for key, layer in enumerate(activity.layers.values()):
        weights = torch.from_numpy(stream(key, 0).normal(size=layer.spikes.shape))
        total = total + (weights * layer.spikes).sum()
    return total


@pytest.mark.usefixtures("smooth")
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_gradients_through_delays_and_signs_are_finite_differences(schedule: str) -> None:
    mirror = mirror_of(network(schedule), derivative=Gaussian(sigma=0.5), dtype=torch.float64)
    loss(mirror).backward()  # type: ignore[no-untyped-call]
    assert len(mirror.weights) == 4
    for key, (name, values) in enumerate(mirror.weights.items()):
        assert values.grad is not None
        direction = torch.from_numpy(stream(key, 1).normal(size=values.shape))
        if name.endswith("recurrent"):
            assert not values.grad.diagonal().any()
            direction.fill_diagonal_(0.0)
        assert (values.grad[values.detach() > 0] != 0).any()
        assert (values.grad[values.detach() < 0] != 0).any()
        before, found = values.detach().clone(), []
        with torch.no_grad():
            for sign in (1, -1):
                values.copy_(before + sign * 1e-5 * direction)
                found.append(float(loss(mirror)))
            values.copy_(before)
        expected = float((values.grad * direction).sum())
        assert abs(expected) > 1e-5
        assert (found[0] - found[1]) / 2e-5 == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("autapses", [False, True])
def test_the_diagonal_is_connected_where_the_layer_has_autapses(autapses: bool) -> None:
    layers = [dense("a", shape=[1, 3, 2], recurrent=True, autapses=autapses)]
    described = network("paper", layers=layers)
    mirror = mirror_of(described, dtype=torch.float64)
    loss(mirror).backward()  # type: ignore[no-untyped-call]
    gradient = mirror.weights["a.recurrent"].grad
    assert gradient is not None
    assert gradient.any()
    assert bool(gradient.diagonal().any()) == autapses
    assert bool(described.weights["a.recurrent"].diagonal().any()) == autapses
    mirror.to_network()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_input_follows_from_the_spikes(schedule: str) -> None:
    """Step by step from recorded spikes, as restarting from a result needs it.

    A neuron starts above its threshold: it fires before the first step that is recorded.
    """
    starting = {"coba": {**COBA, "initial": {"v": "4*int(i == 0)"}}}
    mirror = mirror_of(network(schedule, neurons=starting), dtype=torch.float64)
    with torch.no_grad():
        activity = mirror(drive())
    emitted = drive()
    for name, layer in mirror.layers.items():
        assert isinstance(layer, LayerMirror)
        spikes = activity.layers[name].spikes
        with torch.no_grad():
            run = layer.neuron(layer.arriving(emitted), recurrence=layer.recurrence)
        arrived = layer.arrived(emitted, spikes)
        assert arrived.keys() == {"bioae_input", "bioae_inhibition"}
        lead_in = layer.neuron.schedule.lead_in
        for step, each in enumerate(run.arrived[lead_in:]):
            for key, tensor in arrived.items():
                expected = torch.zeros_like(tensor[step]) if each is None else each[key]
                torch.testing.assert_close(tensor[step], expected, rtol=1e-12, atol=1e-12)
        assert all(tensor.any() for tensor in arrived.values())
        emitted = spikes
