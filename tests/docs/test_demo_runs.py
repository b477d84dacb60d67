"""The demo, full and small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bioae.cli import main
from bioae.cli.demo import recipe
from bioae.simulation.targets.activation import check_target
from experiments.common.recipes import changed

ROOT = Path(__file__).parents[2]


def shape(value: Any) -> Any:
    """Return the keys of nested tables, and the types of their values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value)


def check_demo(folder: Path) -> None:
    """Assert that a demo wrote the files of its page, in the form of the stored result."""
    stored = json.loads((ROOT / "docs/results/demo.json").read_text(encoding="utf-8"))["summary"]
    numbers = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert shape(numbers) == shape(stored)
    assert numbers["spikes"] > 1000
    assert numbers["differing_spikes"] == 0
    for name in (
        "report.html",
        "brian2.nc",
        "mirror.nc",
        "paper.nc",
        "regularised/model/network.toml",
    ):
        assert (folder / name).exists(), name


@pytest.mark.medium
def test_a_small_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On few digits, on a target that compiles nothing."""

    def few(name: str) -> dict[str, Any]:
        sizes = {"train": 42, "validation": 10, "test": 10}
        return changed(recipe(name), {"data": sizes})

    monkeypatch.setattr("bioae.cli.demo.recipe", few)
    out = tmp_path / "bioae-demo"
    assert (
        main(["demo", "--out", str(out), "--epochs", "1", "--limit", "5", "--target", "numpy"]) == 0
    )
    printed = capsys.readouterr().out
    assert "Differing spikes between mirror and Brian2: 0 of" in printed
    assert printed.endswith(f"Report: {out / 'report.html'}\n")
    check_demo(out)


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    check_target("cpp_standalone")
    out = tmp_path / "bioae-demo"
    assert main(["demo", "--out", str(out), "--epochs", "1", "--limit", "100"]) == 0
    check_demo(out)
