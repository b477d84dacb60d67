"""Batches of presentations that learn at once: sums as products of matrices, and optimisers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from plastic_networks import ALONE, HIDDEN, INPUTS, STEPS, network, signals, with_rules
from refusals import refused

from bioae import learn
from bioae.datasets import Data
from bioae.equations import load_synapse, with_devices
from bioae.equations.synapses.changes import Change, change_of
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.program import Block
from bioae.errors import InputError, NetworkError
from bioae.networks import Network
from bioae.random import named_stream
from bioae.trainers.plasticity import synapses

#: Shipped rules whose changes cannot be averaged.
SEQUENTIAL = {"bcpnn", "stdp_structural"}

#: A rule whose change is the same for each spike that arrives.
CONSTANT: dict[str, Any] = {
    "pre": None, "synapse": {"on_pre": "w = clip(w + a, -1, w_max)"},
    "parameters": {"a": "0.125", "w_max": "0.75"},
}  # fmt: skip


def learner(rule: str = "constant", schedule: str = "brian2", **changes: Any) -> Network:
    """Return a network whose first layer learns by a rule, from the input and within."""
    start = with_rules(network(schedule), rule, rule, None, constant=CONSTANT | changes)
    # Some at the bounds of the rules.
    most = 0.75 if rule == "constant" else 1.0
    weights = {name: np.clip(3 * np.abs(w), 0, most) for name, w in start.weights.items()}
    return Network(start.config, weights).quantised()


def held(rule: str, examples: int = 6) -> dict[str, Any]:
    return dict.fromkeys(load_synapse(rule).held, named_stream(4, "held").random(examples))


def without_products(block: Block) -> Change | None:
    change = change_of(block)
    return None if change is None else replace(change, products=None)


@pytest.mark.medium
@pytest.mark.parametrize("optimiser", [None, "adam"])
@pytest.mark.parametrize("rule", sorted({*ALONE} - SEQUENTIAL))
def test_products_of_matrices_are_the_sums_over_examples(
    rule: str, optimiser: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, options = learner(rule, "paper"), {"batch_size": 3, "optimiser": optimiser}
    fast = learn(start, signals(6), "torch", held=held(rule), **options)
    monkeypatch.setattr(synapses, "change_of", without_products)
    slow = learn(start, signals(6), "torch", held=held(rule), **options)
    for name in ("hidden.weight", "hidden.recurrent"):
        one, other = fast.network.weights[name], slow.network.weights[name]
        assert np.mean(one != start.weights[name]) > 0.2
        np.testing.assert_allclose(one, other, rtol=0, atol=2**-23)
    assert int(fast.result["layers/hidden"]["spike_count"].sum()) > 50


def always(examples: int = 2) -> Data:
    """Return inputs of which the first half fires in every step, and the others never."""
    values = np.zeros((examples, STEPS, INPUTS))
    values[..., : INPUTS // 2] = 1
    return Data.of_signals(values, labels=np.zeros(examples, int))


def test_adam_moves_weights_by_its_rate_where_changes_are_constant() -> None:
    """Its step on a constant gradient is the learning rate, whatever the gradient's size."""
    start = learner(parameters={"a": "0.001", "w_max": "0.75"})
    start = start.with_weights({"hidden.weight": np.zeros_like(start.weights["hidden.weight"])})
    learned = learn(
        start, always(), "torch", batch_size=2, optimiser="adam", learning_rate=2**-10
    ).network.weights["hidden.weight"]
    # In Brian2's order spikes of the source teach in T steps.
    np.testing.assert_allclose(learned[:, : INPUTS // 2], STEPS * 2**-10, rtol=1e-4)
    assert not learned[:, INPUTS // 2 :].any()


def test_the_state_of_an_optimiser_continues_another_call() -> None:
    start, options = learner("stdp_pair"), {"batch_size": 2, "optimiser": "adam"}
    whole = learn(start, signals(4), "torch", **options)
    first = learn(start, signals(4)[:2], "torch", **options)
    second = learn(first, signals(4)[2:], "torch", **options)
    forgotten = learn(first.network, signals(4)[2:], "torch", **options)
    for name, weights in whole.network.weights.items():
        np.testing.assert_array_equal(weights, second.network.weights[name])
        assert (weights != forgotten.network.weights[name]).any() == name.startswith("hidden")


@pytest.mark.parametrize(
    ("options", "case"),
    [
        ({"optimiser": "adan"}, {}),
        ({"optimiser": "adam", "learning_rate": 0.0}, {"found": "0.0"}),
        ({"learning_rate": 5.0}, {"where": "learning_rate", "found": "5.0"}),
    ],
)
def test_settings_that_do_not_fit_are_refused(options: Any, case: dict[str, Any]) -> None:
    with refused(NetworkError, **case):
        learn(learner(), signals(1), "torch", **options)


@pytest.mark.parametrize("options", [{"batch_size": 2}, {"optimiser": "adam"}])
def test_sequential_rules_learn_one_by_one(options: dict[str, Any]) -> None:
    devices = with_devices(load_synapse("stdp_pair"), 8)
    assert lower_synapse(devices).sequential
    start = learner(**devices.to_mapping())
    with refused(NetworkError, expected="a batch size of 1 and no optimiser"):
        learn(start, signals(4), "torch", **options)
    assert learn(start, signals(1), "torch").network.weights["hidden.weight"].any()


@pytest.mark.parametrize(
    ("optimiser", "moments"),
    [
        ("adam", {"other/exp_avg": np.zeros(3)}),
        ("adam", {"hidden.weight/foo": np.zeros(())}),
        ("adam", {"hidden.weight/exp_avg": np.zeros((INPUTS, HIDDEN))}),
        ("adam", {"hidden.weight/momentum_buffer": np.zeros((INPUTS, HIDDEN))}),
        ("adam", {"hidden.weight/exp_avg": [1.0]}),
        ("adam", [1]),
        (None, {"hidden.weight/exp_avg": np.zeros((INPUTS, HIDDEN))}),
    ],
)
def test_another_state_of_an_optimiser_is_refused(optimiser: str | None, moments: Any) -> None:
    with refused(InputError, "moments"):
        learn(learner(), signals(2), "torch", optimiser=optimiser, moments=moments)
