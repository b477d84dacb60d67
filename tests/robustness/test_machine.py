"""Machines in a bad state: cold starts at once, and a cache that cannot be written.

`tests/cli/test_full_disk.py` fills the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from robustness.forked import Command

from bioae.simulation.targets.build_cache import BuildCache

Start = Callable[..., Command]

pytestmark = pytest.mark.slow


def test_cold_starts_on_one_cache(model: Path, here: Path, start: Start) -> None:
    cache = {"BIOAE_CACHE": str(here / "cache")}
    names = [f"{number}.nc" for number in range(4)]
    started = [
        start("simulate", model, "--limit", 1, "--seed", 3, "--out", name, **cache)
        for name in names
    ]
    done = [command.wait(300) for command in started]
    assert [each[:3] for each in done] == [(0, f"{name}\n", "") for name in names]
    assert len({(here / name).read_bytes() for name in names}) == 1
    builds = BuildCache(here / "cache" / "builds")
    assert {path.name for path in builds.folder.iterdir()} == {builds.kept()[0].key, ".locks"}


@pytest.mark.parametrize("cache", ["file/folder", "file", "/proc/1"])
def test_a_cache_that_cannot_be_written(cache: str, model: Path, here: Path, start: Start) -> None:
    (here / "file").touch()
    simulate = ["simulate", model, "--limit", 1]
    results = []
    for name in ("cache", cache):
        folder = str(here / name)
        done = start(*simulate, "--out", "r.nc", "--overwrite", BIOAE_CACHE=folder).wait(120)
        assert done[:3] == (0, "r.nc\n", "")
        results.append((here / "r.nc").read_bytes())
    assert results[0] == results[1]
