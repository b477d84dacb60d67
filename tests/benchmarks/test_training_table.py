"""The table of the training benchmark."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks.peers import PEERS
from benchmarks.steps import NAMES, OURS, step
from benchmarks.training import table
from bioae.networks import Network, NetworkConfig


def rows() -> list[dict[str, Any]]:
    spread = {"median": 2.0, "lowest": 1.0, "highest": 3.0, "threads": 2}
    found: list[dict[str, Any]] = [
        {"measure": "work", "all": 46e6, "on_events": 16e6, "bytes": 2**20, "threads": 2},
        {"measure": "time, ratio", "what": f"{OURS} / {PEERS[0]}", **spread},
    ]
    for name in NAMES:
        found.append({"measure": "memory", "what": name, "median": 7.0, "threads": 2})
        found += [
            {"measure": clock, "what": name, "same_spikes": None, **spread}
            for clock in ("time", "processor time")
        ]
    return found


@pytest.mark.slow
def test_every_library_has_a_row() -> None:
    lines = table(rows()).splitlines()
    assert "## 2 threads" in lines
    for name in NAMES:
        expected = f"| {name} | 2.00 (1.00 to 3.00) | 2.00 (1.00 to 3.00) | 500 | 7 |  |"
        assert expected in lines
    assert any("46 million" in line and "16 on events" in line for line in lines)


@pytest.mark.slow
def test_training_step_of_bioae() -> None:
    network = Network.initialise(NetworkConfig.preset("strided", steps=5))
    first, second = (step(OURS, network, 2)() for _ in range(2))
    assert torch.equal(first.reconstruction, second.reconstruction)
    assert first.counts["latent"].shape == (2, 100)
