"""The steps of presentations, and other time steps: the same input per time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from builders import dense, described, model
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bioae import simulate
from bioae.datasets import Data
from bioae.errors import DataError, NetworkError
from bioae.networks import Network
from bioae.networks.schedule import SCHEDULES, ScheduleName, Timing
from bioae.random import stream
from bioae.simulation import Backend
from bioae.simulation.presentations import Presentations


@pytest.mark.parametrize(
    ("name", "period", "blocks"),
    [
        ("brian2", 11, ("groups", "thresholds", "synapses", "resets")),
        ("paper", 10, ("synapses", "thresholds", "resets", "groups")),
    ],
)
def test_the_two_schedules(name: ScheduleName, period: int, blocks: tuple[str, ...]) -> None:
    timing = Timing(SCHEDULES[name], steps=10)
    assert (timing.period, timing.schedule.blocks) == (period, blocks)


@pytest.mark.parametrize("name", SCHEDULES)
@given(steps=st.integers(1, 200), presentations=st.integers(1, 50), depth=st.integers(1, 10))
def test_windows_follow_one_another_and_all_fit(
    name: ScheduleName, steps: int, presentations: int, depth: int
) -> None:
    timing = Timing(SCHEDULES[name], steps)
    starts = [timing.start(depth) + k * timing.period for k in range(presentations)]
    first = [start + timing.schedule.lead_in for start in starts]
    assert first == [depth + k * timing.period for k in range(presentations)]
    # The window of one presentation ends where the next is reset.
    assert all(a + steps <= b for a, b in zip(first, starts[1:], strict=False))
    assert first[-1] + steps <= timing.duration(presentations, depth)
    assert timing.start(0) == 0


POINTS = 6
SIGNALS = stream(0, 0).normal(size=(4, POINTS, 3))
TARGETS = stream(1, 0).normal(size=(4, POINTS, 2))
GRADED: list[dict[str, Any]] = [
    {"kind": "frames", "gain": 0.7},
    {"kind": "level_crossing", "delta": 0.3},
    {"kind": "population", "low": -2.0, "high": 2.0},
]


def network(every: int = 1, encoder: dict[str, Any] = GRADED[0], **fields: Any) -> Network:
    """A network of signals of 6 points, which gives numbers at each step."""
    config = {
        "input_shape": [3], "steps": POINTS * every, "encoder": {**encoder, "every": every},
        "task": {"kind": "sequence", "outputs": 2, "every": every},
        "decoder": {"kind": "trajectory"}, **fields,
    }  # fmt: skip
    return Network.initialise(described(dense("only", 2, bias=True), **config))


def per_point(network: Network) -> np.ndarray[Any, Any]:
    """Return the input that each point brings (example, point, *neurons)."""
    config = network.config
    held = config.encoder.held(SIGNALS, steps=config.steps)
    return held.reshape(4, POINTS, -1, *config.encoded_shape).sum(2)


@pytest.mark.parametrize("encoder", GRADED, ids=lambda encoder: encoder["kind"])
@pytest.mark.parametrize(("every", "dt", "now"), [(1, 0.25, 4), (6, 1.5, 4), (3, 3.0, 1)])
def test_a_signal_lasts_as_long(every: int, dt: float, now: int, encoder: dict[str, Any]) -> None:
    before = network(every, encoder)
    after = before.with_time(dt=f"{dt}*ms")
    config = after.config
    assert config.steps == POINTS * now
    assert (config.points, config.task.points(config.steps)) == (POINTS, POINTS)
    assert config.steps * config.dt_seconds == pytest.approx(POINTS * every * 1e-3)
    grid = max(every, now) / 4096
    np.testing.assert_allclose(per_point(after), per_point(before), atol=grid)
    assert np.abs(per_point(after)).sum() > 1
    changes = Fraction(now, every)
    np.testing.assert_allclose(
        after.weights["only.bias"] * float(changes), before.weights["only.bias"]
    )


def test_finer_steps_are_those_of_a_finer_time_step() -> None:
    by_parts, by_dt = network().in_finer_steps(4), network().with_time(dt="0.25*ms")
    assert by_parts.config.dt_seconds == by_dt.config.dt_seconds
    assert by_parts.config.varied(dt=by_dt.config.dt) == by_dt.config


def test_signals_and_targets_are_held() -> None:
    finer = network(encoder={"kind": "frames", "gain": 1.0}).with_time(dt="0.5*ms")
    data = Data.of_signals(SIGNALS, targets=TARGETS)
    shown = Presentations.of(finer.config, data)
    np.testing.assert_array_equal(shown.inputs(), np.repeat(SIGNALS, 2, axis=1))
    held = finer.config.task.known_target(data, finer.config.steps)
    np.testing.assert_array_equal(held, np.repeat(TARGETS, 2, axis=1))
    wrong = Data.of_signals(SIGNALS, targets=np.repeat(TARGETS, 2, axis=1))
    with refused(DataError, expected="the shape (6, 2) for each example"):
        Presentations.of(finer.config, wrong)


def test_steps_are_those_of_the_new_time_step() -> None:
    longer = network().with_time(dt="0.5*ms", steps=4 * POINTS)
    assert (longer.config.steps, longer.config.points) == (4 * POINTS, 2 * POINTS)
    with refused(NetworkError, "steps = 13", "every = 2"):
        network().with_time(dt="0.5*ms", steps=13)


@pytest.mark.parametrize(
    ("every", "dt", "names"),
    [
        (1, "2*ms", ("1 ms", "found 2 ms")),
        (1, "0.4*ms", ("found 0.4 ms",)),
        (4, "3*ms", ("4 ms",)),
        (1, "1e-6*ms", ("steps",)),
    ],
)
def test_other_time_steps_are_refused(every: int, dt: str, names: tuple[str, ...]) -> None:
    with refused(NetworkError, *names):
        network(every).with_time(dt=dt)


RANDOM: list[tuple[dict[str, Any], str, list[int]]] = [
    ({"kind": "frames", "random": True, "every": 4}, "gain", [3]),
    ({"kind": "population", "random": True, "every": 4}, "gain", [3]),
    ({"kind": "bernoulli"}, "rate", [1, 1, 3]),
]


@pytest.mark.parametrize(("encoder", "name", "shape"), RANDOM, ids=str)
def test_a_step_that_is_too_long_for_random_spikes_is_refused(
    encoder: dict[str, Any], name: str, shape: list[int]
) -> None:
    """A step has at most one spike: a probability of 0.25 per ms is 1 in 4 ms, and 0.3 is 1.2."""
    task, decoder = {"kind": "sequence", "outputs": 2, "every": 4}, {"kind": "trajectory"}
    fits, exceeds = (
        Network.initialise(described(
            dense("only", 2), input_shape=shape, steps=24, task=task, decoder=decoder,
            encoder={**encoder, name: amount},
        ))
        for amount in (0.25, 0.3)
    )  # fmt: skip
    assert getattr(fits.with_time(dt="4*ms").config.encoder, name) == 1
    assert getattr(exceeds.with_time(dt="2*ms").config.encoder, name) == pytest.approx(0.6)
    with refused(NetworkError, where="dt", found=f"{name} = 1.2"):
        exceeds.with_time(dt="4*ms")


def test_the_least_common_point_of_signals_and_targets_counts() -> None:
    mixed = network(4, task={"kind": "sequence", "outputs": 2, "every": 6})
    assert mixed.config.point_steps == 2
    coarse = mixed.with_time(dt="2*ms").config
    assert (coarse.steps, coarse.points, coarse.task.points(coarse.steps)) == (12, 6, 4)
    with refused(NetworkError, "2 ms", where="dt"):
        mixed.with_time(dt="4*ms")


@pytest.mark.medium
@pytest.mark.parametrize("dt", ["0.5*ms", "3*ms"])
def test_spikes_whose_effect_depends_on_dt_add_as_much(dt: str) -> None:
    sums = model({
        "description": "sums", "equations": "dv/dt = 0/tau : 1", "threshold": "v > 1e6",
        "reset": "v = 0", "input": "v", "weight": "dt/tau", "parameters": {"tau": "20*ms"},
    })  # fmt: skip
    before = network(3, GRADED[1], neurons={"sums": sums.to_mapping()}, neuron="sums")
    before = replace(before, weights={**before.weights, "only.bias": np.zeros(2)})
    final = [
        simulate(each, SIGNALS, Backend("numpy", record=["v"]))["layers/only/state_v"][:, -1]
        for each in (before, before.with_time(dt=dt))
    ]
    np.testing.assert_allclose(final[1], final[0], rtol=1e-12, atol=1e-12)
    assert np.abs(final[0]).min() > 1e-3
