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


def test_show_and_clear(cache: BuildCache, tmp_path: Path, run: Run) -> None:
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
