"""``bioae data`` and ``bioae cache``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.cli import main
from bioae.datasets import DATA_SETS, locate
from bioae.errors import DataError
from bioae.simulation.targets.build_cache import BuildCache

pytestmark = pytest.mark.usefixtures("empty_cache")


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(DATA_SETS)
    assert "2,000 train, 500 test; CC BY-SA 3.0; " in lines[1]
    assert lines[3].endswith("not fetched yet: bioae data fetch mnist")
    assert main(["data", "list", "--json"]) == 0
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert (list(entries), entries["sample"]["path"]) == (list(DATA_SETS), str(locate("sample")))
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


KEY = "c0ffee" + 58 * "0"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildCache:
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    return BuildCache.of_user()


def test_show_and_clear(cache: BuildCache, tmp_path: Path, run: Callable[..., Any]) -> None:
    empty = run("cache", "show")
    assert (empty.status, empty.err) == (0, "")
    assert f"{tmp_path / 'cache' / 'builds'}: 0 compiled networks" in empty.out
    for options in ((), ("--json",)):
        cache.obtain(KEY, tmp_path / "main", lambda: (tmp_path / "main").write_bytes(bytes(1000)))
        shown, cleared = (run("cache", each, *options).out for each in ("show", "clear"))
        assert cache.kept() == []
        if not options:
            assert "1 compiled network, 0.0 MB, at most 250.0 MB" in shown
            assert KEY[:12] in shown
            assert "removed 1 compiled network, 0.0 MB" in cleared
            continue
        listed = json.loads(shown)
        assert (listed["folder"], listed["bytes"]) == (str(cache.folder), 1000)
        assert [(build["key"], build["bytes"]) for build in listed["builds"]] == [(KEY, 1000)]
        assert json.loads(cleared) == {"folder": str(cache.folder), "bytes": 1000, "removed": 1}
