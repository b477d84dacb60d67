"""Exact gradients of spike times: a closed form, an event-driven reference, and refusals."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from builders import SCHEDULES, dense, described, model
from mirrors import mirror_of
from refusals import refused

from benchmarks.exact_gradients import CASES, STEPS, draw, errors, mirrored, order
from bioae.errors import NetworkError
from bioae.networks import Network
from bioae.trainers.mirror.derivatives import ArcTan, Exact

#: A neuron whose potential rises at the rate of the input that has arrived.
RISING: dict[str, Any] = {
    "description": "Integrator.", "equations": "dv/dt = I/second : 1\nI : 1",
    "threshold": "v > 1", "reset": "v = 0", "method": "euler", "input": "I",
}  # fmt: skip


DRIVE = torch.zeros(20, 1, 1, 1, 1, dtype=torch.float64)
DRIVE[0] = 1


def rising(
    fields: dict[str, Any] | None = None, neuron: dict[str, Any] = RISING, **options: Any
) -> Any:
    network = {"schedule": "brian2", "steps": 20, "decoder": {"kind": "mean"}, **(fields or {})}
    config = described(
        dense("only", shape=[1, 1, 1]), input_shape=[1, 1, 1],
        neuron=model(neuron), **network,
    )  # fmt: skip
    return mirror_of(
        Network(config, {"only.weight": np.array([[203.0]])}), derivative=Exact(), **options
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.medium)])
def test_spikes_of_a_constant_rate_come_earlier_in_proportion(
    schedule: str, compiled: bool
) -> None:
    mirror = rising({"schedule": schedule}, compile=compiled)
    spikes = mirror(DRIVE).layers["only"].spikes.flatten()
    fired = spikes.detach().nonzero().flatten()
    assert len(fired) >= 3
    for count, step in enumerate(fired):
        if step + 1 < len(spikes):
            # The k-th spike is at k/w: its derivative is -k/w^2, and a step later is a whole spike.
            expected = -(count + 1) / 203.0**2 / 1e-3
            (later,) = torch.autograd.grad(
                spikes[step + 1], mirror.weights["only.weight"], retain_graph=True
            )
            assert later.item() == pytest.approx(expected, rel=0.05)
    (number,) = torch.autograd.grad(spikes.sum(), mirror.weights["only.weight"])
    assert number.item() == pytest.approx(0, abs=1e-12)  # none appears or vanishes, at the end too


def test_a_threshold_that_rises_in_time_is_reached_later() -> None:
    fled = {"threshold": "v > 1 + 100*t/second", "surrogate": {"distance": "v - 1 - 100*t/second"}}
    fled["surrogate"]["scale"] = "1"
    mirror = rising({"dt": "0.1*ms", "steps": 200}, RISING | fled)
    drive = torch.zeros(200, 1, 1, 1, 1, dtype=torch.float64)
    drive[0] = 1
    spikes = mirror(drive).layers["only"].spikes.flatten()
    (step,) = spikes.detach().nonzero().flatten()
    assert step == pytest.approx(1 / (203 - 100) / 1e-4, abs=2)
    spikes[step + 1].backward()
    found = mirror.weights["only.weight"].grad.item()
    assert found == pytest.approx(-1 / (203 - 100) ** 2 / 1e-4, rel=0.02)


def test_latency() -> None:
    mirror = rising(
        {"decoder": {"kind": "first_spike"}, "task": {"kind": "classification", "classes": 1}}
    )
    output = mirror(DRIVE).output
    assert output.item() == 16
    output.sum().backward()
    found = mirror.weights["only.weight"].grad.item()
    assert found == pytest.approx(1 / 203.0**2 / 1e-3, rel=0.05)


@pytest.mark.medium
@pytest.mark.parametrize("model", CASES)
def test_errors_fall_with_the_step(model: str) -> None:
    case, steps = CASES[model].refractory(2e-3), STEPS[::2]
    several = errors(case, steps, recurrent=True)
    found = [next(several) for _ in range(8)]
    assert sum(each.spikes for each in found) > 60
    medians = np.median([each.relative for each in found], axis=0)
    assert medians[-1] < 0.15
    assert medians[-1] < medians[0] / 2


@pytest.mark.medium
@pytest.mark.parametrize("refractory", [0, 2e-3])
def test_compiled(refractory: float) -> None:
    case = CASES["LIF"].refractory(refractory)
    drawn = draw(case, 3, recurrent=True)
    for options in ({}, {"recompute": 5}):
        counts, whole = mirrored(case, drawn, 5e-4, Exact(), **options)
        assert sum(counts) > 5
        assert whole == pytest.approx(
            mirrored(case, drawn, 5e-4, Exact(), compiled=False, **options)[1], rel=1e-9
        )
        assert whole != mirrored(case, drawn, 5e-4, ArcTan())[1]


@pytest.mark.slow
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("refractory", [0, 2e-3])
@pytest.mark.parametrize("model", CASES)
def test_errors_fall_in_proportion_to_the_step(
    model: str, refractory: float, recurrent: bool
) -> None:
    several = errors(CASES[model].refractory(refractory), STEPS, recurrent=recurrent)
    found = [next(several) for _ in range(100)]
    assert sum(each.spikes for each in found) >= 200
    assert 0.8 <= order(STEPS, np.median([each.relative for each in found], axis=0)) <= 1.2


@pytest.mark.parametrize(
    "changes",
    [
        {"equations": "dv/dt = int(I > 3)/ms : 1\nI : 1"},
        {"equations": "dv/dt = I/second + xi/sqrt(second) : 1\nI : 1"},
        {"threshold": "int(v > 1) > 0"},
        {"threshold": "v > 1 + 0.1*rand()"},
        {"refractory": "v > 1"},
        {"events": {"half": {"condition": "v > 0.5", "reset": "I = 0"}}},
    ],
)
def test_models_without_times_are_refused(changes: dict[str, str]) -> None:
    config = described(
        dense("only", shape=[1, 1, 1]), input_shape=[1, 1, 1], steps=3, decoder={"kind": "mean"},
        neuron=model({**RISING, **changes}),
    )  # fmt: skip
    with refused(NetworkError, where="mine"):
        mirror_of(Network.initialise(config), derivative=Exact())


def test_options_of_other_derivatives_are_refused() -> None:
    for options in ({"straight_through": 0.9}, {"detach_refractory": False}, {"truncate": 5}):
        with refused(NetworkError, where="mine"):
            rising(**options)


def test_jumps_to_threshold_are_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "bioae")
    config = described(dense("only", shape=[1, 1, 2]), input_shape=[1, 1, 2], steps=3, neuron="lif")
    mirror_of(Network.initialise(config), derivative=Exact())
    assert "lif" in caplog.text
