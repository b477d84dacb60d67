"""A trained network with another neuron model recovers its error in further training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import dense
from refusals import refused

import bioae
from bioae.equations import load_neuron
from bioae.errors import NetworkError
from bioae.networks import Network
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.descent import evaluate
from bioae.trainers.training.starting import starting_network
from bioae.trainers.training.training import assemble

pytestmark = pytest.mark.medium  # it trains for seconds

RESULTS = Path(__file__).parents[3] / "docs" / "results"

#: How far the error may stay above that of the network before the change.
BOUND = 1.25

DATA = {"name": "sample", "train": 360, "validation": 60, "test": 60}
NETWORK: dict[str, Any] = {
    "steps": 12,
    "schedule": "paper",
    "neuron": "lif",
    "encoder": {"kind": "bernoulli", "rate": 0.2},
    "layers": [
        dense("latent", 40, gain=1.0),
        dense("output", shape=[1, 28, 28], gain=1.0),
    ],
}
SETTINGS: dict[str, Any] = {
    "batch_size": 20,
    "derivative": "arctan",
    "threads": 1,
    "compile": False,
}


def test_the_stored_errors_recover_within_the_bound() -> None:
    rows = json.loads((RESULTS / "fine_tuning.json").read_text(encoding="utf-8"))["rows"]
    source, *changed = rows
    assert {row["neuron"] for row in changed} == {"adex", "coba"}
    for row in changed:
        assert len(row["errors"]) == 2, "at most two epochs"
        assert row["changed"] > source["errors"][-1], "nothing was lost"
        assert row["errors"][-1] < BOUND * source["errors"][-1], (row["neuron"], row["calibrate"])


def test_a_small_network_recovers(tmp_path: Path) -> None:
    first = TrainingConfig.from_mapping(
        {
            "data": DATA,
            "network": NETWORK,
            "training": {**SETTINGS, "epochs": 6, "learning_rate": 4e-3},
        }
    )
    trained = bioae.train(first, out=tmp_path / "first")
    before = trained.records[-1]["validation_sum_squared_error"]
    init = {"model": str(trained.model), "neuron": "adex", "calibrate": "none"}
    second = TrainingConfig.from_mapping(
        {
            "data": DATA,
            "training": {**SETTINGS, "epochs": 2, "learning_rate": 1e-2, "init": init},
        }
    )
    start = starting_network(second)
    assert {placed.model.name for placed in start.config.placed} == {"adex"}
    lost = evaluate(assemble(second.with_network(start.config), start))
    assert lost["validation_sum_squared_error"] > 1.05 * before
    tuned = bioae.train(second, out=tmp_path / "second")
    assert tuned.records[-1]["validation_sum_squared_error"] < BOUND * before


def test_a_description_with_the_new_neuron_is_refused(tmp_path: Path) -> None:
    """Weights are calibrated against the neuron that they were trained with."""
    settings = {**SETTINGS, "epochs": 1}
    first = TrainingConfig.from_mapping(
        {"data": {"name": "sample", "train": 40, "validation": 10, "test": 10},
         "network": NETWORK, "training": settings}
    )  # fmt: skip
    model = str(bioae.train(first, out=tmp_path / "first").model)

    def started(neuron: str, **init: Any) -> Network:
        tables = {
            "data": DATA,
            "network": {**NETWORK, "neuron": neuron},
            "training": {**settings, "init": {"model": model, "neuron": "adex", **init}},
        }
        return starting_network(TrainingConfig.from_mapping(tables))

    with refused(NetworkError, "'adex'", "'lif'", where="layer 'latent'"):
        started("adex")
    assert started("adex", calibrate="none").config.placed[0].model.name == "adex"
    calibrated = started("lif")
    assert calibrated.config.layers[0].weight != load_neuron("adex").weight


def test_a_network_that_never_fires_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weak = {**NETWORK, "layers": [{**each, "gain": 1e-3} for each in NETWORK["layers"]]}
    config = {
        "data": {"name": "sample", "train": 20, "validation": 10, "test": 10},
        "network": weak, "training": {**SETTINGS, "epochs": 1},
    }  # fmt: skip
    with caplog.at_level("WARNING", logger="bioae"):
        bioae.train(config, out=tmp_path / "run")
    assert "no neuron of latent, output fired for any held-out example" in caplog.messages[-1]
