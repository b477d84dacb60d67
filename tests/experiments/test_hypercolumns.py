"""Hypercolumns that learn by BCPNN, and the measures of their experiment, by closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bioae.networks.structure import Structure
from experiments.common.hypercolumns import (
    Hypercolumns,
    Traces,
    binary_units,
    by_information,
    by_shuffled_information,
    learn,
)

NETWORK = Hypercolumns(hypercolumns=2, minicolumns=3)
Numbers = NDArray[np.float64]


def drawn(rng: np.random.Generator, count: int, shape: tuple[int, int]) -> Numbers:
    """Draw states of some variables, as units (example, variable, unit)."""
    return np.eye(shape[1])[rng.integers(0, shape[1], (count, shape[0]))]


def start(rate: float, counts: float | None = None) -> Traces:
    network = NETWORK.model_copy(update={"counts": counts})
    return Traces.initial(network, 4, 2, rate, np.random.default_rng(5))


@pytest.mark.parametrize("batch", [1, 4])
def test_traces_are_exponential_averages(batch: int) -> None:
    """Against the sum of all patterns, with shares that fall by 1 - dt/tau for each later one."""
    rate, count, rng = 0.05, 40, np.random.default_rng(1)
    inputs, activity = drawn(rng, count, (4, 2)), drawn(rng, count, (2, 3))
    traces = start(rate)
    for first in range(0, count, batch):
        traces.update(inputs[first : first + batch], activity[first : first + batch])
    kept = (1 - rate) ** batch
    later = (count - 1 - np.arange(count)) // batch
    shares = (1 - kept) / batch * kept**later
    first = rate * (1 - rate) ** count
    assert traces.counter == pytest.approx(1 - (1 - rate) ** (count + 1), rel=1e-12)
    assert traces.counter == pytest.approx(first + shares.sum(), rel=1e-12)
    np.testing.assert_allclose(
        traces.target, first / 3 + np.einsum("e,ehm", shares, activity), rtol=1e-12
    )
    np.testing.assert_allclose(
        traces.source, first / 2 + np.einsum("e,eiu", shares, inputs), rtol=1e-12
    )
    products = np.einsum("e,ehm,eiu->hmiu", shares, activity, inputs)
    np.testing.assert_allclose(traces.joint, first / 6 + products, rtol=1e-12)


def exact(target: Numbers, source: Numbers, joint: Numbers) -> Traces:
    """Return traces whose averages are probabilities, with a counter of 0.5."""
    return Traces(0.1, 0.5, 0.5 * target, 0.5 * source, 0.5 * joint)


def test_weights_of_independent_and_of_equal_units() -> None:
    """The logarithm of 1, and that of 1/p for two units that are one."""
    p = np.array([0.2, 0.3, 0.5])
    joint = np.stack([np.einsum("m,u->mu", p, p), np.diag(p) + 1e-300], axis=1)[None]
    traces = exact(p[None], np.stack([p, p]), joint)
    weights = traces.weights(np.ones((1, 2), bool))
    np.testing.assert_allclose(weights.bias, np.log(p)[None], rtol=1e-12)
    np.testing.assert_allclose(weights.values[0, :, 0], 0.0, atol=1e-14)
    np.testing.assert_allclose(np.diag(weights.values[0, :, 1]), -np.log(p), rtol=1e-12)
    gain = traces.weights(np.ones((1, 2), bool), bias_gain=0.0)
    np.testing.assert_array_equal(gain.bias, 0.0)


def test_activity_is_the_posterior_of_a_naive_bayes_mixture() -> None:
    """By Bayes' rule, where sources are independent given the minicolumn."""
    rng = np.random.default_rng(4)
    prior = rng.dirichlet(np.ones(3))
    given = rng.dirichlet(np.ones(2), (3, 4))  # (minicolumn, source, unit)
    joint = prior[:, None, None] * given
    traces = exact(prior[None], joint.sum(0), joint[None])
    inputs = drawn(rng, 6, (4, 2))
    likelihood = np.einsum("eiu,miu->emi", inputs, given).prod(-1) * prior
    posterior = likelihood / likelihood.sum(1, keepdims=True)
    weights = traces.weights(np.ones((1, 4), bool))
    np.testing.assert_allclose(weights.activity(inputs)[:, 0], posterior, rtol=1e-12)


def bars(count: int) -> Numbers:
    """Return patterns of 8 of 40 pixels that tell one of two classes; the others are noise."""
    rng = np.random.default_rng(7)
    pixels = rng.random((count, 40)) < 0.5
    pixels[:, :8] = (rng.random(count) < 0.5)[:, None] ^ (rng.random((count, 8)) < 0.05)
    return binary_units(pixels.astype(float))


def test_rewiring_finds_the_sources_that_tell_something() -> None:
    network = Hypercolumns(hypercolumns=2, minicolumns=4)
    structure = Structure(fan_in=8, period=50, swaps=20, by_fan_out=False)
    course = {"epochs": 2, "single": 100, "batch_size": 10}
    found = {}
    for name, swaps in (("rewired", 20), ("fixed", 0), ("shuffled", 20)):
        rng = np.random.default_rng(8)
        score = by_shuffled_information(rng) if name == "shuffled" else by_information
        described = replace(structure, swaps=swaps)
        found[name] = learn(network, described, bars(400), rng, score=score, **course)
    telling = {name: each.connected[:, :8].sum() for name, each in found.items()}
    assert telling["rewired"] == 16
    assert max(telling["fixed"], telling["shuffled"]) < 10
    assert found["fixed"].swaps == 0 < found["rewired"].swaps <= 20 * 16
    again = learn(network, structure, bars(400), np.random.default_rng(8), **course)
    np.testing.assert_array_equal(again.weights.values, found["rewired"].weights.values)
