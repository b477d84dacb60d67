"""The experiment of spike times notices a wrong compilation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.spike_response import compiling
from experiments.spike_response.network import SpikeTimeLayer


def quick(folder: Path) -> tuple[int, dict[str, dict[str, float]]]:
    """Run the quick form, and return its status and its numbers by condition."""
    status = main(["spike_times", "--quick", "--out", str(folder)])
    rows = json.loads((folder / "spike_times.json").read_text())["rows"]
    return status, {row["condition"]: row["numbers"] for row in rows}


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
