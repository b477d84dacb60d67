"""One-step parity: excuses for last bits at threshold, and layers that never spike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import LEAKY, dense, drawn, pictures

import bioae
from bioae import simulate
from bioae.api import engine_of
from bioae.equations import Expression
from bioae.networks import Network
from bioae.simulation.backend import Backend
from bioae.trainers.parity import Parity, parity_network
from bioae.trainers.parity.comparison import Comparison, recorded
from bioae.trainers.parity.one_step import ULPS, WIDER, explained, undecided

ULP = np.spacing(1.0)

#: It adds up its input, on the grid of the weights: it meets its threshold exactly.
COUNTER: dict[str, Any] = {
    **LEAKY, "equations": "dv/dt = 0/second : 1", "threshold": "v > theta", "method": "euler",
    "parameters": {"theta": "1"},
}  # fmt: skip


def open_at(condition: str, **values: float | bool) -> bool:
    tensors = {name: torch.from_numpy(np.array([value])) for name, value in values.items()}
    (found,) = undecided(Expression(condition), tensors, (1,))
    return bool(found)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("size", [1.0, -1.0, 1e-3, -5e-2, 2.0**-1000])
def test_a_comparison_is_undecided_within_units_in_the_last_place(sign: int, size: float) -> None:
    def away(ulps: int) -> float:
        return size + sign * ulps * float(np.spacing(abs(size)))

    assert open_at("v > theta", v=size, theta=size)
    assert open_at("v > theta", v=away(ULPS), theta=size)
    assert not open_at("v > theta", v=away(ULPS + 1), theta=size)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("v > 1 and u", True), ("v > 1 and not u", False), ("v > 1 or u", False),
        ("v > 1 or not u", True), ("not (v > 1)", True), ("w > 1 and v > 1", True),
        ("w > 1 or v > 1", False), ("w < 1 or v >= 1", True), ("u", False),
        ("(v > 1) and not_refractory", False),
    ],
)  # fmt: skip
def test_a_compound_condition_may_be_undecided(condition: str, expected: bool) -> None:
    assert open_at(condition, v=1.0 + ULP, w=2.0, u=True, not_refractory=False) == expected


class Counted:
    """A network whose sums often are the threshold itself, and Brian2's result."""

    def __init__(self, fields: dict[str, Any]) -> None:
        model = builders.model(fields, "counter")
        network, self.images = parity_network(model, neurons=10, steps=100, examples=2, seed=0)
        weights = {n: np.rint(w * 2) / 2 for n, w in network.weights.items() if "delay" not in n}
        self.network = Network(network.config, {**network.weights, **weights})
        backend = Backend("numpy", record=recorded(self.network))
        self.brian = simulate(self.network, self.images, backend)

    def against(self, **parameters: float) -> Parity:
        """Compare a mirror with other parameters."""
        moved = {
            f"{layer}.{name}": np.array(value)
            for layer in ("first", "second")
            for name, value in parameters.items()
        }
        other = Network(self.network.config, {**self.network.weights, **moved})
        return Comparison(other, self.images, engine_of, name="counter").with_result(self.brian)


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted(COUNTER)


def inexact(report: Parity) -> Parity:
    """Return the report of a model of which not every spike must agree."""
    return replace(report, exact=False, spike_agreement=1.0)


def test_a_threshold_moved_by_last_bits_is_excused_and_counted(counted: Counted) -> None:
    same, near, far = (counted.against(theta=1 - ulps * ULP / 2) for ulps in (0, 3, 30))
    assert same.spikes > 50
    assert (same.differing, same.one_step, same.excused) == (0, 1.0, 0)
    assert near.excused > 5
    assert near.one_step == 1.0
    assert near.differing > 0
    assert far.excused == 0
    assert far.one_step == pytest.approx(
        1 - near.excused / (far.neurons * (far.steps - 1) * far.examples), rel=1e-12
    )


def test_more_excuses_than_chance_explains_are_a_systematic_error(counted: Counted) -> None:
    # Every neuron that meets its threshold exactly fires on one side only.
    near = inexact(counted.against(theta=1 - 3 * ULP / 2))
    assert near.one_step == near.spike_agreement == 1.0
    assert near.excused > near.explained
    assert not near.passed
    assert replace(near, excused=near.explained).passed
    assert inexact(counted.against(theta=1.0)).passed


@pytest.mark.parametrize("density", [0.0, 0.3, 3.0, 30.0, 300.0])
def test_chance_seldom_exceeds_what_it_explains(density: float) -> None:
    generator = np.random.default_rng(0)
    around = generator.poisson(density * (WIDER - 1), 300)
    within = generator.poisson(density, 300)
    bounds = np.array([explained(int(number)) for number in around])
    assert (within > bounds).mean() <= 0.01
    assert bounds.mean() <= 1 + density + 7 * np.sqrt(density)


SIZE: dict[str, Any] = {"input_shape": [1, 6, 6], "steps": 8}


def read_out(neuron: str = "lif", last: str = "leaky_readout", gain: float = 4.0) -> Network:
    """Return a network whose last layer never spikes."""
    return drawn(
        dense("hidden", 8, neuron=neuron, gain=4.0),
        dense("output", shape=[1, 6, 6], neuron=last, gain=gain),
        **SIZE,
    )


@pytest.mark.medium
@pytest.mark.parametrize("neuron", ["lif", "eif"])
def test_a_read_out_layer(neuron: str) -> None:
    parity = bioae.parity(read_out(neuron), pictures(3, 1, 6, 6))
    assert parity.passed
    assert parity.exact == (neuron == "lif")
    assert not parity.silent
    assert parity.spikes > 5
    # Of the eight neurons that can fire, not of the 44.
    assert parity.active_fraction > 0.4
    assert (parity.active_fraction * 8) % 1 == 0
    assert parity.max_state_error < 1e-12


@pytest.mark.medium
@pytest.mark.parametrize("neuron", ["lif", "eif"])
def test_a_read_out_that_differs_fails(neuron: str) -> None:
    """Brian2 runs other weights into the last layer: every spike agrees, and no state."""
    network, images = read_out(neuron), pictures(3, 1, 6, 6)
    other = Network(
        network.config,
        {**network.weights, "output.weight": network.weights["output.weight"] * (1 + 1e-6)},
    )
    brian = simulate(other, images, Backend("numpy", record=recorded(network)))
    parity = Comparison(network, images, engine_of, name="mine").with_result(brian)
    assert parity.differing == 0
    assert 0 < parity.max_state_error < 1e-3
    assert parity.one_step < 1
    assert not parity.passed


def test_a_network_without_spikes() -> None:
    layer = dense("output", shape=[1, 6, 6], neuron="leaky_readout")
    parity = bioae.parity(drawn(layer, **SIZE), pictures(2, 1, 6, 6))
    assert (parity.silent, parity.spikes, parity.differing) == (True, 0, 0)
    assert (parity.neurons, parity.active_fraction) == (36, 1.0)
    assert parity.passed
