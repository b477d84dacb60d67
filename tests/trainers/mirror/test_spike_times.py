"""Exact gradients of spike times: a closed form, an event-driven reference, and refusals."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from builders import dense, described, model
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


def rising(**options: Any) -> Any:
    config = described(
        dense("only", shape=[1, 1, 1]), input_shape=[1, 1, 1], steps=20, decoder={"kind": "mean"},
        neuron=model(RISING),
    )  # fmt: skip
    network = Network(config, {"only.weight": np.array([[203.0]])})
    return mirror_of(network, derivative=Exact(), **options)


def test_spikes_of_a_constant_rate_come_earlier_in_proportion() -> None:
    mirror = rising()
    drive = torch.zeros(20, 1, 1, 1, 1, dtype=torch.float64)
    drive[0] = 1
    spikes = mirror(drive).layers["only"].spikes.flatten()
    fired = spikes.detach().nonzero().flatten()
    assert fired.tolist() == [4, 9, 14, 19]
    for count, step in enumerate(fired[:-1]):
        (later,) = torch.autograd.grad(
            spikes[step + 1], mirror.weights["only.weight"], retain_graph=True
        )
        # The k-th spike is at k/w: its derivative is -k/w^2, and a shift by dt is a whole spike.
        expected = -(count + 1) / 203.0**2 / 1e-3
        assert later.item() == pytest.approx(expected, rel=0.05)


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
def test_compiled_and_truncated(refractory: float) -> None:
    case = CASES["LIF"].refractory(refractory)
    drawn = draw(case, 3, recurrent=True)
    for options in ({}, {"truncate": 7}, {"recompute": 5}):
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
    medians = np.median([each.relative for each in found], axis=0)
    assert 0.8 <= order(STEPS, medians) <= 1.2


@pytest.mark.parametrize(
    "changes",
    [
        {"equations": "dv/dt = int(I > 3)/ms : 1\nI : 1"},
        {"equations": "dv/dt = I/second + xi/sqrt(second) : 1\nI : 1"},
        {"threshold": "int(v > 1) > 0"},
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
    for options in ({"straight_through": 0.9}, {"detach_refractory": False}):
        with refused(NetworkError, where="mine"):
            rising(**options)


def test_jumps_to_threshold_are_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "bioae")
    config = described(dense("only", shape=[1, 1, 2]), input_shape=[1, 1, 2], steps=3, neuron="lif")
    mirror_of(Network.initialise(config), derivative=Exact())
    assert "lif" in caplog.text
