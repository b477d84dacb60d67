"""``bioae cache``: show and clear."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.simulation.targets.build_cache import BuildCache

Run = Callable[..., Any]

KEY = "c0ffee" + 58 * "0"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildCache:
    monkeypatch.setenv("BIOAE_CACHE", str(tmp_path / "cache"))
    return BuildCache.of_user()


def keep(cache: BuildCache, program: Path) -> None:
    cache.obtain(KEY, program, lambda: program.write_bytes(bytes(1000)))


def test_show(cache: BuildCache, tmp_path: Path, run: Run) -> None:
    empty = run("cache", "show")
    assert (empty.status, empty.err) == (0, "")
    assert f"{tmp_path / 'cache' / 'builds'}: 0 compiled networks" in empty.out
    keep(cache, tmp_path / "main")
    printed = run("cache", "show")
    assert "1 compiled network, 0.0 MB, at most 250.0 MB" in printed.out
    assert KEY[:12] in printed.out
    actual = json.loads(run("cache", "show", "--json").out)
    assert actual["folder"] == str(cache.folder)
    assert actual["bytes"] == 1000
    assert [(build["key"], build["bytes"]) for build in actual["builds"]] == [(KEY, 1000)]


def test_clear(cache: BuildCache, tmp_path: Path, run: Run) -> None:
    keep(cache, tmp_path / "main")
    assert "removed 1 compiled network, 0.0 MB" in run("cache", "clear").out
    assert cache.kept() == []
    keep(cache, tmp_path / "main")
    actual = json.loads(run("cache", "clear", "--json").out)
    assert actual == {"folder": str(cache.folder), "bytes": 1000, "removed": 1}
    assert cache.kept() == []
