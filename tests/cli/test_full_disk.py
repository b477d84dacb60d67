"""A disk that fills up during writing: one line, and existing files survive.

A limit on the size of files simulates the disk; it is set in separate processes.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Limited = Callable[..., str]


@pytest.fixture
def limited(here: Path) -> Limited:
    """Run a command that may write so many bytes to a file, and return its line."""

    def limited(most: int, *arguments: object) -> str:
        command = [sys.executable, "-m", "bioae", *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=here,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        )
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith("bioae: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    return limited


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.medium
def test_a_result(limited: Limited, here: Path, tiny_model: Path) -> None:
    mine = b"\x89HDF\r\n\x1a\n network_sha256"  # only results are replaced
    (here / "r.nc").write_bytes(mine)
    command = ("simulate", tiny_model, "--limit", 1, "--target", "numpy", "--overwrite")
    line = limited(4096, *command, "--out", "r.nc")
    assert "r.nc: writing failed: File too large. Free some space" in line
    limited(4096, *command, "--out", "new/folder/r.nc")
    assert files(here) == {"r.nc": mine}
    assert not (here / "new").exists()


@pytest.mark.medium
def test_a_run(limited: Limited, here: Path, tiny_text: str, run: Callable[..., object]) -> None:
    (here / "run.toml").write_text(tiny_text)
    run("train", "run.toml", "--out", "out")
    (here / "run.toml").write_text(f"{tiny_text}seed = 1\n")
    before = files(here / "out")
    kept = before.keys() - {"config.toml"}
    assert len(kept) == 6
    # The checkpoint is written first; the smaller the limit, the earlier the run ends.
    for most, written in ((512, "config.toml"), (8192, "checkpoint")):
        line = limited(most, "train", "run.toml", "--out", "out", "--overwrite")
        assert f"out/{written}" in line
        assert "writing failed: File too large" in line
        after = files(here / "out")
        assert after.keys() == before.keys()
        assert all(after[name] == before[name] for name in kept)
