"""The demo, as its page describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioae.cli import main
from bioae.simulation.targets.activation import check_target

ROOT = Path(__file__).parents[2]


def shape(value: Any) -> Any:
    """Return the keys of nested tables, and the types of their values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value)


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    """It writes the files of its page, in the form of the stored result."""
    check_target("cpp_standalone")
    folder = tmp_path / "bioae-demo"
    assert main(["demo", "--out", str(folder), "--epochs", "1", "--limit", "100"]) == 0
    stored = json.loads((ROOT / "docs/results/demo.json").read_text(encoding="utf-8"))["summary"]
    numbers = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert shape(numbers) == shape(stored)
    assert numbers["spikes"] > 1000
    assert numbers["differing_spikes"] == 0
    for name in ("report.html", "brian2.nc", "mirror.nc", "paper.nc", "regularised/model"):
        assert (folder / name).exists(), name
