"""Hill climbing with neurons that are auto-encoders: errors computed again, and kept steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest
from numpy.typing import NDArray

from bioae.random import stream
from experiments.autoencoders import hill_climbing
from experiments.autoencoders.hill_climbing import Climb, Climber, Network
from experiments.neurons_as_autoencoders import STEPS, climbed

Numbers = NDArray[np.float64]

NUMBERS = np.random.default_rng(0)
INPUTS = NUMBERS.choice([-1.0, 1.0], (60, 5))
TARGETS = INPUTS @ NUMBERS.normal(size=5) + INPUTS[:, 0] * INPUTS[:, 1]


def climber(evaluations: int = 2000) -> Climber:
    return Climber(INPUTS, TARGETS, neurons=4, evaluations=evaluations, size=0.3, seed=3)


@cache
def finished(steps: str) -> Climb:
    return climbed(climber(), steps)


def by_loops(network: Network, row: Numbers) -> tuple[float, list[float]]:
    """Return the output and the hidden neurons' outputs for one example."""
    hidden = []
    for weights in network.hidden:
        total = weights[-1] + sum(w * x for w, x in zip(weights[:-1], row, strict=True))
        hidden.append(1 / (1 + np.exp(-total)))
    return float(np.dot(network.output[:-1], hidden) + network.output[-1]), hidden


def task_error(network: Network) -> float:
    return float(np.sum((network.outputs(INPUTS) - TARGETS) ** 2))


def goal_of(owner: Climber) -> Numbers:
    """Return the inputs in the shuffled order in which neurons reconstruct them."""
    return stream(owner.seed, hill_climbing._ORDER).permutation(INPUTS)


def tried(parts: list[Numbers], place: int, change: float, error: Callable[[], float]) -> bool:
    """Change a weight of two flat arrays unless the error rises, and return whether it is kept."""
    before = error()
    which = int(place >= parts[0].size)
    parts[which][place - which * parts[0].size] += change
    if error() <= before:
        return True
    parts[which][place - which * parts[0].size] -= change
    return False


@pytest.mark.parametrize("steps", STEPS)
def test_outputs_and_reconstructions_are_those_of_loops(steps: str) -> None:
    network = finished(steps).network
    single = [by_loops(network, row) for row in INPUTS]
    np.testing.assert_allclose(network.outputs(INPUTS), [each[0] for each in single], rtol=1e-9)
    activity = np.array([each[1] for each in single])  # (example, neuron)
    np.testing.assert_allclose(network.activity(INPUTS).T, activity, rtol=1e-9)
    for neuron, found in enumerate(network.unexplained(INPUTS)):
        rebuilt = (activity[:, neuron, None] - 0.5) * network.decoder[neuron]
        expected = np.sum((INPUTS - rebuilt) ** 2) / np.sum(INPUTS**2)
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shuffled", [False, True])
def test_climbs_keep_the_steps_that_naive_ones_keep(shuffled: bool) -> None:
    """Every error computed from scratch, by the definition."""
    fast = climber(400)
    climb = fast.autoencoding(shuffled=shuffled)
    network = fast.network.copy()
    goal = goal_of(fast) if shuffled else INPUTS
    assert (goal != INPUTS).any() == shuffled

    def reconstruction(neuron: int) -> float:
        code = network.activity(INPUTS)[neuron, :, None] - 0.5
        return float(np.sum((goal - code * network.decoder[neuron]) ** 2))

    for number, (place, change) in enumerate(fast.task):
        parts = [network.hidden.reshape(-1), network.decoder.reshape(-1)]
        at, step = fast.code[number]
        which = int(at >= parts[0].size)
        neuron = (at - which * parts[0].size) // (5 if which else 6)
        kept = tried(parts, at, step, partial(reconstruction, neuron))
        assert kept == climb.kept[number], number
        tried(
            [network.hidden.reshape(-1), network.output],
            place,
            change,
            partial(task_error, network),
        )
    for name in ("hidden", "output", "decoder"):
        np.testing.assert_allclose(
            getattr(climb.network, name), getattr(network, name), rtol=1e-9, atol=1e-12
        )
    assert 0.1 < climb.kept.mean() < 0.9
