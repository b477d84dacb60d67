"""The experiment radlif: its recipes, and the critical gain of conventional units."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from bioae.trainers import TrainingConfig
from experiments.baselines import BaselineConfig
from experiments.radlif import EXPERIMENT, recipe
from experiments.recurrence.gradients import GAINS, column, gradients

TASK = {"channels": 5, "points": 12, "classes": 3}


@pytest.mark.parametrize("task", ["rows", "segments"])
@pytest.mark.parametrize("name", ["radlif", "lstm", "summed"])
def test_recipes_are_configurations(name: str, task: str) -> None:
    tables = recipe(name, TASK | {"name": task}, EXPERIMENT.sizes)
    read = TrainingConfig if name == "radlif" else BaselineConfig
    config = read.from_mapping(tables, where=name)
    assert config.network.layers[-1].units == 3  # type: ignore[union-attr]
    assert config.network.points == 12
    assert config.network.decoder.kind == ("last" if name == "lstm" else "summed_softmax")
    if name == "radlif":
        assert set(config.network.layers[0].spread) == {"alpha", "beta", "a", "b"}


def trial(condition: str, **sizes: Any) -> Any:
    settings = EXPERIMENT.conditions[condition].settings
    return SimpleNamespace(settings=settings, sizes={**EXPERIMENT.quick, **sizes}, seed=1)


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
