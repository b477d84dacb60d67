"""One-step parity: only differences in the last bits at threshold are excused."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
import torch
import xarray as xr

from bioae.equations import Expression
from bioae.networks import Network
from bioae.simulation import simulate
from bioae.simulation.backend import Backend
from bioae.trainers.parity import Parity, parity_network
from bioae.trainers.parity.comparison import recorded, report
from bioae.trainers.parity.threshold import ULPS, undecided

ULP = np.spacing(1.0)

COUNTER: dict[str, Any] = {
    "description": "Adds up its input, on the grid of the weights: it meets its threshold exactly.",
    "equations": "dv/dt = 0/second : 1",
    "threshold": "v > theta",
    "reset": "v = 0",
    "method": "euler",
    "input": "v",
    "parameters": {"theta": "1"},
}


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


def test_the_limit_is_four_units_of_the_larger_side() -> None:
    assert ULPS == 4
    for ulps in range(8):
        found = open_at("v > theta", v=1.5 + ulps * ULP, theta=1.5)
        assert found == (ulps <= 4)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("v > 1 and u", True),
        ("v > 1 and not u", False),
        ("v > 1 or u", False),
        ("v > 1 or not u", True),
        ("not (v > 1)", True),
        ("w > 1 and v > 1", True),
        ("w > 1 or v > 1", False),
        ("w < 1 or v >= 1", True),
        ("u", False),
        ("(v > 1) and not_refractory", False),
    ],
)
def test_a_compound_condition_may_be_undecided(condition: str, expected: bool) -> None:
    found = open_at(condition, v=1.0 + ULP, w=2.0, u=True, not_refractory=False)
    assert found == expected


@pytest.fixture(scope="module")
def counted() -> tuple[Network, Any, xr.DataTree]:
    model = builders.model(COUNTER, "counter")
    network, images = parity_network(model, neurons=10, steps=100, examples=2, seed=0)
    # So coarse that many a sum is the threshold itself.
    weights = {n: np.rint(w * 2) / 2 for n, w in network.weights.items() if "delay" not in n}
    coarse = Network(network.config, {**network.weights, **weights})
    return coarse, images, simulate(coarse, images, Backend("numpy", record=recorded(coarse)))


def against(counted: tuple[Network, Any, xr.DataTree], theta: float) -> Parity:
    """Compare a mirror with another threshold."""
    network, images, brian = counted
    moved = {f"{layer}.theta": np.array(theta) for layer in ("first", "second")}
    other = Network(network.config, {**network.weights, **moved})
    return report(other, images, brian, name="counter")


def test_a_threshold_moved_by_last_bits_is_excused_and_counted(
    counted: tuple[Network, Any, xr.DataTree],
) -> None:
    same, near, far = (against(counted, 1 - ulps * ULP / 2) for ulps in (0, 3, 30))
    assert same.spikes > 50
    assert (same.differing, same.one_step, same.excused) == (0, 1.0, 0)
    assert near.excused > 5
    assert near.one_step == 1.0
    assert near.differing > 0
    assert far.excused == 0
    assert far.one_step == pytest.approx(
        1 - near.excused / (far.neurons * (far.steps - 1) * far.examples), rel=1e-12
    )


def test_required_equality_is_not_excused(counted: tuple[Network, Any, xr.DataTree]) -> None:
    near = against(counted, 1 - 3 * ULP / 2)
    assert near.exact
    assert not near.passed
