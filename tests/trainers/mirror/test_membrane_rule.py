"""The rule of Hübotter et al. 2021 on one neuron, against numbers and an unrolled oracle."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from builders import dense, described
from mirrors import mirror_of
from torch import Tensor

from bioae.networks import Network
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.derivatives import Membrane

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
    silence = torch.zeros_like(drive[:1])
    steps = drive if schedule == "paper" else torch.cat([drive, silence])
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


@pytest.mark.parametrize("schedule", ["paper", "brian2"])
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
