"""Experiments on signals in time: recipes, networks, controls and critical gains."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from bioae import simulate
from bioae.datasets import Data
from bioae.networks import Network, NetworkConfig
from bioae.simulation import Backend
from bioae.trainers import TrainingConfig
from experiments import radlif, regression, srnn
from experiments.baselines import BaselineConfig
from experiments.baselines.stored import Conventional, conventional_module
from experiments.common.gradients import GAINS, column, gradients
from experiments.regression import SILENCED, errors, examples, gated, pointwise, silenced
from experiments.srnn import shuffled

TASK = {"channels": 5, "points": 12, "classes": 3}


@pytest.mark.parametrize("task", ["rows", "segments"])
@pytest.mark.parametrize("name", ["radlif", "lstm", "summed"])
def test_recipes_are_configurations(name: str, task: str) -> None:
    tables = radlif.recipe(name, TASK | {"name": task}, radlif.EXPERIMENT.sizes)
    read = TrainingConfig if name == "radlif" else BaselineConfig
    config = read.from_mapping(tables, where=name)
    assert config.network.layers[-1].units == 3  # type: ignore[union-attr]
    assert config.network.points == 12
    assert config.network.decoder.kind == ("last" if name == "lstm" else "summed_softmax")
    if name == "radlif":
        assert set(config.network.layers[0].spread) == {"alpha", "beta", "a", "b"}


def trial(condition: str, **sizes: Any) -> Any:
    settings = radlif.EXPERIMENT.conditions[condition].settings
    return SimpleNamespace(settings=settings, sizes={**radlif.EXPERIMENT.quick, **sizes}, seed=1)


def test_rectified_units_explode_between_a_gain_of_1_and_2() -> None:
    """About half of them are active, so that the critical gain is near the root of 2."""
    numbers = gradients(trial("relu", units=64))
    assert 1.0 < numbers["critical_gain"] < 2.0
    assert numbers["growth_above"] > 3
    norms = [numbers[column(gain, 50)] for gain in GAINS]
    assert norms[0] < -5 < 5 < norms[3]
    assert norms == sorted(norms)


@pytest.mark.medium
def test_radlif_needs_larger_gains_at_a_normal_rate() -> None:
    numbers = gradients(trial("radlif"))
    assert numbers["critical_gain"] > 4
    assert 0.02 < numbers["rate_lowest"] <= numbers["rate_highest"] < 0.3
    assert numbers["spikes"] > 50
    assert not any(math.isnan(each) for each in numbers.values())


SPIKING = [name for name in srnn.EXPERIMENT.conditions if name != "rows-lstm"]


@pytest.mark.parametrize("name", SPIKING)
def test_every_condition_has_a_valid_recipe(name: str) -> None:
    settings = srnn.EXPERIMENT.conditions[name].settings
    config = TrainingConfig.from_mapping(srnn.recipe(settings, srnn.EXPERIMENT.sizes))
    hidden = config.network.layers[0]
    assert getattr(hidden, "units", None) == (48 if settings["task"] == "recall" else 64)
    changes = set(settings["changes"])
    assert bool(config.training.ever_trained) == bool(changes & {"trained", "membrane"})
    assert (hidden.parameters["beta"] == "0") == ("adaptive" not in changes)
    assert hidden.recurrent == ("recurrent" in changes)


def test_time_constants_are_shuffled_in_pairs() -> None:
    settings = srnn.EXPERIMENT.conditions["trained"].settings
    tables = srnn.recipe(settings, srnn.EXPERIMENT.sizes)["network"]
    network = Network.initialise(NetworkConfig.from_mapping(tables, where="srnn"), seed=1)
    pairs = [
        np.stack([each.weights["hidden.tau_m"], each.weights["hidden.tau_adapt"]], axis=1)
        for each in (network, shuffled(network, seed=3))
    ]
    assert (pairs[0] != pairs[1]).all(axis=1).mean() > 0.8
    assert sorted(map(tuple, pairs[0])) == sorted(map(tuple, pairs[1]))
    for name, weight in shuffled(network, seed=3).weights.items():
        if "tau" not in name:
            np.testing.assert_array_equal(weight, network.weights[name])


def untrained(material: str) -> tuple[Network, Data]:
    """Return a network of the quick form with initial weights, and its test set."""
    train, test = examples(material, regression.EXPERIMENT.quick, seed=0)
    tables = regression.recipe(material, regression.EXPERIMENT.quick, train.shape[0])["network"]
    config = NetworkConfig.from_mapping(tables, where=material)
    return Network.initialise(config, seed=0).quantised(), test


def test_points_keep_no_history() -> None:
    _, test = examples("ramberg_osgood", regression.EXPERIMENT.quick, seed=0)
    assert test.targets is not None
    count = len(test) * test.points
    for inputs, channels in (("present", 2), ("clock", 1), ("present and clock", 3)):
        points = pointwise(test, inputs)
        assert points.targets is not None
        assert (points.as_float().shape, points.targets.shape) == ((count, 1, channels), (count, 1))
    # The point after the first presentation is the start of the second one.
    at = test.points
    np.testing.assert_array_equal(points.as_float()[at, 0], [*test.as_float()[1, 0], 0.0])
    np.testing.assert_array_equal(points.targets[at], test.targets[1, 0])
    assert points.as_float()[at - 1, 0, 2] == 1.0


def test_errors() -> None:
    targets = np.random.default_rng(0).normal(2.0, 0.5, (6, 5, 1))
    test = Data.of_signals(np.zeros((6, 5)), targets=targets)
    assert errors(np.full(targets.shape, targets.mean()), test)["error"] == pytest.approx(1.0)
    assert errors(0 * targets, test)["relative_error"] == pytest.approx(1.0)
    assert errors(1.1 * targets, test)["relative_error"] == pytest.approx(0.1)
    assert errors(targets, test) == {"error": 0.0, "relative_error": 0.0}


def test_costs_of_long_short_term_memory() -> None:
    """Spikes of two layers take the place of products; weights of membranes stay products."""
    _, test = examples("plasticity", regression.EXPERIMENT.quick, seed=0)
    tables = regression.recipe("plasticity", regression.EXPERIMENT.quick, 1)
    training, found = {"seed": 1}, {}
    for cell in ("lstm", "slstm"):
        kind = {"kind": "recurrent", "cell": cell}
        config = BaselineConfig.from_mapping({**tables, "baseline": kind, "training": training})
        module = conventional_module(config)
        for name in SILENCED:
            module.arrays.get(f"{name}.threshold", torch.zeros(1)).data.mul_(0.02)
        found[cell] = gated(Conventional(module), test)
    units, all_units = 24, 3 * 24
    between = 2 * 4 * units * units
    kept = 4 * units + 3 * 4 * units * units + units + 3 * all_units
    lstm, slstm = found["lstm"], found["slstm"]
    assert lstm["multiply_accumulates"] == kept + between
    assert (lstm["accumulates"], lstm["binary_bytes"], slstm["binary_bytes"]) == (0, 0, 9)
    assert slstm["multiply_accumulates"] == kept
    assert slstm["weight_bytes"] == lstm["weight_bytes"] + 4 * all_units
    assert 0.05 * between < slstm["accumulates"] < 0.95 * between
    assert lstm["analogue_bytes"] == slstm["analogue_bytes"] == 8 * all_units
    assert slstm["energy"] == pytest.approx(4.6e-3 * kept + 0.9e-3 * slstm["accumulates"])


@pytest.mark.medium
@pytest.mark.parametrize("material", ["elasticity", "plasticity"])
def test_without_spikes_of_two_layers_the_output_depends_on_nothing(material: str) -> None:
    network, test = untrained(material)
    mute = silenced(network)
    before, after = (simulate(each, test[:4], Backend("numpy")) for each in (network, mute))
    for layer in ("first", "middle"):
        assert before[f"layers/{layer}"]["spike_count"].sum() > 0
        assert after[f"layers/{layer}"]["spike_count"].sum() == 0
    output = after["output"].to_numpy()
    assert (output == output[:1]).all()
    assert (before["output"].to_numpy() != before["output"].to_numpy()[:1]).any()
    assert errors(output, test[:4])["error"] >= 1
