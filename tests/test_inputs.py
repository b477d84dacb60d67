"""Inputs are regular files and folders, read within limits."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from refusals import refused

from bioae.analysis.results.schema import open_result
from bioae.analysis.results.training_metrics import read_metrics
from bioae.datasets import load as load_images
from bioae.equations import load_neuron
from bioae.errors import DataError, InputError, shortened
from bioae.inputs import check_input, open_input, read_input
from bioae.networks import artefact

READERS = (open_result, read_metrics, load_images, load_neuron, artefact.load)


@pytest.mark.parametrize("name", ["pipe", "to a pipe", "/dev/zero"])
def test_special_inputs_are_refused_at_once(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to a pipe").symlink_to("pipe")
    with pytest.raises(OSError, match="holds no data"):
        open_input(tmp_path / name)
    with refused(DataError):
        check_input(tmp_path / name, DataError)


def test_no_more_is_read_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("123")
    assert read_input(tmp_path / "large", most=3) == b"123"
    for path, most in ((tmp_path / "large", 2), (tmp_path, 2**20)):
        with pytest.raises(OSError, match=r"larger|directory"):
            read_input(path, most)


@pytest.mark.parametrize("path", [None, b"out", 3])
def test_what_is_no_path(path: Any) -> None:
    with refused(DataError):
        check_input(path, DataError)
    for reader in READERS:
        with pytest.raises(InputError, match="is not a path; expected text or a pathlib"):
            reader(path)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert check_input("~/a", DataError) == tmp_path / "a"
    for reader in READERS:
        (tmp_path / "a.toml").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=str(tmp_path / "a.toml")):
            reader("~/a.toml")


@pytest.mark.parametrize("most", [40, 60, 80])
def test_found_values_are_shortened_to_a_length(most: int) -> None:
    assert shortened("a" * most, most) == "a" * most
    short = shortened("a" * (most + 1), most)
    assert (len(short), short[-4:]) == (most, "a...")
