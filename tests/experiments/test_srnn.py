"""Recipes of the experiment `srnn`, and the control that shuffles time constants."""

from __future__ import annotations

import numpy as np
import pytest

from bioae.networks import Network, NetworkConfig
from bioae.trainers import TrainingConfig
from experiments.srnn import EXPERIMENT, recipe, shuffled

SPIKING = [name for name in EXPERIMENT.conditions if name != "rows-lstm"]


@pytest.mark.parametrize("name", SPIKING)
def test_every_condition_has_a_valid_recipe(name: str) -> None:
    settings = EXPERIMENT.conditions[name].settings
    config = TrainingConfig.from_mapping(recipe(settings, EXPERIMENT.sizes))
    hidden = config.network.layers[0]
    assert getattr(hidden, "units", None) == (48 if settings["task"] == "recall" else 64)
    changes = set(settings["changes"])
    assert bool(config.training.ever_trained) == bool(changes & {"trained", "membrane"})
    assert (hidden.parameters["beta"] == "0") == ("adaptive" not in changes)
    assert hidden.recurrent == ("recurrent" in changes)


def test_time_constants_are_shuffled_in_pairs() -> None:
    settings = EXPERIMENT.conditions["trained"].settings
    tables = recipe(settings, EXPERIMENT.sizes)["network"]
    network = Network.initialise(NetworkConfig.from_mapping(tables, where="srnn"), seed=1)
    pairs = [
        np.stack([each.weights["hidden.tau_m"], each.weights["hidden.tau_adapt"]], axis=1)
        for each in (network, shuffled(network, seed=3))
    ]
    moved = (pairs[0] != pairs[1]).all(axis=1)
    assert moved.mean() > 0.8
    assert sorted(map(tuple, pairs[0])) == sorted(map(tuple, pairs[1]))
    for name, weight in shuffled(network, seed=3).weights.items():
        if "tau" not in name:
            np.testing.assert_array_equal(weight, network.weights[name])
