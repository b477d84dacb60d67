"""Machines in a bad state: cold starts at once, a full disk, a read-only cache, a jumping clock.

`tests/cli/test_full_disk.py` limits the size of files instead, which needs no rights.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from robustness.forked import Command, Done

from bioae.simulation.targets.build_cache import BuildCache

Start = Callable[..., Command]
Figures = Callable[..., None]


@pytest.mark.parametrize("count", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_cold_starts_on_one_cache(
    count: int, model: Path, here: Path, start: Start, figures: Figures
) -> None:
    cache = {"BIOAE_CACHE": str(here / "cache")}
    names = [f"{number}.nc" for number in range(count)]
    begun = [
        start("simulate", model, "--limit", 1, "--seed", 3, "--out", name, **cache)
        for name in names
    ]
    done = [command.wait(300) for command in begun]
    assert [(each.status, each.out, each.err) for each in done] == [
        (0, f"{name}\n", "") for name in names
    ]
    assert len({(here / name).read_bytes() for name in names}) == 1
    builds = BuildCache(here / "cache" / "builds")
    assert {path.name for path in builds.folder.iterdir()} == {builds.kept()[0].key, ".locks"}
    figures("cold starts", processes=count, builds=1)


@pytest.fixture
def small_disk(here: Path) -> Iterator[Callable[[int], Path]]:
    """Mount a disk of so many kilobytes."""
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


def assert_refused(done: Done) -> None:
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("bioae: error: ")
    assert done.err.count("\n") == 1
    assert "No space left on device" in done.err


@pytest.fixture
def commands(model: Path, config: str, here: Path, start: Start) -> dict[str, list[object]]:
    """Commands that write to the disk, by the names of what they write."""
    (here / "run.toml").write_text(config)
    simulate = ["simulate", model, "--limit", 8, "--target", "numpy"]
    assert start(*simulate, "--out", "r.nc").wait(60).status == 0
    return {
        "r.nc": [*simulate, "--out", "disk/r.nc"],
        "run": ["train", "run.toml", "--out", "disk/run"],
        "report": ["analyze", "r.nc", "--out", "disk/report"],
    }


@pytest.mark.slow
def test_a_full_disk(
    commands: dict[str, list[object]],
    start: Start,
    small_disk: Callable[[int], Path],
    figures: Figures,
) -> None:
    refused = succeeded = 0
    for name, command in commands.items():
        for kilobytes in range(4, 3000, 4 if name == "r.nc" else 64):
            disk = small_disk(kilobytes)
            done = start(*command).wait(60)
            if done.status == 0:
                succeeded += 1
                break
            assert_refused(done)
            refused += 1
            left = {path.name for path in disk.rglob("*")}
            # A training run keeps what it has finished.
            kept = {"run", "config.toml", "checkpoint.safetensors", "metrics.jsonl", "test.json"}
            assert left <= (kept if name == "run" else set())
    assert succeeded == len(commands)
    assert refused > len(commands)
    figures("full disk", refused=refused, completed=succeeded)


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["file/folder", "file", "/proc/1"])
def test_a_cache_that_cannot_be_written(cache: str, model: Path, here: Path, start: Start) -> None:
    (here / "file").touch()
    simulate = ["simulate", model, "--limit", 1]
    results = []
    for name in ("cache", cache):
        folder = str(here / name)
        done = start(*simulate, "--out", "r.nc", "--overwrite", BIOAE_CACHE=folder).wait(120)
        assert (done.status, done.out, done.err) == (0, "r.nc\n", "")
        results.append((here / "r.nc").read_bytes())
    assert results[0] == results[1]


@pytest.mark.slow
def test_a_clock_that_jumps(model: Path, config: str, here: Path, start: Start) -> None:
    often = config.replace("epochs = 2", "epochs = 2\ncheckpoint_seconds = 1")
    (here / "run.toml").write_text(often)
    simulate = ["simulate", model, "--limit", 2, "--target", "cpp_standalone"]
    for name, jumps in (("steady", {}), ("jumping", {"CLOCK_JUMPS": "1"})):
        cache = {"BIOAE_CACHE": str(here / "cache" / name)}
        for again in range(2):
            out = f"{name}-{again}.nc"
            done = start(*simulate, "--out", out, **cache, **jumps).wait(120)
            assert (done.status, done.out, done.err) == (0, f"{out}\n", "")
        assert start("train", "run.toml", "--out", name, **jumps).wait(60).status == 0
        assert start("cache", "show", **cache, **jumps).wait(60).status == 0
    assert len({path.read_bytes() for path in here.glob("*.nc")}) == 1
    weights = [here / name / "model" / "weights.safetensors" for name in ("steady", "jumping")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    for line in (here / "jumping" / "metrics.jsonl").read_text().splitlines():
        assert json.loads(line)["seconds"] >= 0
