"""The quick forms of experiments hold, draw their figures, and can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.cli import main
from bioae.experiments.runner.registry import load

#: A number of a condition that contradicts the claim, or betrays a control.
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "convolutional_structure": [("relu", "median", 0.0)],
    "neural_variability": [("variability", "memorised", 1.0)],
    "radlif": [("radlif", "critical_gain", 1.5)],
    "regression": [("elasticity", "differing_spikes", 1)],
    "spike_times": [("shallow", "event_error", 1e-3), ("jump", "jump", 0.0)],
    "srnn": [("trained", "accuracy", 0.5), ("untrained", "accuracy", 0.9)],
}


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Run the quick form of an experiment, once."""
    folders: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name) / "out"
            command = ["experiment", name, "--quick", "--target", "numpy"]
            assert main([*command, "--out", str(folders[name])]) == 0
        return folders[name]

    return run


@pytest.mark.parametrize("name", WRONG)
def test_the_quick_form_holds(quick: Callable[[str], Path], name: str) -> None:
    folder, experiment = quick(name), load(name)
    rows = json.loads((folder / f"{name}.json").read_text())["rows"]
    assert {row["condition"] for row in rows} == {
        key for key, condition in experiment.conditions.items() if condition.quick
    }
    assert all(set(row["numbers"]) <= set(experiment.columns) for row in rows)
    differing = [row["numbers"]["differing_spikes"] for row in rows
                 if "differing_spikes" in row["numbers"]]  # fmt: skip
    assert differing == [0] * len(differing) != []
    for figure in experiment.figures:
        assert (folder / f"figures/{name}-{figure}.svg").read_text().endswith("-->\n")


@pytest.mark.parametrize(
    ("name", "change"), [(name, change) for name in WRONG for change in WRONG[name]], ids=str
)
def test_it_can_fail(
    quick: Callable[[str], Path],
    name: str,
    change: tuple[str, str, float],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    condition, column, value = change
    document: dict[str, Any] = json.loads((quick(name) / f"{name}.json").read_text())
    changed = [row for row in document["rows"] if row["condition"] == condition]
    assert changed
    for row in changed:
        assert row["numbers"][column] != value
        row["numbers"][column] = value
    known = tmp_path / "known.json"
    known.write_text(json.dumps(document))
    command = ["experiment", name, "--quick", "--target", "numpy", "--rows", str(known)]
    capsys.readouterr()
    # The rows are taken over, so that nothing is trained.
    assert main([*command, "--out", str(tmp_path / "out")]) == 1
    assert ": misses" in capsys.readouterr().out
