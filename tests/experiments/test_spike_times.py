"""The experiment of spike times: its quick form, and that it notices what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioae.cli import main
from bioae.experiments.spike_times import EXPERIMENT, JUMP
from bioae.spike_times import compiling
from bioae.spike_times.network import SpikeTimeLayer


def quick(folder: Path) -> tuple[int, dict[str, dict[str, float]]]:
    """Run the quick form, and return its status and its numbers by condition."""
    status = main(["experiment", "spike_times", "--quick", "--out", str(folder)])
    rows = json.loads((folder / "spike_times.json").read_text())["rows"]
    return status, {row["condition"]: row["numbers"] for row in rows}


def test_the_quick_form_holds(tmp_path: Path) -> None:
    status, numbers = quick(tmp_path / "out")
    assert status == 0
    assert set(numbers) == {"shallow", *JUMP, "regions"}
    assert numbers["jump"]["gap_1024"] == pytest.approx(1.5, abs=2e-3)
    assert numbers["positive"]["gap_1024"] < 1 / 1024
    assert (tmp_path / "out/figures/spike_times-jump.svg").exists()
    assert set(numbers["shallow"]) <= set(EXPERIMENT.columns)


@pytest.mark.slow
def test_a_wrong_rectification_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = compiling._rectified

    def wrong(signal: Any) -> Any:
        layer, rectified = right(signal)
        weights = np.where(layer.weights < 0, -0.375, layer.weights)
        return SpikeTimeLayer(weights, layer.thresholds), rectified

    monkeypatch.setattr(compiling, "_rectified", wrong)
    status, numbers = quick(tmp_path / "out")
    assert status == 1
    assert numbers["shallow"]["event_error"] > 1e-2
