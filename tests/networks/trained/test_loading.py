"""Trained networks by name or path: which of the two is meant."""

from __future__ import annotations

import os
from pathlib import Path

import builders
import pytest

import bioae
from bioae.errors import ArtefactError
from bioae.networks import trained
from bioae.networks.trained import card
from bioae.networks.trained.cards import FOLDER

NAME = trained.available()[0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_is_found_from_anywhere(here: Path) -> None:
    assert trained.locate(NAME) == FOLDER / NAME
    named = bioae.load(NAME).network
    assert named.sha256 == bioae.load(FOLDER / NAME).network.sha256
    assert list(here.iterdir()) == []


def test_an_existing_path_takes_precedence_over_a_name(here: Path) -> None:
    shipped = bioae.load(NAME).network.sha256
    mine = builders.two_layers()
    bioae.save(mine, here / NAME)
    assert trained.locate(NAME) == Path(NAME)
    assert bioae.load(NAME).network.sha256 == mine.sha256 != shipped


def test_a_folder_of_the_name_is_never_passed_over(here: Path) -> None:
    (here / NAME).mkdir()
    with pytest.raises(ArtefactError, match=r"network\.toml is missing"):
        bioae.load(NAME)
    (here / NAME).rmdir()
    (here / NAME).symlink_to("nowhere")
    with pytest.raises(ArtefactError, match="there is no trained network"):
        bioae.load(NAME)
    (here / NAME).unlink()
    os.mkfifo(here / NAME)
    with pytest.raises(ArtefactError, match="no file that holds data"):
        bioae.load(NAME)


@pytest.mark.parametrize("path", [f"./{NAME}", f"runs/{NAME}", f"{NAME}.zip", f"{NAME}/"])
def test_what_is_written_as_a_path_is_no_name(path: str, here: Path) -> None:
    with pytest.raises(ArtefactError, match="there is no trained network"):
        bioae.load(path)


def test_a_null_character_is_refused() -> None:
    with pytest.raises(ArtefactError, match="null character in its path"):
        bioae.load("a\0b")


def test_a_path_without_a_file_may_be_a_name(here: Path) -> None:
    assert bioae.load(Path(NAME)).network.sha256 == bioae.load(NAME).network.sha256
    with pytest.raises(ArtefactError, match="5: there is no trained network of this name"):
        card(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["sae-mnits", "SAE-MNIST", "x" * 5000, "lif"])
def test_an_unknown_word_is_refused_in_one_line(word: str, here: Path) -> None:
    with pytest.raises(ArtefactError) as caught:
        bioae.load(word)
    line = str(caught.value)
    assert "expected a folder, a .zip file, or one of sae-mnist" in line
    assert "\n" not in line
    assert len(line) < 500
