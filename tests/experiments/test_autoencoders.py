"""The experiment with the paper's table: its recipes, its measures, and its quick form."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioae.cli import main
from bioae.experiments.autoencoders.measures import CLASSES, class_structure, noise_errors
from bioae.experiments.autoencoders.recipes import changed
from bioae.experiments.hubotter2021 import EXPERIMENT
from bioae.trainers import BaselineConfig, TrainingConfig

NAME = "hubotter2021"
DATA = {"data": {"name": "sample"}}


@pytest.mark.parametrize("name", EXPERIMENT.conditions)
def test_every_condition_can_be_trained(name: str) -> None:
    tables = changed(EXPERIMENT.conditions[name].settings["tables"], DATA)
    json.dumps(tables)
    if "baseline" in tables:
        assert BaselineConfig.from_mapping(tables, where=name).baseline.kind
        return
    network = TrainingConfig.from_mapping(tables, where=name).network
    sizes = {layer.name: layer.size for layer in network.placed}
    assert sizes["latent"] == int(name.partition("latent")[2] or 100)
    assert network.steps == int(name.partition("-t")[2]) if "-t" in name else network.steps >= 25


def test_conditions_differ() -> None:
    texts = [json.dumps(each.settings, sort_keys=True) for each in EXPERIMENT.conditions.values()]
    # The sweep over sizes contains the size of the other rows.
    assert len(set(texts)) == len(texts)


def test_tables_are_changed_by_key_and_by_name() -> None:
    tables = {"a": {"b": 1, "c": 2}, "layers": [{"name": "x", "n": 1}, {"name": "y", "n": 2}]}
    assert changed(tables, {"a": {"c": 3}, "layers": {"y": {"n": 5}}}) == {
        "a": {"b": 1, "c": 3}, "layers": [{"name": "x", "n": 1}, {"name": "y", "n": 5}],
    }  # fmt: skip
    assert tables["a"] == {"b": 1, "c": 2}
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
        noise = np.random.default_rng(3).random(images.images.shape)
        error = (fraction * (noise - images.images)) ** 2
        np.testing.assert_allclose(found[name], error.sum() / len(images), rtol=1e-12)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the quick form."""
    folder = tmp_path_factory.mktemp("quick") / "out"
    assert main(["experiment", NAME, "--quick", "--out", str(folder)]) == 0
    return folder


def test_the_quick_form(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (quick / f"{NAME}.md").read_text()
    assert "**Verdict: the claim holds.**" in page
    rows = json.loads((quick / f"{NAME}.json").read_text())["rows"]
    spiking = [row["numbers"] for row in rows if "differing_spikes" in row["numbers"]]
    assert len(spiking) == 3
    assert all(row["spikes"] > 0 and row["error_difference"] == 0 for row in spiking)
    for name in ("main", "sweeps"):
        assert (quick / f"figures/{NAME}-{name}.svg").read_text().endswith("-->\n")


@pytest.mark.parametrize(
    ("condition", "change"),
    [
        ("dense", lambda numbers: {**numbers, "differing_spikes": 1}),
        ("sparse", lambda numbers: {**numbers, "density": 0.9}),
        ("mean-image", lambda numbers: {**numbers, "error": 1.0}),
    ],
)
def test_it_can_fail(
    condition: str, change: Callable[[dict[str, Any]], dict[str, Any]], quick: Path, tmp_path: Path
) -> None:
    document = json.loads((quick / f"{NAME}.json").read_text())
    for row in document["rows"]:
        if row["condition"] == condition:
            row["numbers"] = change(row["numbers"])
    known = tmp_path / "known.json"
    known.write_text(json.dumps(document))
    command = ["experiment", NAME, "--quick", "--rows", str(known), "--out", str(tmp_path / "out")]
    assert main(command) == 1  # the rows are taken over, so that nothing is trained
