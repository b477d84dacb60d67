"""``bioae data``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bioae.cli import main
from bioae.datasets import DATA_SETS, locate
from bioae.errors import DataError

pytestmark = pytest.mark.usefixtures("empty_cache")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(DATA_SETS)
    assert "2,000 train, 500 test; CC BY-SA 3.0; " in lines[1]
    assert lines[3].endswith("not fetched yet: bioae data fetch mnist")
    assert main(["data", "list", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert list(entries) == list(DATA_SETS)
    assert entries["sample"]["path"] == str(locate("sample"))
    assert (entries["mnist"]["path"], entries["mnist"]["examples"]["test"]) == (None, 10_000)


@pytest.mark.parametrize("command", ["path", "fetch"])
def test_the_sample_needs_no_fetching(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", command, "sample"]) == 0
    folder = Path(capsys.readouterr().out.rstrip("\n"))
    assert (folder / "train-images-idx3-ubyte.gz").is_file()


def test_path_of_a_missing_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "path", "mnist"]) == 2
    assert "bioae data fetch mnist" in capsys.readouterr().err


def test_fetch_without_a_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(name: str) -> Path:
        raise DataError("could not be fetched", where=name, hint="Set BIOAE_DATA")

    monkeypatch.setattr("bioae.cli.data.fetch", offline)
    assert main(["data", "fetch", "mnist"]) == 2
    assert capsys.readouterr().err == "bioae: error: mnist: could not be fetched. Set BIOAE_DATA\n"
