"""Parameters that are random in a neuron's file: drawn once per neuron, by the network's seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import dense, described, model
from refusals import refused

from bioae.equations.declarations import parameter_values
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network
from bioae.noise import Key, draw

FIELDS: dict[str, Any] = {
    "description": "Neurons that differ.",
    "equations": "dv/dt = -v/tau : 1\ntheta : 1 (constant)",
    "threshold": "v > theta",
    "reset": "v = 0",
    "input": "v",
    "weight": "gain",
    "parameters": {"gain": "0.5*theta", "theta": "1 + 0.1*randn()", "tau": "(20 + 5*rand())*ms"},
}


def network(seed: int = 0, **parameters: str) -> Network:
    fields = {**FIELDS, "parameters": {**FIELDS["parameters"], **parameters}}
    config = described(
        dense("a", 2000), dense("b", shape=[1, 2, 2]),
        input_shape=[1, 2, 2], steps=5, neuron="mine", neurons={"mine": fields},
    )  # fmt: skip
    return Network.initialise(config, seed=seed)


def test_each_neuron_draws_its_own_value() -> None:
    weights = network(seed=7).weights
    theta, tau = weights["a.theta"], weights["a.tau"]
    # Five standard errors.
    assert abs(theta.mean() - 1) < 5 * 0.1 / np.sqrt(2000)
    assert abs(theta.std() - 0.1) < 5 * 0.1 / np.sqrt(4000)
    assert tau.min() >= 0.02
    assert tau.max() < 0.025
    assert abs(tau.mean() - 0.0225) < 5 * 0.005 / np.sqrt(12 * 2000)
    assert abs(np.corrcoef(theta, tau)[0, 1]) < 5 / np.sqrt(2000)
    # What names a random parameter follows it.
    np.testing.assert_array_equal(weights["a.gain"], 0.5 * theta)
    assert weights["b.theta"].shape == (4,)
    assert not np.isin(weights["b.theta"], theta).any()


def test_the_numbers_are_those_of_the_keyed_generator() -> None:
    place: dict[str, Any] = {"step": -(2**40), "population": 2, "count": 2000}
    normal = draw("normal", Key(7, [0]), **place, call=0)[0]
    uniform = draw("uniform", Key(7, [0]), **place, call=1)[0]
    weights = network(seed=7).weights
    np.testing.assert_array_equal(weights["a.theta"], 1 + 0.1 * normal)
    np.testing.assert_array_equal(weights["a.tau"], (20 + 5 * uniform) * 0.001)


def test_the_seed_decides() -> None:
    one, same, other = network(1), network(1), network(2)
    assert one.sha256 == same.sha256
    assert (one.weights["a.theta"] != other.weights["a.theta"]).all()
    again = one.with_random_parameters(2)
    np.testing.assert_array_equal(again.weights["a.theta"], other.weights["a.theta"])
    np.testing.assert_array_equal(again.weights["a.weight"], one.weights["a.weight"])
    assert again.sha256 != one.sha256


def test_another_neuron_model_draws_with_seed_0() -> None:
    plain = Network.initialise(
        described(
            dense("a", 2000), dense("b", shape=[1, 2, 2]), input_shape=[1, 2, 2], steps=5,
        ),
        seed=5,
    )  # fmt: skip
    changed = plain.with_neuron(model(FIELDS, "mine"), calibrate="none")
    np.testing.assert_array_equal(changed.weights["a.theta"], network(0).weights["a.theta"])
    np.testing.assert_array_equal(changed.weights["a.weight"], plain.weights["a.weight"])
    assert not any("theta" in name for name in changed.with_neuron("lif").weights)


def test_models_alone_have_the_means() -> None:
    values = parameter_values(model(FIELDS))
    assert {name: float(value) for name, value in values.items()} == {
        "gain": 0.5, "theta": 1.0, "tau": 0.0225,
    }  # fmt: skip


def test_networks_that_cannot_have_such_parameters() -> None:
    with refused(NetworkError, "'a.tau'", expected="positive times"):
        network(tau="(20 + 20*randn())*ms")
    shared = {"equations": "dv/dt = (g - v)/tau : 1\ng : 1 (shared)", "initial": {"g": "theta"}}
    config = described(
        dense("a", 3), dense("b", shape=[1, 2, 2]),
        input_shape=[1, 2, 2], steps=5, neuron="mine", neurons={"mine": {**FIELDS, **shared}},
    )  # fmt: skip
    with refused(NetworkError, "'a.theta'", expected="()", found="(3,)"):
        Network.initialise(config)


RATES = {"gain": "1", "tau": "1*ms"}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"trainable": {"tau": ["5*ms", "50*ms"]}}, ("mine.toml, [trainable] tau",)),
        ({"equations": "dv/dt = -v/tau : 1\ntheta : 1"}, ("mine.toml, [parameters] theta",)),
        (
            {"equations": "dv/dt = -v/tau : 1\ntheta : integer (constant)"},
            ("mine.toml, [parameters] theta",),
        ),
        ({"parameters": {**RATES, "theta": "1", "tau": "xi*ms"}}, ("[parameters] tau", "'xi'")),
        ({"parameters": {**RATES, "theta": "rand(2)"}}, ("[parameters] theta", "rand()")),
        ({"parameters": {**RATES, "theta": "1 + 1*mV*randn()"}}, ("[parameters] theta",)),
    ],
)
def test_refused(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    with refused(ModelError, *names):
        lower(model({**FIELDS, **changes}))
