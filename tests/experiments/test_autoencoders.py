"""Experiments with auto-encoders: recipes, measures, and the steps that hill climbing keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from bioae import load as load_network
from bioae import simulate
from bioae.analysis.coding.reconstruction import sum_squared_error
from bioae.networks import trained
from bioae.random import stream
from bioae.trainers import TrainingConfig
from bioae.trainers.training.training import assemble
from experiments.autoencoders import hill_climbing
from experiments.autoencoders.codes import evenly_spaced
from experiments.autoencoders.generation import compared
from experiments.autoencoders.hill_climbing import Climber, Network
from experiments.autoencoders.measures import CLASSES, class_structure, noise_errors, time_errors
from experiments.baselines import BaselineConfig
from experiments.baselines.autoencoder import largest, quantised
from experiments.common.recipes import changed
from experiments.neurons_as_autoencoders import STEPS, climbed
from experiments.rate_distortion import bits_of, bits_of_trains
from experiments.runner.experiment import load
from experiments.temporal_code import at_random, codes_of

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
    named = {key: int(number) for key, number in re.findall(r"-(latent|t)(\d+)", condition)}
    assert sizes["latent"] == named.get("latent", 100)
    assert network.steps == named["t"] if "t" in named else network.steps >= 16


def test_bits_of_codes_are_entropies() -> None:
    rng = np.random.default_rng(0)
    assert bits_of(rng.integers(4, size=(40_000, 3))) == pytest.approx(6, abs=0.01)
    assert bits_of(np.zeros((100, 3))) == 0
    random = rng.random((40_000, 2, 12)) < 0.1
    entropy = -(0.1 * np.log2(0.1) + 0.9 * np.log2(0.9))
    assert bits_of_trains(random) == pytest.approx(24 * entropy, rel=0.01)
    # A train that is periodic from its first spike on has the bits of its phase.
    periodic = np.arange(12) % 4 == rng.integers(4, size=(40_000, 2, 1))
    assert bits_of_trains(periodic) == pytest.approx(4, abs=0.01)
    assert bits_of(periodic) > 15


def test_latent_units_can_be_few_or_have_levels() -> None:
    values = torch.tensor([[0.1, 0.6, -2.0, 0.9]], requires_grad=True)
    assert largest(values, 2).tolist() == [[0, values[0, 1], 0, values[0, 3]]]
    rounded = quantised(values, 3)
    assert rounded.tolist() == [[0, 0.5, -2, 1]]
    rounded.sum().backward()
    assert values.grad is not None
    assert (values.grad == 1).all()


def test_spikes_at_other_times_are_as_many() -> None:
    fired = np.zeros((2000, 3, 8), np.bool_)
    fired[:, 0] = True
    fired[:, 1, :2] = True  # the third neuron is silent
    even, random = evenly_spaced(fired), at_random(fired, seed=0)
    for other in (even, random):
        assert (other.sum(-1) == fired.sum(-1)).all()
    assert (even[:, 1] == (np.arange(8) % 4 == 3)).all()
    assert np.allclose(random[:, 1].mean(0), 2 / 8, atol=0.04)  # 4 standard errors
    assert codes_of(fired)[0].tolist() == [8, 2, 0, 36, 8 + 7, 0]


def test_images_are_compared_by_moments_and_neighbours() -> None:
    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(500, 4)), rng.normal(size=(400, 4)) * [1, 2, 1, 1] + 1
    assert compared(real, real) == {"frechet": pytest.approx(0, abs=1e-9), "coverage": 1}
    found, one, two = compared(other, real), np.cov(other.T), np.cov(real.T)
    root = sqrtm(one @ two).real
    shift = other.mean(0) - real.mean(0)
    assert found["frechet"] == pytest.approx(shift @ shift + np.trace(one + two - 2 * root))
    assert compared(np.full((9, 4), 100.0), real)["coverage"] == 0 < found["coverage"] < 1


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


Numbers = NDArray[np.float64]

NUMBERS = np.random.default_rng(0)
INPUTS = NUMBERS.choice([-1.0, 1.0], (60, 5))
TARGETS = INPUTS @ NUMBERS.normal(size=5) + INPUTS[:, 0] * INPUTS[:, 1]


def climber(evaluations: int = 2000) -> Climber:
    return Climber(INPUTS, TARGETS, neurons=4, evaluations=evaluations, size=0.3, seed=3)


def by_loops(network: Network, row: Numbers) -> tuple[float, list[float]]:
    """Return the output and the hidden neurons' outputs for one example."""
    hidden = []
    for weights in network.hidden:
        total = weights[-1] + sum(w * x for w, x in zip(weights[:-1], row, strict=True))
        hidden.append(1 / (1 + np.exp(-total)))
    return float(np.dot(network.output[:-1], hidden) + network.output[-1]), hidden


def tried(parts: list[Numbers], place: int, change: float, error: Callable[[], float]) -> bool:
    """Change a weight of two flat arrays unless the error rises, and return whether it is kept."""
    before = error()
    which = int(place >= parts[0].size)
    parts[which][place - which * parts[0].size] += change
    if error() <= before:
        return True
    parts[which][place - which * parts[0].size] -= change
    return False


@pytest.mark.parametrize("steps", STEPS)
def test_outputs_and_reconstructions_are_those_of_loops(steps: str) -> None:
    network = climbed(climber(), steps).network
    single = [by_loops(network, row) for row in INPUTS]
    np.testing.assert_allclose(network.outputs(INPUTS), [each[0] for each in single], rtol=1e-9)
    activity = np.array([each[1] for each in single])  # (example, neuron)
    np.testing.assert_allclose(network.activity(INPUTS).T, activity, rtol=1e-9)
    for neuron, found in enumerate(network.unexplained(INPUTS)):
        rebuilt = (activity[:, neuron, None] - 0.5) * network.decoder[neuron]
        expected = np.sum((INPUTS - rebuilt) ** 2) / np.sum(INPUTS**2)
        assert found == pytest.approx(expected, rel=1e-9)
    axes = np.linalg.qr(activity - 0.5)[0]  # the best decoder projects on their span
    expected = 1 - np.sum((axes.T @ INPUTS) ** 2) / np.sum(INPUTS**2)
    assert network.unexplained_by_layer(INPUTS) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("layer", "shuffled"), [(False, False), (False, True), (True, False)])
def test_climbs_keep_the_steps_that_naive_ones_keep(layer: bool, shuffled: bool) -> None:
    """Every error computed from scratch, by the definition."""
    fast = climber(400)
    climb = fast.autoencoding(layer=layer, shuffled=shuffled)
    network = deepcopy(fast.network)
    generator = stream(fast.seed, hill_climbing._ORDER)
    goal = generator.permutation(INPUTS) if shuffled else INPUTS
    assert (goal != INPUTS).any() == shuffled

    def reconstruction(neuron: int) -> float:
        owners = slice(None) if layer else [neuron]
        code = network.activity(INPUTS)[owners].T - 0.5
        return float(np.sum((goal - code @ network.decoder[owners]) ** 2))

    def task_error() -> float:
        return float(np.sum((network.outputs(INPUTS) - TARGETS) ** 2))

    for number, (place, change) in enumerate(fast.task):
        parts = [network.hidden.reshape(-1), network.decoder.reshape(-1)]
        at, step = fast.code[number]
        which = int(at >= parts[0].size)
        neuron = (at - which * parts[0].size) // (5 if which else 6)
        kept = tried(parts, at, step, partial(reconstruction, neuron))
        assert kept == climb.kept[number], number
        tried([network.hidden.reshape(-1), network.output], place, change, task_error)
    for name in ("hidden", "output", "decoder"):
        np.testing.assert_allclose(
            getattr(climb.network, name), getattr(network, name), rtol=1e-9, atol=1e-12
        )
    assert 0.1 < climb.kept.mean() < 0.9
