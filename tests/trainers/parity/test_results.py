"""The stored comparison of every shipped model: complete, and what is owed."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

from bioae.equations import available, load_model
from bioae.trainers.parity import AGREEMENT

RESULTS = Path(__file__).parents[3] / "docs" / "results" / "parity.json"


def test_every_spiking_model_passed_on_every_target() -> None:
    """Write them anew with `python docs/make_parity.py`."""
    stored = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert (stored["neurons"], stored["steps"]) == (100, 1000)
    found = {(report["model"], report["target"]): report for report in stored["reports"]}
    spiking = [name for name in available() if load_model(name).threshold is not None]
    assert set(found) == set(product(spiking, ["numpy", "cpp_standalone"]))
    for report in found.values():
        assert report["passed"]
        assert report["active_fraction"] >= 0.5
        assert report["one_step"] == 1.0
        assert report["chaotic"] or report["spike_agreement"] >= AGREEMENT
        assert report["differing"] == 0 or not report["exact"]
