"""Parameters per neuron: any constant parameter, the same in the mirror and in Brian2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import LEAKY, conv, dense, drawn
from network_cases import Case, assert_agree, driven
from refusals import refused

from bioae import simulate
from bioae.errors import NetworkError
from bioae.networks import Network
from bioae.random import stream
from bioae.simulation.backend import Backend, Target

IMAGES = stream(1, 1).random((3, 1, 4, 4)) ** 2
LAYERS: list[dict[str, Any]] = [conv("first", 2, 3, recurrent=True), dense("last", shape=[1, 4, 4])]

#: Every place in which a parameter can stand.
EVERYWHERE: dict[str, Any] = {
    "description": "Names a parameter in each part of a model.",
    "equations": """
    dv/dt = (drive - v)/tau : 1 (unless refractory)
    drive = rest + gain*slow : 1
    dslow/dt = -slow/(2*tau) : 1
    held = gain*v : 1 (constant over dt)
    fixed = 2*step : 1 (shared)
    limit : 1 (constant)
    """,
    "threshold": "v > limit + 0.1*held", "reset": "v = rest\nslow += step*fixed",
    "refractory": "silent", "method": "euler", "input": "slow", "weight": "1.5*unit",
    "parameters": {"tau": "8*ms", "rest": "0.25", "gain": "0.5", "limit": "1", "step": "0.5",
                   "silent": "2*ms", "unit": "1", "weight": "3"},
    "initial": {"v": "rest/2"}, "surrogate": {"distance": "v - limit", "scale": "1"},
}  # fmt: skip
#: A shared variable depends on one parameter, and each neuron on another.
SHARED: dict[str, Any] = {
    **LEAKY, "method": "euler", "parameters": {"tau": "8*ms", "slow": "9*ms", "level": "2"},
    "equations": "dv/dt = (common - v)/tau : 1\n"
                 "common = level*t/slow : 1 (shared, constant over dt)",
}  # fmt: skip


def network(model: dict[str, Any], schedule: str = "brian2") -> Network:
    return drawn(
        *LAYERS, seed=1, input_shape=[1, 4, 4], steps=20, schedule=schedule, neuron="mine",
        neurons={"mine": model}, encoder={"kind": "bernoulli"},
    )  # fmt: skip


def with_own(network: Network, seed: int) -> Network:
    """Give every neuron its own value of every parameter, near the model's."""
    arrays = {}
    for placed in network.config.placed:
        shapes = placed.parameter_shapes
        for key, (name, values) in enumerate(network.parameters(placed).items()):
            if (placed.size,) in shapes.get(f"{placed.name}.{name}", ()):
                spread = stream(seed, 10 * placed.depth + key).uniform(0.75, 1.25, placed.size)
                arrays[f"{placed.name}.{name}"] = values * spread
    return Network(network.config, {**network.weights, **arrays})


def check_targets(network: Network, *targets: Target) -> None:
    """Compare results of two targets."""
    one, other = (simulate(network, IMAGES, target) for target in targets)
    assert_agree(one, other, Case(network, IMAGES, least=0.5))


@pytest.mark.medium
def test_a_parameter_of_each_neuron_in_every_part_of_a_model() -> None:
    own = driven(with_own(network(EVERYWHERE, "paper"), seed=2), IMAGES)
    assert len(own.weights) == 3 + 2 * 7  # all but one that is called as the weights are
    check_targets(own, "torch", "numpy")
    # Each of them counts.
    before = simulate(own, IMAGES, Backend("torch", record=["v"]))
    for placed in own.config.placed:
        for name in placed.parameter_shapes:
            without = Network(own.config, {n: v for n, v in own.weights.items() if n != name})
            actual = simulate(without, IMAGES, Backend("torch", record=["v"]))
            trace = f"/layers/{placed.name}/state_v"
            assert not actual[trace].equals(before[trace]), name


def test_parameters_of_each_neuron_compiled(quick_compiler: None) -> None:
    own = driven(with_own(network(EVERYWHERE), seed=2), IMAGES)
    check_targets(own, "cpp_standalone", "torch")


@pytest.mark.medium
def test_parameters_of_shared_variables_have_one_value() -> None:
    described = network(SHARED)
    own = {"first.tau": np.linspace(0.005, 0.01, 8), "first.slow": np.array(0.02)}
    varied = driven(Network(described.config, {**described.weights, **own}), IMAGES)
    check_targets(varied, "torch", "numpy")
    for name in ("slow", "level"):
        with refused(NetworkError, f"first.{name}", expected="()"):
            Network(described.config, {**described.weights, f"first.{name}": np.full(8, 0.01)})
