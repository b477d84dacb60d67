"""Cache of compiled networks: complete or not at all, once for all processes."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest
from refusals import refused

from bioae.errors import TargetError
from bioae.simulation.targets.build_cache import BuildCache

KEY = "0a" * 32
OTHER = "0b" * 32


class Builder:
    """Make a program, and count the calls."""

    def __init__(self, program: Path, content: bytes = b"program") -> None:
        self.program = program
        self.content = content
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        self.program.write_bytes(self.content)
        self.program.chmod(0o755)


@pytest.fixture
def cache(tmp_path: Path) -> BuildCache:
    return BuildCache(tmp_path / "builds")


@pytest.fixture
def build(tmp_path: Path) -> Builder:
    return Builder(tmp_path / "main")


def test_programs_are_built_once(cache: BuildCache, build: Builder, tmp_path: Path) -> None:
    cache.obtain(KEY, build.program, build)
    again = tmp_path / "again"
    cache.obtain(KEY, again, build)
    assert build.calls == 1
    assert again.read_bytes() == build.content
    assert os.access(again, os.X_OK)
    cache.obtain(OTHER, build.program, build)
    assert build.calls == 2
    assert {kept.key for kept in cache.kept()} == {KEY, OTHER}


def test_least_recently_used_builds_are_removed_first(tmp_path: Path) -> None:
    cache = BuildCache(tmp_path / "builds", limit=2500)
    build = Builder(tmp_path / "main", bytes(1000))
    for age, key in enumerate(("aa", "bb")):
        cache.obtain(key, build.program, build)
        os.utime(cache.folder / key, (age, age))
    cache.obtain("aa", build.program, build)  # used again: now bb is the oldest
    cache.obtain("cc", build.program, build)
    assert {kept.key for kept in cache.kept()} == {"aa", "cc"}
    assert build.calls == 3
    # One that is larger than all that may be kept stays until the next.
    large = Builder(tmp_path / "large", bytes(5000))
    cache.obtain("dd", large.program, large)
    assert [kept.key for kept in cache.kept()] == ["dd"]


def test_a_failed_build_leaves_nothing(cache: BuildCache, tmp_path: Path) -> None:
    def fail() -> None:
        raise TargetError("the C++ compiler failed")

    with refused(TargetError):
        cache.obtain(KEY, tmp_path / "main", fail)
    assert cache.kept() == []
    build = Builder(tmp_path / "main")
    cache.obtain(KEY, build.program, build)
    assert build.calls == 1


def _obtain(cache: BuildCache, program: Path, log: Path) -> None:
    def build() -> None:
        with log.open("a") as lines:
            lines.write(f"{program.name}\n")
        time.sleep(0.3)
        program.write_bytes(b"program")

    cache.obtain(KEY, program, build)


@pytest.mark.medium
def test_one_of_several_processes_builds(cache: BuildCache, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    programs = [tmp_path / f"main{number}" for number in range(3)]
    processes = [
        context.Process(target=_obtain, args=(cache, program, tmp_path / "log"))
        for program in programs
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [program.read_bytes() for program in programs] == [b"program"] * 3
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_works_without_a_writable_folder(build: Builder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = BuildCache(tmp_path / "file" / "builds")
    for calls in (1, 2):
        cache.obtain(KEY, build.program, build)
        assert (build.calls, build.program.read_bytes()) == (calls, build.content)
    assert (cache.kept(), cache.clear()) == ([], [])
