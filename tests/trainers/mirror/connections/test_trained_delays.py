"""Trained delays: gradients, bounds, rounding, and the network that is stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import SCHEDULES, conv, dense, described, multiplied
from finite_differences import assert_gradients
from mirrors import KEY, close, drive_of, needs_compiler
from refusals import refused
from torch import Tensor

from bioae.errors import NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror import Backward, LayerOptions, NetworkMirror
from bioae.trainers.mirror.derivatives import ArcTan, Boxcar

PAIR = ["0*ms", "3*ms"]
#: Keys of the layers with which projections train one delay, or one of each connection.
KINDS: dict[str, dict[str, Any]] = {"one": {}, "each": {"delay": PAIR}}
NAMES = ("first.weight", "first.recurrent", "last.weight")


def mirror_of(
    kind: str, *names: str, schedule: str = "brian2", derivative: Any = None, **options: Any
) -> NetworkMirror:
    """Return two layers with recurrence and inhibition, whose delays are between steps."""
    own, first = KINDS[kind], {"recurrent_delay": PAIR} if kind == "each" else {}
    config = described(
        conv("first", 2, 2, recurrent=True, **own, **first), dense("last", shape=[1, 3, 2], **own),
        input_shape=[1, 3, 2], steps=9, dt="0.5*ms", schedule=schedule, neuron="coba",
        decoder={"kind": "mean"},
    )  # fmt: skip
    network = multiplied(Network.initialise(config, seed=2), 8.0)
    bounds = dict.fromkeys(names or NAMES, ("0*ms", "3*ms"))
    layers = LayerOptions(Backward(derivative or ArcTan()), delays=bounds)
    mirror = NetworkMirror(network, layers, dtype=torch.float64, potentials="all", **options)
    with torch.no_grad():
        for seed, delays in enumerate(mirror.delays.values()):
            noise = torch.from_numpy(np.random.default_rng(seed).random(delays.steps.shape))
            delays.steps += 0.1 + 0.8 * noise
        mirror.clamp_()
    return mirror


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_slopes_of_the_interpolated_network(kind: str, schedule: str) -> None:
    """A box of no width is the exact derivative of spikes that stay where they are."""
    mirror = mirror_of(kind, schedule=schedule, derivative=Boxcar(width=1e-9))
    drive = drive_of(mirror.config)

    def loss() -> Tensor:
        activity = mirror(drive, record=["v", "g_e"], key=KEY)
        assert all(layer.spikes.any() for layer in activity.layers.values())
        states = [t for layer in activity.layers.values() for t in layer.states.values()]
        waves = [torch.sin(torch.arange(each.numel())).view_as(each) for each in states]
        return torch.stack([(t * w).sum() for t, w in zip(states, waves, strict=True)]).sum()

    loss().backward()  # type: ignore[no-untyped-call]
    delays = {name: each.steps for name, each in mirror.delays.items()}
    assert [*delays] == [f"{name}_delay" for name in NAMES]
    assert all(each.grad is not None and each.grad.any() for each in delays.values())
    assert_gradients(loss, delays, every=3, tolerance=1e-6)


@needs_compiler
@pytest.mark.medium
@pytest.mark.parametrize("names", [NAMES, ("first.weight", "last.weight")])
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_steps_do_the_same(kind: str, names: tuple[str, ...]) -> None:
    for constant in (False, True):
        found = []
        for compiled in (False, True):
            mirror = mirror_of(kind, *names, compile=compiled)
            drive = drive_of(mirror.config)
            activity = mirror(drive[:1].expand_as(drive) if constant else drive, key=KEY)
            traces = [each.potential for each in activity.layers.values()]
            torch.stack([each.square().sum() for each in traces]).sum().backward()
            found.append((activity, {name: each.grad for name, each in mirror.weights.items()}))
        (plain, expected), (other, gradients) = found
        for name, layer in plain.layers.items():
            assert layer.spikes.any()
            assert torch.equal(layer.spikes, other.layers[name].spikes)
        for name, each in expected.items():
            assert each.any(), name
            close(gradients[name], each, 1e-9)


def test_bounds_hold_and_pairs_that_are_not_connected_stay() -> None:
    mirror = mirror_of("each")
    mirror(drive_of(mirror.config), key=KEY).output.sum().backward()
    gradient = mirror.delays["first.recurrent_delay"].steps.grad
    assert gradient.any()
    assert not gradient.diagonal().any()
    with torch.no_grad():
        for delays in mirror.delays.values():
            delays.steps += torch.linspace(-9, 9, delays.steps.numel()).view_as(delays.steps)
    mirror.clamp_()
    for delays in mirror.delays.values():
        assert (delays.steps.min(), delays.steps.max()) == (0, 6)
        assert {delay for delay, _ in delays.shares()} <= {*range(7)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_has_delays_in_whole_steps(kind: str) -> None:
    """In its description where a projection has one delay, else in an array."""
    mirror = mirror_of(kind)
    network = mirror.to_network()
    assert (network.config == mirror.config) == (kind == "each")
    found = {n: d for placed in network.config.placed for n, d in network.delays(placed).items()}
    assert [*found] == [*NAMES]
    with torch.no_grad():
        for name, delays in mirror.delays.items():
            delays.steps.copy_(delays.steps.round())
            assert found[name.removesuffix("_delay")].tolist() == delays.steps.tolist()
    drive = drive_of(mirror.config)
    activity, other = mirror(drive, key=KEY), NetworkMirror(network, dtype=torch.float64)(drive)
    for name, layer in activity.layers.items():
        assert layer.spikes.any()
        assert torch.equal(layer.spikes, other.layers[name].spikes)


GRAPH = {
    "populations": [{"name": "a", "size": 3}, {"name": "b", "size": 3, "depth": 4}],
    "projections": [
        {"from": "input", "to": "a"},
        {"from": "a", "to": "b", "delay": "2*ms"},
        {"from": "input", "to": "b", "kind": "sparse", "synapses": 4, "delay": "3*ms"},
    ],
    "input_shape": [1, 1, 3], "steps": 9,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "bounds", "fields"),
    [
        ("a.weight", ("0*ms", "2*ms"),
         {"where": "delays", "expected": "one of a.from_input, b.from_a, b.from_input"}),
        ("a.from_input", ("0*ms", "0.4*ms"), {"found": "0*ms, 0.4*ms"}),
        ("a.from_input", ("2*ms", "1*ms"), {"found": "2*ms, 1*ms"}),
        ("a.from_input", ("0*ms", "9*ms"), {"found": "9 ms"}),
        ("a.from_input", ("0*mV", "1*mV"), {"where": "trained delays of 'a.from_input'"}),
        ("b.from_a", ("3*ms", "4*ms"), {"expected": "3*ms to 4*ms", "found": "2 ms"}),
        ("b.from_a", ("0*ms", "4*ms"), {"where": "projection 'b.from_a'", "found": "0 steps"}),
        ("b.from_input", ("3*ms", "5*ms"), {"where": "trained delays of 'b.from_input'"}),
    ],
)  # fmt: skip
def test_refusals(name: str, bounds: tuple[str, str], fields: dict[str, Any]) -> None:
    network = Network.initialise(NetworkConfig.from_mapping(GRAPH))
    with refused(NetworkError, **fields):
        NetworkMirror(network, LayerOptions(delays={name: bounds}))
