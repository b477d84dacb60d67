"""Mirrors against loops in plain PyTorch: two layers, refractoriness, and the membrane rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from builders import SCHEDULES, dense, described
from finite_differences import Surrogate
from mirrors import drive_of, mirror_of, two_recurrent
from torch import Tensor

from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.derivatives import FastSigmoid, Membrane


def check_same(found: Tensor, expected: Tensor, pairs: list[tuple[Tensor, Tensor, float]]) -> None:
    """Compare spikes and the gradients that they send to leaves of both sides, in some unit."""
    assert 0.1 < expected.mean() < 0.9
    assert torch.equal(found, expected)
    weighting = torch.from_numpy(stream(5, 5).normal(size=expected.shape))
    for spikes in (found, expected):
        (weighting * spikes).sum().backward()  # type: ignore[no-untyped-call]
    for one, other, unit in pairs:
        assert one.grad is not None
        assert other.grad is not None
        assert other.grad.any()
        torch.testing.assert_close(one.grad, unit * other.grad)


def monolith(given: Tensor, weights: dict[str, Tensor], schedule: str) -> Tensor:
    """Both layers of LIF neurons at once, step by step: spikes reach the second layer at once."""
    decay = math.exp(-1 / 100)
    examples = given.shape[1]
    u = [torch.zeros((examples, size), dtype=torch.float64) for size in (4, 6)]
    s = [torch.zeros_like(x) for x in u]
    emitted: list[list[Tensor]] = [[], []]
    kernel = weights["first.weight"]

    def fire(layer: int) -> None:
        s[layer] = Surrogate.apply(u[layer] - 1)  # type: ignore[no-untyped-call]
        emitted[layer].append(s[layer])

    for current in given:
        for layer, name in enumerate(("first", "last")):
            if layer == 0:
                feed = torch.nn.functional.conv2d(current, kernel, weights["first.bias"]).flatten(1)
            else:
                feed = s[0] @ weights["last.weight"].T + weights["last.bias"]
            recurrent = weights[f"{name}.recurrent"]
            if schedule == "paper":
                u[layer] = u[layer] + feed + s[layer] @ recurrent.T
                fire(layer)
                u[layer] = decay * u[layer] * (1 - s[layer])
            else:
                # What comes from below in step n is there from the end of step n - 1 on.
                u[layer] = (u[layer] + feed) * (1 - s[layer])
                u[layer] = decay * u[layer]
                fire(layer)
                u[layer] = u[layer] + s[layer] @ recurrent.T
    return torch.cat([torch.stack(steps).flatten() for steps in emitted])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_layer_by_layer_equals_step_by_step(schedule: str) -> None:
    network = two_recurrent("lif", schedule)
    mirror = mirror_of(network, derivative=FastSigmoid(slope=10.0))
    given, same = (drive_of(network.config).requires_grad_() for _ in range(2))
    weights = {n: torch.tensor(values).requires_grad_() for n, values in network.weights.items()}
    found = [layer.spikes.flatten() for layer in mirror(given).layers.values()]
    pairs = [(given, same, 1.0), *((mirror.weights[name], weights[name], 1.0) for name in weights)]
    check_same(torch.cat(found), monolith(same, weights, schedule), pairs)


# Refractoriness

STEPS, EXAMPLES, UNITS, PAUSE = 15, 3, 4, 3
SLOTS = {
    "brian2": ("groups", "thresholds", "synapses", "resets"),
    "paper": ("synapses", "thresholds", "resets", "groups"),
}
#: What the loop starts from, in base units.
VALUES = {"tau": 0.02, "theta": 0.02, "v_r": 0.01}


def loop(
    given: Tensor, weight: Tensor, values: dict[str, Tensor], schedule: str, *, attached: bool
) -> Tensor:
    """Neurons that rest after a spike, where nothing moves them: activities are numbers."""
    shape = (EXAMPLES, UNITS)
    v, spike = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    active, last = torch.ones_like(v), torch.full(shape, -np.inf)
    emitted = []
    lead_in = int(schedule == "brian2")
    arriving = torch.cat([given.flatten(2) @ weight.T, torch.zeros(lead_in, *shape)]) * 0.01
    for step, current in enumerate(arriving):
        for slot in SLOTS[schedule]:
            if slot == "groups":
                active = torch.where(step - last >= PAUSE, 1.0, active)
                v = active * v * torch.exp(-0.001 / values["tau"]) + (1 - active) * v
            elif slot == "thresholds":
                distance = (v - values["theta"]) / values["theta"].detach()
                # Nothing that moves a resting neuron makes it fire.
                distance = torch.where(active.bool(), distance, distance.detach())
                spike = active * Surrogate.apply(distance)  # type: ignore[no-untyped-call]
                emitted.append(spike)
                last = torch.where(spike.bool(), step, last)
                active = active * (1 - spike)
                active = active if attached else active.detach()
            elif slot == "synapses":
                v = active * (v + current) + (1 - active) * v
            else:
                v = spike * values["v_r"] + (1 - spike) * v
    return torch.stack(emitted[lead_in:])


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("schedule", SLOTS)
def test_a_refractory_lif_learns_as_a_loop_does(schedule: str, attached: bool) -> None:
    config = described(
        dense("only", shape=[1, 2, 2], parameters={"t_ref": f"{PAUSE}*ms"}),
        input_shape=[1, 2, 2], steps=STEPS, schedule=schedule, neuron="lif_refractory",
        decoder={"kind": "count"},
    )  # fmt: skip
    weights = abs(Network.initialise(config, seed=1).weights["only.weight"])
    mirror = mirror_of(
        Network(config, {"only.weight": weights}), derivative=FastSigmoid(slope=10.0),
        detach_refractory=not attached, trainable=tuple(VALUES),
    )  # fmt: skip
    drive = stream(0, 0).random((STEPS, EXAMPLES, 1, 2, 2))
    given, other = (torch.from_numpy(drive.copy()).requires_grad_() for _ in range(2))
    weight = torch.tensor(weights).requires_grad_()
    values = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in VALUES.items()
    }
    found = mirror(given).layers["only"].spikes.reshape(STEPS, EXAMPLES, UNITS)
    pairs = [(given, other, 1.0), (mirror.weights["only.weight"], weight, 1.0)]
    for name, value in values.items():
        scale = mirror.trained[f"only.{name}"].scale
        unit = VALUES[name] if scale.logarithmic else scale.unit
        pairs.append((mirror.weights[f"only.{name}"], value, unit))
    check_same(found, loop(other, weight, values, schedule, attached=attached), pairs)


# The rule of Hübotter et al. 2021

DECAY = math.exp(-1 / 100)


def mirror_of_one(
    schedule: str, steps: int, theta: float = 1.0, weight: float = 1.0
) -> NetworkMirror:
    """One LIF neuron that hears one input."""
    layer = dense("only", 1, parameters={"theta": str(theta)})
    fields = {"steps": steps, "schedule": schedule, "decoder": {"kind": "count"}}
    config = described(layer, input_shape=[1, 1, 1], **fields)
    network = Network(config, {"only.weight": torch.full((1, 1), weight).double().numpy()})
    return mirror_of(network, derivative=Membrane(), potentials="all")


def run(mirror: NetworkMirror, drive: list[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the drive, spikes and potential U, each (time)."""
    given = torch.tensor(drive, dtype=torch.float64).reshape(-1, 1, 1, 1, 1).requires_grad_()
    layer = mirror(given).layers["only"]
    return given, layer.spikes.flatten(), layer.potential.flatten()


def numbers(tensor: Tensor) -> list[float]:
    found: list[float] = tensor.detach().flatten().tolist()
    return found


def gradient(value: Tensor, given: Tensor) -> list[float]:
    (found,) = torch.autograd.grad(value, given, retain_graph=True)
    return numbers(found)


def test_three_explicit_steps_in_the_papers_order() -> None:
    # u = 0.6; 0.6 L + 0.6 > 1 fires, u = 0; u = 0.6. A spike is worth 1 / theta = 1.
    given, spikes, potential = run(mirror_of_one("paper", 3), [0.6, 0.6, 0.6])
    assert spikes.tolist() == [0, 1, 0]
    assert gradient(spikes[0], given) == [0, 0, 0]
    # Through the leak as if it were not there; nothing gets past a reset or through silence.
    assert gradient(spikes[1], given) == [1, 1, 0]
    assert gradient(spikes[2], given) == [0, 0, 0]
    # U is never reset: U_3 = L (0.6 + L (0.6 + L 0.6)), and its derivatives are 1.
    expected = 0.6 * (DECAY + DECAY**2 + DECAY**3)
    assert numbers(potential)[2] == pytest.approx(expected, rel=1e-15)
    assert gradient(potential[2], given) == [1, 1, 1]


def oracle(drive: Tensor, theta: float, schedule: str) -> tuple[Tensor, Tensor]:
    """A LIF unrolled: leaks bent straight, resets detached, spikes worth 1 / theta."""

    def bend(old: Tensor, new: Tensor) -> Tensor:
        return old + (new - old).detach()

    def fire(potential: Tensor) -> Tensor:
        spike = (potential > theta).double()
        return spike.detach() + (potential - potential.detach()) * spike.detach() / theta

    u = cumulative = torch.zeros(drive.shape[1:], dtype=drive.dtype)
    spikes, potentials = [], []
    steps = drive if schedule == "paper" else torch.cat([drive, torch.zeros_like(drive[:1])])
    for step, current in enumerate(steps):
        if schedule == "brian2":
            u, cumulative = bend(u, DECAY * u), bend(cumulative, DECAY * cumulative)
            spike = fire(u)
            u = u + current
        else:
            u = u + current
            spike = fire(u)
        cumulative = cumulative + current
        u = torch.where(spike.detach() > 0, torch.zeros_like(u), u)
        if schedule == "paper":
            u, cumulative = bend(u, DECAY * u), bend(cumulative, DECAY * cumulative)
        if schedule == "paper" or step > 0:
            spikes.append(spike)
            potentials.append(cumulative)
    return torch.stack(spikes), torch.stack(potentials)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("theta", [1.0, 0.5])
def test_against_a_loop_in_plain_torch(schedule: str, theta: float) -> None:
    generator = torch.Generator().manual_seed(0)
    drive = torch.rand((20, 7), generator=generator, dtype=torch.float64) - 0.2
    weights: Any = torch.randn((2, 20, 7), generator=generator, dtype=torch.float64)
    mirror = mirror_of_one(schedule, 20, theta=theta)

    given = drive.reshape(20, 7, 1, 1, 1).clone().requires_grad_()
    layer = mirror(given).layers["only"]
    found = layer.spikes[..., 0], layer.potential[..., 0]
    expected_given = drive.clone().requires_grad_()
    expected = oracle(expected_given, theta, schedule)
    assert 0.05 < found[0].mean() < 0.6
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1], rtol=1e-13, atol=1e-13)

    sum((w * x).sum() for w, x in zip(weights, found, strict=True)).backward()
    sum((w * x).sum() for w, x in zip(weights, expected, strict=True)).backward()
    assert given.grad is not None
    assert expected_given.grad is not None
    assert (expected_given.grad != 0).double().mean() > 0.5
    torch.testing.assert_close(given.grad.reshape(20, 7), expected_given.grad)
