"""Gradients through refractoriness against a loop in plain PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import dense, described
from finite_differences import Surrogate
from mirrors import mirror_of
from torch import Tensor

from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.mirror.derivatives import FastSigmoid

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
        Network(config, {"only.weight": weights}),
        derivative=FastSigmoid(slope=10.0),
        detach_refractory=not attached,
        trainable=tuple(VALUES),
    )
    drive = stream(0, 0).random((STEPS, EXAMPLES, 1, 2, 2))
    given, other = (torch.from_numpy(drive.copy()).requires_grad_() for _ in range(2))
    weight = torch.tensor(weights).requires_grad_()
    values = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in VALUES.items()
    }
    found = mirror(given).layers["only"].spikes.reshape(STEPS, EXAMPLES, UNITS)
    expected = loop(other, weight, values, schedule, attached=attached)
    assert 0.1 < expected.mean() < 0.9
    assert torch.equal(found, expected)
    weighting = torch.from_numpy(stream(5, 5).normal(size=expected.shape))
    (weighting * found).sum().backward()  # type: ignore[no-untyped-call]
    (weighting * expected).sum().backward()  # type: ignore[no-untyped-call]
    pairs = [(given.grad, other.grad, 1.0), (mirror.weights["only.weight"].grad, weight.grad, 1.0)]
    for name, value in values.items():
        scale = mirror.trained[f"only.{name}"].scale
        unit = VALUES[name] if scale.logarithmic else scale.unit
        pairs.append((mirror.weights[f"only.{name}"].grad, value.grad, unit))
    for a, b, unit in pairs:
        assert a is not None
        assert b is not None
        assert b.any()
        torch.testing.assert_close(a, unit * b)
