"""Inputs are regular files and folders, read within limits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from special_files import special

from bioae import inputs
from bioae.analysis.results.schema import open_result
from bioae.analysis.results.training_metrics import read_metrics
from bioae.datasets import load as load_images
from bioae.equations import load_neuron
from bioae.errors import DataError, InputError, shortened
from bioae.inputs import check_input, open_input, read_input
from bioae.networks import artefact

READERS = (open_result, read_metrics, load_images, load_neuron, artefact.load)


def test_special_inputs_are_refused_at_once(tmp_path: Path) -> None:
    for name, path in special(tmp_path).items():
        if name in ("/dev/stdout", "/proc/self/fd/1"):  # where the output goes: perhaps a file
            continue
        with pytest.raises(OSError):  # noqa: PT011 - of several classes
            open_input(path)
        if path.exists():
            with pytest.raises(DataError, match=r"holds data; expected a file or a folder; found"):
                check_input(path, DataError)
    (tmp_path / "large").write_text("123")
    assert read_input(tmp_path / "large", most=3) == b"123"
    for path, most in ((tmp_path / "large", 2), (tmp_path, 2**20)):
        with pytest.raises(OSError, match=r"larger|directory"):
            read_input(path, most)


def test_no_more_is_read_of_a_file_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Growing(io.BytesIO):
        def close(self) -> None:  # its position is asked for
            pass

    growing = Growing(bytes(100))
    monkeypatch.setattr(inputs, "open_input", lambda path: growing)
    with pytest.raises(OSError, match="larger"):
        read_input("growing", most=2)
    assert growing.tell() == 3


@pytest.mark.parametrize("path", [None, b"out", 3])
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(DataError, match="the input is not a path; expected text or a pathlib"):
        check_input(path, DataError)
    for reader in READERS:
        with pytest.raises(InputError, match="is not a path; expected text or a pathlib"):
            reader(path)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert check_input("~/a", DataError) == tmp_path / "a"
    with pytest.raises(DataError, match="input: there is no such home folder; found ~nouser/a"):
        check_input("~nouser/a", DataError)
    Path("~nouser").mkdir()
    assert check_input("~nouser", DataError) == Path("~nouser")
    for reader in READERS:
        (tmp_path / "a.toml").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=str(tmp_path / "a.toml")):
            reader("~/a.toml")


@pytest.mark.parametrize("most", [40, 60, 80])
def test_found_values_are_shortened_to_a_length(most: int) -> None:
    assert shortened("a" * most, most) == "a" * most
    short = shortened("a" * (most + 1), most)
    assert (len(short), short[-4:]) == (most, "a...")
