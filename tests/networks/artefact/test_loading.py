"""Trained networks by name or path: which of the two is meant."""

from __future__ import annotations

import os
from pathlib import Path

import builders
import pytest
from refusals import refused

import bioae
from bioae.errors import ArtefactError
from bioae.networks import trained
from bioae.networks.trained.cards import FOLDER

NAME = trained.available()[0]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_existing_path_takes_precedence_over_a_name(here: Path) -> None:
    shipped = bioae.load(NAME).network.sha256
    assert bioae.load(FOLDER / NAME).network.sha256 == bioae.load(Path(NAME)).network.sha256
    assert bioae.load(Path(NAME)).network.sha256 == shipped
    (here / NAME).mkdir()
    with refused(ArtefactError, "network.toml", where=NAME):
        bioae.load(NAME)
    (here / NAME).rmdir()
    os.mkfifo(here / NAME)
    with refused(ArtefactError, where=NAME, found="a pipe"):
        bioae.load(NAME)
    (here / NAME).unlink()
    mine = builders.two_layers()
    bioae.save(mine, here / NAME)
    assert bioae.load(NAME).network.sha256 == mine.sha256 != shipped


@pytest.mark.parametrize("path", [f"./{NAME}", f"runs/{NAME}", f"{NAME}.zip", f"{NAME}/", "a\0b"])
def test_what_is_written_as_a_path_is_no_name(path: str) -> None:
    with refused(ArtefactError, where=None if "\0" in path else path):
        bioae.load(path)


@pytest.mark.parametrize("word", ["sae-mnits", "SAE-MNIST", "x" * 5000, "lif"])
def test_an_unknown_word_is_refused_in_one_line(word: str) -> None:
    with refused(ArtefactError, "a folder, a .zip file", *trained.available()) as caught:
        bioae.load(word)
    assert len(str(caught.value)) < 500
