"""Runs of baselines: their files, a kill and its continuation, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, pictures, write_arrays

from bioae.errors import DataError
from bioae.runs import Trained
from experiments.baselines import BaselineConfig, load_baseline, train_baseline

LAYERS = [
    {"kind": "conv2d", "name": "first", "channels": 2, "kernel": 3},
    {"kind": "avg_pool2d", "name": "pooled", "kernel": 2},
    dense("latent", 4),
    dense("output", shape=[1, 6, 6]),
]
NETWORK = {"input_shape": [1, 6, 6], "latent": "latent", "layers": LAYERS}
TIMES = ("seconds", "images_per_second")
FILES = ("config.toml", "metrics.jsonl", "test.json")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 images, 6 of which are held out."""
    return write_arrays(
        tmp_path_factory.mktemp("data") / "images.npz", images=pictures(26, 1, 6, 6)
    )


@pytest.fixture(scope="module")
def tables(data: Path) -> dict[str, Any]:
    """Batches of 6, the last smaller; a checkpoint after every batch."""
    training = {
        "epochs": 3, "batch_size": 6, "threads": 1, "checkpoint_seconds": 0, "average": 0.9,
        "schedule": {"name": "step", "every": 1, "factor": 0.8}, "learning_rate": 2e-2,
        "optimiser": {"name": "adamw", "weight_decay": 0.1},
    }  # fmt: skip
    return {
        "baseline": "variational", "network": NETWORK, "training": training,
        "data": {"name": str(data), "validation": 6},
    }  # fmt: skip


@pytest.fixture(scope="module")
def straight(tables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run that nothing stopped."""
    return train_baseline(tables, tmp_path_factory.mktemp("straight") / "run")


def metrics(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(line.pop(name) > 0 for line in lines for name in TIMES)
    return lines


def test_files_and_metrics(straight: Trained) -> None:
    lines = metrics(straight.out)
    assert [line["presentations"] for line in lines] == [20, 40, 60]
    for line in lines:
        assert line["loss"] == pytest.approx(line["reconstruction"] + line["kl"])
        assert line["layers"].keys() == {"first", "pooled", "latent", "output"}
    assert lines[-1]["loss"] < lines[0]["loss"]
    test = json.loads((straight.out / "test.json").read_text())
    best = min(lines, key=lambda line: line["validation_sum_squared_error"])
    assert test["epoch"] == best["epoch"]
    images = pictures(26, 1, 6, 6)
    error = ((straight.network.reconstruct(images) - images) ** 2).sum() / 26
    assert test["test_sum_squared_error"] == pytest.approx(error, rel=1e-5)
    assert straight.summary["test_sum_squared_error"] == test["test_sum_squared_error"]
    again = load_baseline(straight.model)
    assert np.array_equal(again.reconstruct(images), straight.network.reconstruct(images))
    latent = again.latent(images)
    assert latent.shape == (26, 4)
    assert np.array_equal(latent, straight.network.latent(images))


@pytest.mark.parametrize("kind", ["autoencoder", "variational", "pca", "mean_image", "zero"])
def test_every_kind_has_the_same_files(tables: dict[str, Any], tmp_path: Path, kind: str) -> None:
    plain = {**tables, "baseline": kind}
    result = train_baseline(plain, tmp_path / "run")
    assert {*FILES, "model"} <= {path.name for path in (tmp_path / "run").iterdir()}
    stored = json.loads((tmp_path / "run/test.json").read_text())
    assert stored["epoch"] == result.summary["epoch"]
    assert {"presentations", "validation_sum_squared_error"} <= result.records[-1].keys()
    text = (tmp_path / "run/config.toml").read_text()
    assert BaselineConfig.from_mapping(plain).to_toml() == text
    # Arrays without an axis of channels are images, too; numbers in another size are not.
    assert result.network.reconstruct(pictures(2, 6, 6)).shape == (2, 1, 6, 6)
    with pytest.raises(DataError, match="do not fit the network"):
        result.network.latent(pictures(2, 1, 5, 6))
