"""A training run stored as a network of the package: exact weights, measured numbers, refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shipping
from shipping import Words, ship

import bioae
from bioae.datasets import load
from bioae.errors import BioaeError
from bioae.networks import artefact
from bioae.networks.trained.cards import CARD, Card, read_card
from bioae.trainers import TrainingConfig

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[1] / "cli" / "tiny.toml"
WORDS = Words("A small network.", ("It is small.",))
#: The embedded digits that the tests measure, of 500.
DIGITS = 20


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs that differ in their seed alone; not to be written to."""
    folder = tmp_path_factory.mktemp("runs")
    text = CONFIG.read_text(encoding="utf-8")
    for seed in range(3):
        file = folder / f"{seed}.toml"
        file.write_text(f"{text}seed = {seed}\n", encoding="utf-8")
        bioae.train(file, out=folder / str(seed))
    return [folder / str(seed) for seed in range(3)]


@pytest.fixture(autouse=True)
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shipping, "load", lambda name, split, limit=None: load(name, split, limit or DIGITS)
    )


@pytest.fixture
def shipped(tmp_path: Path) -> Callable[..., Card]:
    """Ship a run into an empty folder, and return its card."""

    def shipped(run: Path, **options: Any) -> Card:
        path = ship(run, "small", WORDS, target="numpy", folder=tmp_path, **options)
        assert path == tmp_path / "small"
        return read_card(path / CARD)

    return shipped


def test_the_card_of_a_run(runs: list[Path], shipped: Callable[..., Card], tmp_path: Path) -> None:
    card, test = shipped(runs[1]), json.loads((runs[1] / "test.json").read_bytes())
    assert Words.of(tmp_path / "small" / CARD) == WORDS
    assert card.test.value == test["test_sum_squared_error"]
    rate = test["test_layers"]["latent"]["rate_per_step_mean"]
    assert card.test.layers["latent"].rate_per_step_mean == rate
    assert (card.test.examples, card.test.seeds, card.test.spread) == (10, 1, None)
    training = card.training
    assert (training.seed, training.epochs, training.epoch) == (1, 2, test["epoch"])
    assert training.presentations == 2 * (50 - 10)
    assert (card.network.latent_neurons, card.network.parameters) == (8, 8 * 784 * 2)
    sample = card.sample
    assert sample is not None
    assert (sample.examples, sample.target, sample.differing) == (DIGITS, "numpy", 0)
    assert sample.spikes > 0
    assert sample.standard_error > 0

    stored, trained = (artefact.load(path) for path in (tmp_path / "small", runs[1] / "model"))
    assert stored.network.sha256 == trained.network.sha256
    assert stored.network.weights["latent.weight"].dtype == np.float32
    assert trained.network.weights["latent.weight"].dtype == np.float64
    assert (stored.training, stored.metrics) == (trained.training, trained.metrics)
    again = TrainingConfig.read(tmp_path / "small" / "config.toml")
    assert again.network == stored.network.config


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('name = "sample"', 'name = "./digits"'),
        ("[training]", '[training]\ninit = "x"'),
        ("grid_bits = 12", "grid_bits = 0"),
        ("grid_bits = 12", "grid_bits = 3"),
    ],
)
def test_runs_that_cannot_be_shipped(
    before: str, after: str, runs: list[Path], shipped: Callable[..., Card], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    file = run / "config.toml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(BioaeError):
        shipped(run)
    with pytest.raises(BioaeError):  # seeds that differ in more than their seed
        shipped(runs[0], seeds=[run])
    assert not (tmp_path / "small").exists()
