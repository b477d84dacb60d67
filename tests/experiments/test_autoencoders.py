"""Experiments with auto-encoders: their recipes, their measures, and their quick forms."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from bioae import load as load_network
from bioae import simulate
from bioae.analysis.coding.reconstruction import sum_squared_error
from bioae.networks import trained
from bioae.trainers import TrainingConfig
from bioae.trainers.training.training import assemble
from experiments.autoencoders.measures import (
    CLASSES,
    class_structure,
    noise_errors,
    time_errors,
)
from experiments.baselines import BaselineConfig
from experiments.common.recipes import changed
from experiments.runner.experiment import load

NAMES = ("hubotter2021", "sparse_code")
CONDITIONS = [(name, condition) for name in NAMES for condition in load(name).conditions]
DATA = {"data": {"name": "sample", "train": 20, "validation": 4, "test": 4}}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "condition"), CONDITIONS)
def test_every_condition_can_be_trained(name: str, condition: str) -> None:
    tables = changed(load(name).conditions[condition].settings["tables"], DATA)
    json.dumps(tables)
    if "baseline" in tables:
        assert BaselineConfig.from_mapping(tables, where=condition).baseline.kind
        return
    config = TrainingConfig.from_mapping(tables, where=condition)
    if config.training.init is not None:
        assert config.training.init.model in trained.available()
        return
    assemble(config)  # the names of its weights exist, and every layer is reached
    network = config.network
    sizes = {layer.name: layer.size for layer in network.placed}
    assert sizes["latent"] == int(condition.partition("latent")[2] or 100)
    named = condition.partition("-t")[2]
    assert network.steps == int(named) if named else network.steps >= 24


@pytest.mark.medium
def test_the_error_in_time_is_that_of_a_shorter_presentation() -> None:
    from bioae.datasets import load as images_of

    network, images = load_network("sae-mnist").network, images_of("sample", "test", 3)
    shown: list[int] = []

    class Mirror:
        def mirror(self, network: Any, images: Any) -> Any:
            shown.append(network.config.steps)
            return simulate(network, images, "torch")

    errors = time_errors(Mirror(), network, images)  # type: ignore[arg-type]
    steps = network.config.steps
    assert shown == [steps // 4, steps // 2, steps * 3 // 4, steps]
    whole = sum_squared_error(simulate(network, images, "torch")).mean()
    assert [*errors.values()][-1] == float(whole)
    assert errors["time_0.25"] > 2 * errors["time_1"]


def test_tables_are_changed_by_key_and_by_name() -> None:
    tables = {"a": {"b": 1, "c": 2}, "layers": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]}
    assert changed(tables, {"a": {"c": 3}, "layers": {"y": {"n": 5}}}) == {
        "a": {"b": 1, "c": 3}, "layers": [{"name": "x", "n": 1}, {"name": "y", "n": 5}],
    }  # fmt: skip
    assert tables["a"] == {"b": 1, "c": 2}
    assert changed({"a": {"kind": "x", "b": 1}}, {"a": {"kind": "y"}}) == {"a": {"kind": "y"}}
    assert changed({"a": {"b": 1}}, {"a": {}}) == {"a": {}}
    assert changed({"a": {"kind": "x", "b": 1}}, {"a": {"b": 2}}) == {"a": {"kind": "x", "b": 2}}
    with pytest.raises(ValueError, match="no table 'z'"):
        changed(tables, {"layers": {"z": {"n": 1}}})


def test_class_structure_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [12, 9, 15])
    latents = rng.normal(size=(labels.size, 4)) + labels[:, None]
    distances: dict[bool, list[float]] = {True: [], False: []}
    for one, other in permutations(range(labels.size), 2):
        same = bool(labels[one] == labels[other])
        distances[same].append(float(((latents[one] - latents[other]) ** 2).sum()))
    found = class_structure(latents, labels, 0)
    assert found.keys() == CLASSES.keys()
    expected = np.mean(distances[True]) / np.mean(distances[False])
    assert expected < 0.8
    np.testing.assert_allclose(found["class_ratio"], expected, rtol=1e-12)
    assert abs(found["class_ratio_shuffled"] - 1) < 0.1
    assert found["readout"] > 0.6


def test_errors_with_noise_are_to_the_clean_images() -> None:
    from bioae.datasets import load

    images = load("sample", "test", 4)
    seen: dict[str, Any] = {}

    def reconstruct(noisy: Any, name: str) -> Any:
        seen[name] = noisy
        return noisy

    found = noise_errors(images, 3, reconstruct)
    assert found.keys() == seen.keys()
    for name, fraction in (("noise_0.25", 0.25), ("noise_0.5", 0.5)):
        noise = np.random.default_rng(3).random(images.as_float().shape)
        error = (fraction * (noise - images.as_float())) ** 2
        np.testing.assert_allclose(found[name], error.sum() / len(images), rtol=1e-12)
