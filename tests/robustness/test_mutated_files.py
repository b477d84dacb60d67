"""Damaged and hostile files: each is read or refused in one line, and nothing else is opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts opened files by inotify")


def sweep(cases: int, seed: int, folder: Path) -> dict[str, Any]:
    """Mutate and load files, and return the counts of outcomes."""
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "tests/robustness/sweep_files.py", str(cases), str(seed), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    report: dict[str, Any] = json.loads(done.stdout)
    assert report.pop("bad") == []
    assert report["memory_mb"] < 500
    assert report["read"] + report["refused"] == report["cases"]
    return report


def test_some_mutated_files(tmp_path: Path) -> None:
    report = sweep(70, 0, tmp_path)
    assert report["cases"] > 60
    assert report["refused"] > report["read"] > 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_mutated_files(tmp_path: Path, figures: Any) -> None:
    report = sweep(10_050, 1, tmp_path)
    assert report["cases"] >= 10_000
    figures(
        "mutated files",
        cases=report["cases"],
        read=report["read"],
        refused=report["refused"],
        other_exceptions=0,
        hangs_or_crashes=0,
        files_opened_elsewhere=0,
        memory_mb=report["memory_mb"],
    )
