"""Metrics of earlier versions are read under the current names of firing measures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bioae.analysis import DEFINITIONS, read_metrics
from bioae.networks import artefact

MODEL = Path(__file__).parent / "older" / "files" / "model"
EARLIER = {"density": 0.1, "density_alive": 0.2, "active": 0.3, "dead": 0.5, "bursting": 0.0}
CURRENT = (
    "rate_per_step_mean", "rate_per_step_mean_alive", "active_fraction_mean", "dead_fraction",
    "bursting_fraction",
)  # fmt: skip


def test_the_names_are_those_of_the_analysis() -> None:
    assert set(CURRENT) <= DEFINITIONS.keys()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (EARLIER, dict(zip(CURRENT, EARLIER.values(), strict=True))),
        ({"density": 0.1, "active": 0.75}, {"rate_per_step_mean": 0.1, "dead_fraction": 0.25}),
        ({"dead_fraction": 0.5}, {"dead_fraction": 0.5}),
    ],
)
def test_metrics_of_an_earlier_run_are_read(
    tmp_path: Path, stored: dict[str, float], expected: dict[str, float]
) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"epoch": 1, "layers": {"latent": stored}}) + "\n")
    (row,) = read_metrics(path)
    assert row == {"epoch": 1, **{f"layers.latent.{name}": n for name, n in expected.items()}}


def test_an_earlier_network_has_metrics_with_the_current_names() -> None:
    metrics = artefact.load(MODEL).metrics
    assert metrics["layers"]["latent"].keys() == {*CURRENT} - {"active_fraction_mean"}
