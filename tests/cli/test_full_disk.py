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
            command, cwd=here, capture_output=True, text=True, timeout=600, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        )  # fmt: skip
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
    assert files(here) == {"r.nc": mine}
