"""The shipped networks: their files, their cards, and the numbers that the cards state."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
import tomli_w
from refusals import refused

import bioae
from bioae import analysis
from bioae.datasets import DATA_SETS, load
from bioae.equations import available as neuron_models
from bioae.errors import ArtefactError
from bioae.networks import trained
from bioae.networks.artefact import Artefact
from bioae.networks.artefact import load as load_network
from bioae.networks.trained.cards import CARD, CONFIG, FOLDER, Card, read_card
from bioae.networks.trained.describing import facts
from bioae.trainers import TrainingConfig

NAME = trained.available()[0]


@pytest.fixture
def values() -> dict[str, Any]:
    """The tables of a card of one seed."""
    tables: dict[str, Any] = trained.card(NAME).model_dump(mode="json", exclude_none=True)
    tables["test"].pop("spread", None)
    tables["test"]["seeds"] = 1
    return tables


def written(values: dict[str, Any], path: Path) -> Path:
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return path


def changed(values: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """Return the tables with one value replaced, or removed if it is None."""
    *tables, last = key.split(".")
    table = values
    for name in tables:
        table = table[name]
    table[last] = value
    if value is None:
        del table[last]
    return values


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    card = trained.card(NAME)
    tables = card.model_dump(mode="json", exclude_none=True)
    assert read_card(written(tables, tmp_path / CARD)) == card


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", None), ("title", ""), ("limits", []), ("author", "x"), ("data.licence", None),
        ("test.value", float("nan")), ("test.score", "loss"), ("test.spread", 0.1),
        ("test.seeds", 3), ("sample.examples", 1), ("training.seed", -1),
    ],
)  # fmt: skip
def test_refused_cards(key: str, value: object, values: dict[str, Any], tmp_path: Path) -> None:
    path = written(changed(values, key, value), tmp_path / CARD)
    with refused(ArtefactError, key.partition(".")[2], where=path):
        read_card(path)


def test_facts_state_the_spread_over_seeds(values: dict[str, Any], tmp_path: Path) -> None:
    assert "one seed" in facts(read_card(written(values, tmp_path / CARD)))["test split"]
    values["test"] |= {"seeds": 3, "spread": 0.125}
    known = read_card(written(values, tmp_path / CARD))
    assert "standard deviation over 3 seeds: 0.12" in facts(known)["test split"]
    assert "embedded digits" in facts(known)
    del values["sample"]
    assert "embedded digits" not in facts(read_card(written(values, tmp_path / CARD)))


@pytest.mark.parametrize("name", ["nothing", "../models/sae-mnist", "sae-mnist/", ".", "", "/etc"])
def test_a_name_leads_nowhere_but_into_the_folder(name: str) -> None:
    with refused(ArtefactError, *trained.available(), where=name):
        trained.card(name)
    with refused(ArtefactError, hint=re.compile("sae-mnist")):
        trained.card("sae-mnits")


@pytest.mark.medium
def test_names_and_cards_need_no_heavy_library() -> None:
    code = (
        "import sys; from bioae.networks import trained\n"
        "print(trained.card(trained.available()[0]).title)\n"
        "print(sorted({'torch', 'brian2', 'xarray', 'safetensors'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [trained.card(NAME).title, "[]"]


NAMES = trained.available()
#: The most bytes of an artefact in the package.
LARGEST = 10**6


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def folder(name: str) -> Path:
    return FOLDER / name


@pytest.fixture
def card(name: str) -> Card:
    return trained.card(name)


@pytest.fixture
def artefact(folder: Path) -> Artefact:
    return load_network(folder)


def test_there_is_one_and_names_are_not_those_of_neuron_models() -> None:
    assert "sae-mnist" in NAMES
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name) for name in NAMES)
    assert not set(NAMES) & set(neuron_models())
    assert sorted(path.name for path in FOLDER.iterdir()) == list(NAMES)
    for name in NAMES:
        files = {path.name: path.stat().st_size for path in (FOLDER / name).iterdir()}
        assert files.keys() == {"network.toml", "weights.safetensors", CARD, CONFIG}
        assert sum(files.values()) < LARGEST


def test_weights_are_stored_in_float32_on_the_grid(artefact: Artefact) -> None:
    network = artefact.network
    rounded = network.quantised(artefact.training["training"]["grid_bits"])
    names = [name for placed in network.config.placed for name in placed.weight_shapes]
    assert names
    assert {network.weights[name].dtype.name for name in names} == {"float32"}
    assert rounded.sha256 == network.sha256


def test_the_card_has_the_numbers_of_the_artefact(card: Card, artefact: Artefact) -> None:
    network, training, metrics = artefact.network, artefact.training, artefact.metrics
    sizes = {each.name: each.size for each in network.config.placed}
    latent = network.config.latent
    assert card.network.model_dump() == {
        "task": network.config.task.kind,
        "latent": latent,
        "latent_neurons": sizes.get(latent or ""),
        "neurons": sum(sizes.values()),
        "parameters": sum(np.size(values) for values in network.weights.values()),
    }
    assert card.sample is not None
    assert abs(card.sample.value - card.test.value) < 3 * card.sample.standard_error
    assert card.data.name == training["data"]["name"]
    assert card.data.licence == DATA_SETS[card.data.name].licence
    assert card.data.source == DATA_SETS[card.data.name].source
    assert card.training.seed == training["training"]["seed"]
    assert card.training.epoch == metrics["epoch"]
    score, *_ = network.config.task.scores
    assert (card.test.score, card.test.value) == (score, metrics[f"test_{score}"])
    assert card.test.layers.keys() == metrics["test_layers"].keys()
    for layer, firing in card.test.layers.items():
        assert firing.model_dump().items() <= metrics["test_layers"][layer].items()


def test_the_configuration_repeats_it(folder: Path, card: Card, artefact: Artefact) -> None:
    config = TrainingConfig.read(folder / CONFIG)
    assert config.network.to_mapping() == artefact.network.config.to_mapping()
    written = tomllib.loads((folder / CONFIG).read_text(encoding="utf-8"))["network"]
    assert {each["neuron"] for each in written["layers"]} <= written["neurons"].keys()
    rest = {key: value for key, value in config.to_mapping().items() if key != "network"}
    assert rest == artefact.training
    assert f"bioae train {CONFIG} " in card.training.command


@pytest.mark.medium
def test_both_engines_give_the_score_of_the_card(card: Card, artefact: Artefact) -> None:
    sample = card.sample
    assert sample is not None
    assert card.test.score == "sum_squared_error"
    digits = load("sample", "test", 12)
    result, mirror = (bioae.simulate(artefact.network, digits, each) for each in ("numpy", "torch"))
    spikes = 0
    for name, layer in result["layers"].children.items():
        for variable in ("spike_example", "spike_neuron", "spike_time_ms"):
            np.testing.assert_array_equal(layer[variable], mirror[f"layers/{name}/{variable}"])
        spikes += int(layer["spike_count"].sum())
    assert spikes > 6_000
    assert sample.differing == 0
    errors = np.asarray(analysis.sum_squared_error(result))
    # Some of the card's digits: their standard error is larger.
    error = sample.standard_error * (sample.examples / len(errors)) ** 0.5
    assert 0 < error < sample.value / 3
    assert abs(errors.mean() - sample.value) < 3 * error
    blank = np.asarray(analysis.sum_squared_error(result, analysis.all_zero(result)))
    assert errors.mean() < blank.mean() / 5


@pytest.mark.slow
def test_all_embedded_digits_give_the_number_of_the_card(card: Card, artefact: Artefact) -> None:
    builders.need("cpp_standalone")
    assert card.sample is not None
    result = bioae.simulate(artefact.network, load("sample", "test"), "cpp_standalone")
    errors = np.asarray(analysis.sum_squared_error(result))
    assert len(errors) == card.sample.examples
    np.testing.assert_allclose(errors.mean(), card.sample.value, rtol=1e-9)
    assert sum(int(layer["spike_count"].sum()) for layer in result["layers"].children.values()) == (
        card.sample.spikes
    )
