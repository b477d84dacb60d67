"""Runs of baselines: their files, a kill and its continuation, refusals."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, pictures, write_arrays

from bioae.errors import ArtefactError, DataError, NetworkError, OutputError
from bioae.runs import Trained
from bioae.runs.folder import alone_in
from bioae.trainers.training import trainer as training
from experiments.baselines import BaselineConfig, load_baseline, train_baseline
from experiments.baselines import layers as conventional_layers
from experiments.baselines import training as baseline_training
from experiments.baselines.autoencoder import AutoencoderModule

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


def test_changed_data_are_not_resumed(tables: dict[str, Any], tmp_path: Path) -> None:
    images = pictures(26, 1, 6, 6)
    path = write_arrays(tmp_path / "images.npz", images=images)
    settings = {**tables, "data": {"name": str(path), "validation": 6}}
    train_baseline(settings, tmp_path / "run")
    write_arrays(path, images=1 - images)
    with pytest.raises(DataError, match="the train data are not those that the run was started wi"):
        train_baseline(settings, tmp_path / "run", resume=True)


def test_a_run_is_resumed_after_its_data_were_moved(
    tables: dict[str, Any], straight: Trained, data: Path, tmp_path: Path
) -> None:
    before = shutil.copy(data, tmp_path / "before.npz")
    moved = tables | {"data": {"name": str(before), "validation": 6}}
    command = [sys.executable, "-c", KILLED, json.dumps(moved), str(tmp_path / "run"), "6"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    Path(before).rename(tmp_path / "after.npz")
    moved["data"] = {"name": str(tmp_path / "after.npz"), "validation": 6}
    train_baseline(moved, tmp_path / "run", resume=True)
    weights = (tmp_path / "run/model/weights.safetensors").read_bytes()
    assert weights == (straight.model / "weights.safetensors").read_bytes()


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


@pytest.mark.parametrize("kind", ["variational", "pca", "zero"])
def test_a_folder_in_which_another_process_trains(
    tables: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "run"
    with alone_in(out), pytest.raises(OutputError, match="another process trains"):
        train_baseline({**tables, "baseline": kind}, out, overwrite=True)
    assert {path.name for path in out.iterdir()} <= {".lock"}


@pytest.mark.parametrize("kind", ["variational", "mean_image"])
def test_a_run_that_finishes_meanwhile_is_kept(
    tables: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    out = tmp_path / "run"
    splits = baseline_training.splits

    def meanwhile(*given: Any) -> Any:
        out.mkdir()
        (out / "config.toml").write_text("of another run")
        return splits(*given)

    monkeypatch.setattr(baseline_training, "splits", meanwhile)
    with pytest.raises(OutputError, match="exists already"):
        train_baseline({**tables, "baseline": kind}, out)
    assert (out / "config.toml").read_text() == "of another run"
    assert {path.name for path in out.iterdir()} <= {".lock", "config.toml"}


def test_a_fitted_run_replaces_a_trained_one(
    tables: dict[str, Any],
    straight: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "run"
    shutil.copytree(straight.out, out)
    stale = {"model", "test.json"}
    assert stale <= {path.name for path in out.iterdir()}
    fitted = {**tables, "baseline": "pca"}
    with pytest.raises(NetworkError, match="another way"):
        train_baseline(fitted, out, resume=True)
    assert_same(out, straight.out)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(baseline_training.Linear, "fitted", killed)
        with pytest.raises(KeyboardInterrupt):
            train_baseline(fitted, out, overwrite=True)
    assert not stale & {path.name for path in out.iterdir()}
    result = train_baseline(fitted, out, resume=True)
    assert result.network.arrays()["components"].shape == (4, 36)
    assert 'kind = "pca"' in (out / "config.toml").read_text()


def without_latent(tables: dict[str, Any]) -> None:
    tables["network"] = {key: each for key, each in NETWORK.items() if key != "latent"}


def classifier(tables: dict[str, Any]) -> None:
    tables["network"] = {
        "input_shape": [1, 6, 6], "task": {"kind": "classification", "classes": 10},
        "layers": [dense("latent", 5), dense("output", 10)], "latent": "latent",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("baseline"), "the key 'baseline' is missing"),
        (lambda t: t.update(baseline="gan"), "baseline.*'gan'"),
        (lambda t: t.update(baseline={"kind": "variational", "beta": -1.0}), r"baseline.*beta"),
        (lambda t: t.update(baseline={"kind": "autoencoder", "beta": 1.0}), r"baseline.*beta"),
        (lambda t: t.update(baseline={"kind": "pca", "components": 37}), "36 pixels"),
        (lambda t: t["training"].update(derivative="arctan"), r"training\.derivative"),
        (lambda t: t["training"].update(grid_bits=8), r"training\.grid_bits"),
        (lambda t: t["training"].update(stages=[{"trainable": ["tau"]}]), "no neuron parameters"),
        (lambda t: t.update(regularisers={"beta2": 0.1}), "beta2 acts on spikes.*l1, l2"),
        (
            lambda t: t["training"].update(stages=[{"regularisers": {"lambda1": 0.1}}]),
            "lambda1 acts on spikes",
        ),
        (without_latent, "needs the latent layer.*set latent"),
        (classifier, "task 'reconstruction', found 'classification'"),
        (lambda t: t.update(network={**NETWORK, "latent": "output"}), "is the last one"),
        (lambda t: t.update(network={**NETWORK, "latent": "pooled"}), "has no weights"),
    ],
)
def test_descriptions_that_are_refused(
    tables: dict[str, Any], change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    changed: dict[str, Any] = json.loads(json.dumps(tables))
    BaselineConfig.from_mapping(changed)
    change(changed)
    with pytest.raises(NetworkError, match=message) as caught:
        BaselineConfig.from_mapping(changed, where="here")
    assert str(caught.value).startswith("here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"frozen": ["latnet"]},
            r"frozen: no trained.*'latnet'.*latent\.log_variance_weight",
        ),
        ({"learning_rates": {"tau": 1e-3}}, r"learning_rates: no trained weight.*'tau'"),
        ({"device": "abacus"}, r"training\.device.*'abacus'"),
        ({"learning_rate": 1e3}, r"epoch \d, batch \d: the .* is no longer finite"),
    ],
)
def test_runs_that_are_refused(
    tables: dict[str, Any], tmp_path: Path, training: dict[str, Any], message: str
) -> None:
    changed = {**tables, "training": {**tables["training"], **training}}
    with pytest.raises(NetworkError, match=message):
        train_baseline(changed, tmp_path / "run")


def test_frozen_layers_keep_their_weights(tables: dict[str, Any], tmp_path: Path) -> None:
    frozen = {**tables["training"], "frozen": ["latent", "output.bias"]}
    result = train_baseline({**tables, "training": frozen}, tmp_path / "run")
    start = AutoencoderModule(BaselineConfig.from_mapping(tables)).arrays
    same = {
        name
        for name, array in result.network.arrays().items()
        if np.array_equal(array, start[name].detach().numpy())
    }
    latent = {f"latent.{key}{kind}" for key in ("", "log_variance_") for kind in ("weight", "bias")}
    assert same == {*latent, "output.bias"}


def test_models_that_are_refused(straight: Trained, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such baseline"):
        load_baseline(tmp_path / "nothing")
    model = tmp_path / "model"
    model.mkdir()
    text = (straight.model / "config.toml").read_text()
    (model / "config.toml").write_text(text)
    with pytest.raises(ArtefactError, match="missing or damaged"):
        load_baseline(model)
    weights = (straight.model / "weights.safetensors").read_bytes()
    (model / "weights.safetensors").write_bytes(weights[:-1])
    with pytest.raises(ArtefactError, match="missing or damaged"):
        load_baseline(model)
    (model / "weights.safetensors").write_bytes(weights)
    (model / "config.toml").write_text(text.replace("units = 4", "units = 5"))
    found = r"weights\.safetensors: the array 'latent\.bias' does not fit.*\(5,\).*\(4,\)"
    with pytest.raises(ArtefactError, match=found):
        load_baseline(model)


def test_a_model_is_built_after_its_shapes_and_without_drawing(
    straight: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(*_: object) -> None:
        raise AssertionError("weights were drawn")

    monkeypatch.setattr(conventional_layers, "stream", drawn)
    arrays = load_baseline(straight.model).arrays()
    stored = straight.network.arrays()
    assert arrays.keys() == stored.keys()
    assert all(np.array_equal(arrays[name], stored[name]) for name in stored)
    model = tmp_path / "model"
    shutil.copytree(straight.model, model)
    text = (model / "config.toml").read_text()
    (model / "config.toml").write_text(text.replace("units = 4", "units = 1000000"))
    tracemalloc.start()
    try:
        with pytest.raises(ArtefactError, match=r"'latent\.bias' does not fit.*\(1000000,\)"):
            load_baseline(model)
        assert tracemalloc.get_traced_memory()[1] < 2e7
    finally:
        tracemalloc.stop()
