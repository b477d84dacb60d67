"""Networks before they learn: weights that begin within the bounds of their rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plastic_networks import custom, network, signals
from refusals import refused

from bioae import learn
from bioae.api import build
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network
from bioae.simulation import Backend

STRUCTURE = {"fan_in": 3, "period": 2, "swaps": 2, "score": "w", "new_weight": "0.2"}


def bounded(low: float, high: float, **changes: Any) -> Network:
    """Return a network whose rule bounds weights, which begin within other bounds."""
    rule = custom(synapse={"on_post": f"w = clip(w + 0.2*x_pre, {low!r}, {high!r})"}, **changes)
    hidden, output = (
        {**each.model_dump(), "synapse": None, "recurrent_synapse": None}
        for each in network().config.layers
    )
    hidden |= {"synapse": "mine", "recurrent_synapse": "mine", "initial": [0.2, 0.6]}
    config = network().config.varied(layers=[hidden, output], synapses={"mine": rule.to_mapping()})
    return Network.initialise(config, seed=0)


@pytest.mark.parametrize("structure", [{}, {"structure": STRUCTURE}])
def test_weights_within_the_bounds_learn_again_and_again(structure: dict[str, Any]) -> None:
    """Autapses and connections that do not exist have a weight of 0; 32 bits round 0.6 up."""
    start = bounded(0.2, 0.6, **structure)
    once = learn(start, signals(), Backend("torch", dtype="float32")).network
    twice = learn(once, signals(), Backend("torch", dtype="float32")).network.weights[
        "hidden.weight"
    ]
    assert (twice != start.weights["hidden.weight"]).any()
    assert twice.max() > 0.6
    assert (twice == 0).any() == bool(structure)


@pytest.mark.parametrize(
    ("low", "high", "hint"),
    [(0.3, 0.8, "[0.3, 0.8]"), (0.0, 0.5, "[0, 0.5]"), (-2.0, 0.5, "[0, 0.5]"),
     (-1.0, 0.0, "[-1, 0]"), (0.75, np.inf, "[0.75, 1.75]"), (-np.inf, 0.1, "[0, 0.1]")],
)  # fmt: skip
def test_weights_outside_the_bounds_are_refused(low: float, high: float, hint: str) -> None:
    with refused(NetworkError, hint, where="layer 'hidden', synapse model 'mine'"):
        bounded(low, high).learner()


def test_recurrent_weights_outside_the_bounds_are_refused() -> None:
    start = bounded(0.0, 1.0)
    start = start.with_weights({"hidden.recurrent": -start.weights["hidden.recurrent"]})
    with refused(NetworkError, "'hidden.recurrent'", where="layer 'hidden', synapse model 'mine'"):
        start.learner()


def test_a_lower_bound_above_the_upper_one_is_refused() -> None:
    with refused(ModelError, where="mine.toml, [synapse] on_post", found="1 and 0"):
        bounded(1.0, 0.0).learner()


@pytest.mark.medium
def test_brian2_objects_begin_with_the_weights_that_learn_begins_with() -> None:
    start = bounded(0.0, 1.0)
    start = start.with_weights({n: each / 3 for n, each in start.weights.items()})
    built = build(start, 4, learning=True)
    begun = start.learner().weights["hidden.weight"]
    assert (begun != start.weights["hidden.weight"]).any()
    np.testing.assert_array_equal(built.plastic["hidden.weight"].weights, begun)
    built.present(signals())
    built.run()
    learned = learn(start, signals(), "numpy").network.weights
    for name, pathway in built.plastic.items():
        np.testing.assert_array_equal(pathway.weights, learned[name])
        assert (learned[name] != start.weights[name]).any()


def test_brian2_objects_of_a_network_without_rules_do_not_learn() -> None:
    layers = [{**each.model_dump(), "synapse": None} for each in bounded(0, 1).config.layers]
    layers[0]["recurrent_synapse"] = None
    start = Network.initialise(bounded(0, 1).config.varied(layers=layers))
    with refused(NetworkError):
        build(start, 1, learning=True)
