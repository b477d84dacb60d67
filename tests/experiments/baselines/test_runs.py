"""Runs of baselines: their files, a kill and its continuation, refusals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, pictures, write_arrays

from bioae.errors import DataError, NetworkError, OutputError
from bioae.runs import Trained
from bioae.trainers.training import trainer as training
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

KILLED = """
import json, os, signal, sys
from bioae.runs import Trained
from experiments.baselines import train_baseline
left = int(sys.argv[3])
def kill(_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
train_baseline(json.loads(sys.argv[1]), sys.argv[2], progress=kill)
"""


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


def assert_same(out: Path, straight: Path) -> None:
    assert metrics(out) == metrics(straight)
    for name in ("test.json", "config.toml", "model/weights.safetensors", "model/config.toml"):
        assert (out / name).read_bytes() == (straight / name).read_bytes(), name


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


@pytest.mark.parametrize("batches", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_and_resumed(
    tables: dict[str, Any], straight: Trained, tmp_path: Path, batches: int
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, json.dumps(tables), str(out), str(batches)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not (out / "test.json").exists()
    train_baseline(tables, out, resume=True)
    assert_same(out, straight.out)


def test_the_same_again_after_the_end(
    tables: dict[str, Any], straight: Trained, tmp_path: Path
) -> None:
    train_baseline(tables, tmp_path / "run")
    assert_same(tmp_path / "run", straight.out)
    weights = (tmp_path / "run/model/weights.safetensors").read_bytes()
    again = train_baseline(tables, tmp_path / "run", resume=True)
    assert (again.model / "weights.safetensors").read_bytes() == weights
    with pytest.raises(OutputError, match="exists already"):
        train_baseline(tables, tmp_path / "run")
    other = {**tables, "training": {**tables["training"], "seed": 1}}
    with pytest.raises(NetworkError, match=r"another training\.seed"):
        train_baseline(other, tmp_path / "run", resume=True)


def test_a_name_of_a_layer_makes_no_baseline_variational(tmp_path: Path, data: Path) -> None:
    tables = {
        "baseline": "feedforward",
        "network": {
            "input_shape": [1, 6, 6],
            "layers": [dense("log_variance_a", 4), dense("output", shape=[1, 6, 6])],
        },
        "training": {"epochs": 1, "threads": 1},
        "data": {"name": str(data), "validation": 6},
    }
    arrays = train_baseline(tables, tmp_path / "run").network.arrays()
    assert {name.partition(".")[0] for name in arrays} == {"log_variance_a", "output"}


def test_the_test_split_is_evaluated_once(
    tables: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    measured = training.evaluate

    def evaluated(problem: Any, split: Any = "validation") -> dict[str, Any]:
        seen.append(split)
        return measured(problem, split)

    monkeypatch.setattr(training, "evaluate", evaluated)
    train_baseline(tables, tmp_path / "run")
    assert seen == ["validation"] * 3 + ["test"]


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
