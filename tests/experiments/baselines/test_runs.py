"""Runs of baselines: scores, files, resumption, initial arrays, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, pictures, write_arrays
from safetensors.numpy import load_file, save_file
from stopping import StoppedError, at_report

from bioae.datasets import load
from bioae.errors import ArtefactError, DataError
from bioae.runs import Trained
from experiments.baselines import BaselineConfig, load_baseline, train_baseline
from experiments.baselines.stored import conventional_module

LAYERS = [
    {"kind": "conv2d", "name": "first", "channels": 2, "kernel": 3},
    {"kind": "avg_pool2d", "name": "pooled", "kernel": 2},
    dense("latent", 4),
    dense("output", shape=[1, 6, 6]),
]
NETWORK = {"input_shape": [1, 6, 6], "latent": "latent", "layers": LAYERS}
TIMES = ("seconds", "images_per_second")
FILES = ("config.toml", "metrics.jsonl", "test.json")


#: A decaying rate, an average of weights, and a checkpoint after every batch of 6.
SETTINGS: dict[str, Any] = {
    "epochs": 3, "batch_size": 6, "average": 0.9, "learning_rate": 2e-2,
    "schedule": {"name": "step", "every": 1, "factor": 0.8},
    "optimiser": {"name": "adamw", "weight_decay": 0.1},
}  # fmt: skip


def tables(
    data: Path, baseline: Any, network: dict[str, Any], held: int = 30, **training: Any
) -> dict[str, Any]:
    settings = {"threads": 1, "batch_size": 10, "checkpoint_seconds": 0, **training}
    return {
        "baseline": baseline, "network": network, "training": settings,
        "data": {"name": str(data), "validation": held},
    }  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 images, 6 of which are held out."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    return write_arrays(path, images=pictures(26, 1, 6, 6))


def metrics(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(line.pop(name) > 0 for line in lines for name in TIMES)
    return lines


def test_files_and_metrics(data: Path, tmp_path: Path) -> None:
    straight = train_baseline(tables(data, "variational", NETWORK, 6, **SETTINGS), tmp_path / "run")
    lines = metrics(straight.out)
    assert [line["presentations"] for line in lines] == [20, 40, 60]
    for line in lines:
        assert line["loss"] == pytest.approx(line["reconstruction"] + line["kl"])
    assert lines[-1]["loss"] < lines[0]["loss"]
    test = json.loads((straight.out / "test.json").read_text())
    best = min(lines, key=lambda line: line["validation_sum_squared_error"])
    assert test["epoch"] == best["epoch"]
    images = pictures(26, 1, 6, 6)
    error = ((straight.network.predict(images) - images) ** 2).sum() / 26
    assert test["test_sum_squared_error"] == pytest.approx(error, rel=1e-5)
    assert straight.summary["test_sum_squared_error"] == test["test_sum_squared_error"]
    again = load_baseline(straight.model)
    assert np.array_equal(again.predict(images), straight.network.predict(images))
    latent = again.latent(images)
    assert latent.shape == (26, 4)
    assert np.array_equal(latent, straight.network.latent(images))


@pytest.mark.parametrize("kind", ["autoencoder", "variational", "pca", "mean_image", "zero"])
def test_every_kind_has_the_same_files(data: Path, tmp_path: Path, kind: str) -> None:
    plain = tables(data, kind, NETWORK, 6, **SETTINGS)
    result = train_baseline(plain, tmp_path / "run")
    assert {*FILES, "model"} <= {path.name for path in (tmp_path / "run").iterdir()}
    stored = json.loads((tmp_path / "run/test.json").read_text())
    assert stored["epoch"] == result.summary["epoch"]
    assert {"presentations", "validation_sum_squared_error"} <= result.records[-1].keys()
    text = (tmp_path / "run/config.toml").read_text()
    assert BaselineConfig.from_mapping(plain).to_toml() == text
    # Arrays without an axis of channels are images, too; numbers in another size are not.
    assert result.network.predict(pictures(2, 6, 6)).shape == (2, 1, 6, 6)
    with pytest.raises(DataError, match="shape of the examples"):
        result.network.latent(pictures(2, 1, 5, 6))


INPUTS, STEPS = 4, 6
CLASSIFIER: dict[str, Any] = {
    "input_shape": [INPUTS], "steps": STEPS, "encoder": {"kind": "frames"},
    "decoder": {"kind": "last"}, "task": {"kind": "classification", "classes": 2},
    "layers": [dense("hidden", 8, recurrent=True), dense("output", 2)],
}  # fmt: skip


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signals, with the sign of their sum as the class, and their running sums as targets."""
    arrays: dict[str, Any] = {}
    for seed, (split, count) in enumerate((("train", 150), ("test", 60))):
        signals = np.random.default_rng(seed).normal(size=(count, STEPS, INPUTS))
        arrays[f"signals_{split}"] = signals
        arrays[f"labels_{split}"] = (signals.sum((1, 2)) > 0).astype(int)
        arrays[f"targets_{split}"] = signals.sum(2, keepdims=True).cumsum(1)
    return write_arrays(tmp_path_factory.mktemp("data") / "sums.npz", **arrays)


#: Running sums: numbers at each step.
SUMS = CLASSIFIER | {
    "task": {"kind": "sequence", "outputs": 1}, "decoder": {"kind": "trajectory"},
    "layers": [dense("hidden", 8, recurrent=True), dense("output", 1)],
}  # fmt: skip


def without_targets(data: Path, out: Path) -> Path:
    arrays = {name: each for name, each in np.load(data).items() if "targets" not in name}
    return write_arrays(out / "labelled.npz", **arrays)


@pytest.mark.medium
@pytest.mark.parametrize("cell", ["relu", "tanh", "lstm"])
def test_a_recurrent_network_learns_a_sum(sums: Path, tmp_path: Path, cell: str) -> None:
    settings = {"epochs": 8, "learning_rate": 0.02}
    data = without_targets(sums, tmp_path)
    described = tables(data, {"kind": "recurrent", "cell": cell}, CLASSIFIER, **settings)
    result = train_baseline(described, tmp_path / "run")
    assert result.summary["test_accuracy"] > 0.8
    test = load(data, "test")
    outputs = result.network.predict(test)
    assert outputs.shape == (60, 2)
    assert test.labels is not None
    accuracy = (outputs.argmax(1) == test.labels).mean()
    assert accuracy == pytest.approx(result.summary["test_accuracy"])


@pytest.mark.medium
def test_numbers_at_each_step(sums: Path, tmp_path: Path) -> None:
    settings = {"epochs": 10, "learning_rate": 0.02}
    described = tables(sums, {"kind": "recurrent"}, SUMS, **settings)
    result = train_baseline(described, tmp_path / "run")
    assert result.summary["test_r2"] > 0.8
    again = load_baseline(result.model)
    test = load(sums, "test")
    found = again.predict(test)
    assert found.shape == (60, STEPS, 1)
    np.testing.assert_array_equal(found, result.network.predict(test))
    error = ((found - test.targets) ** 2).mean()
    assert error == pytest.approx(result.summary["test_mean_squared_error"], rel=1e-5)


def stopped(described: dict[str, Any], out: Path, *, at: int) -> None:
    resume = (out / "config.toml").exists()
    with pytest.raises(StoppedError):
        train_baseline(described, out, resume=resume, progress=at_report(at))


@pytest.mark.medium
@pytest.mark.parametrize(
    ("cell", "optimiser"), [("lstm", "adam"), ("relu", {"name": "sgd", "momentum": 0.9})]
)
def test_resumed_bit_for_bit(sums: Path, tmp_path: Path, cell: str, optimiser: Any) -> None:
    data, kind = without_targets(sums, tmp_path), {"kind": "recurrent", "cell": cell}
    settings = {"learning_rate": 0.05, "epochs": 3, "average": 0.9}
    described = tables(data, kind, CLASSIFIER, optimiser=optimiser, **settings)
    straight = train_baseline(described, tmp_path / "straight")
    for at in (3, 13):  # within the first epoch, and in the second
        stopped(described, tmp_path / "broken", at=at)
    resumed = train_baseline(described, tmp_path / "broken", resume=True)
    assert without_times(resumed) == without_times(straight)
    for name in ("model/weights.safetensors", "model/config.toml", "test.json"):
        files = [(each.out / name).read_bytes() for each in (straight, resumed)]
        assert files[0] == files[1]
    start = conventional_module(BaselineConfig.from_mapping(described)).arrays
    assert not any(
        np.array_equal(array, start[name].detach())
        for name, array in straight.network.arrays().items()
    )


def without_times(result: Trained) -> list[str]:
    return [
        json.dumps({name: each for name, each in metrics.items() if name not in TIMES})
        for metrics in (*result.records, result.summary)
    ]


def test_initial_arrays_of_a_file(sums: Path, tmp_path: Path) -> None:
    """Some arrays of a file, the others drawn; and all those of another baseline."""
    signs = np.where(np.arange(8) % 2, 1.0, -1.0) / 8
    start = {"output.weight": np.stack([signs, -signs])}
    save_file(start, tmp_path / "start.safetensors")
    data = without_targets(sums, tmp_path)
    kind = {"kind": "recurrent", "initial": str(tmp_path / "start.safetensors")}
    described = tables(data, kind, CLASSIFIER, epochs=1, frozen=["output"], dtype="float64")
    result = train_baseline(described, tmp_path / "first")
    arrays = result.network.arrays()
    np.testing.assert_array_equal(arrays["output.weight"], start["output.weight"])
    drawn = conventional_module(BaselineConfig.from_mapping(described)).arrays
    assert not np.array_equal(drawn["output.weight"].detach(), start["output.weight"])
    change = np.abs(arrays["hidden.weight"] - drawn["hidden.weight"].detach().numpy())
    assert 0 < change.max() < 0.05  # Adam's steps from the drawn weights
    kind = {"kind": "recurrent", "initial": str(result.model / "weights.safetensors")}
    still = ["hidden", "output.weight"]
    again = tables(data, kind, CLASSIFIER, epochs=1, frozen=still, dtype="float64")
    continued = train_baseline(again, tmp_path / "second").network.arrays()
    for name in ("hidden.weight", "hidden.recurrent", "output.weight"):
        np.testing.assert_array_equal(continued[name], arrays[name])


@pytest.mark.parametrize("change", ["missing", "misshaped", "unknown"])
def test_arrays_that_do_not_fit_the_description_are_refused(
    data: Path, tmp_path: Path, change: str
) -> None:
    model = train_baseline(tables(data, "autoencoder", NETWORK, 6, epochs=1), tmp_path).model
    arrays = load_file(model / "weights.safetensors")
    bias = arrays.pop("latent.bias")
    other = {"missing": {}, "misshaped": {"latent.bias": bias[1:]}, "unknown": {"latent.b": bias}}
    save_file(arrays | other[change], model / "weights.safetensors")
    with pytest.raises(ArtefactError):
        load_baseline(model)
