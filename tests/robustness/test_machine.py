"""Machines in a bad state: cold starts at once, a full disk, a cache that cannot be written.

`tests/cli/test_full_disk.py` limits the size of files instead, which needs no rights.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from robustness.forked import Command

from bioae.simulation.targets.build_cache import BuildCache

Start = Callable[..., Command]

CONFIG = Path(__file__).parents[1] / "cli/tiny.toml"

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


@pytest.fixture
def small_disk(here: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a disk of a number of kilobytes."""
    disk = here / "disk"
    disk.mkdir()

    def mount(kilobytes: int) -> Path:
        unmount()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a small disk")
        return disk

    def unmount() -> None:
        subprocess.run(["umount", str(disk)], capture_output=True, check=False)

    yield mount
    unmount()


@pytest.mark.parametrize("name", ["r.nc", "run", "report"])
def test_a_full_disk(
    name: str, model: Path, here: Path, start: Start, small_disk: Callable[[int], Path]
) -> None:
    (here / "run.toml").write_text(CONFIG.read_text())
    simulate = ["simulate", model, "--limit", 8, "--target", "numpy"]
    assert start(*simulate, "--out", "r.nc").wait(60).status == 0
    command = {
        "r.nc": [*simulate, "--out", "disk/r.nc"],
        "run": ["train", "run.toml", "--out", "disk/run"],
        "report": ["analyze", "r.nc", "--out", "disk/report"],
    }[name]
    refused = 0
    for kilobytes in range(4, 4000, 16 if name == "r.nc" else 64):
        disk = small_disk(kilobytes)
        done = start(*command).wait(60)
        if done.status == 0:
            break
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
        assert done.err.startswith("bioae: error: ")
        assert "No space left on device" in done.err
        refused += 1
        # A training run keeps what it has finished.
        kept = {
            "run",
            ".lock",
            "config.toml",
            "checkpoint.safetensors",
            "metrics.jsonl",
            "test.json",
        }
        assert {path.name for path in disk.rglob("*")} <= (kept if name == "run" else set())
    assert done.status == 0
    assert refused > 0


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
