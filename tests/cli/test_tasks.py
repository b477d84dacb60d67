"""Classifiers, regressions, sequences and signals on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, drawn, write_arrays

from bioae.analysis import accuracy, open_result
from bioae.networks import Network, artefact
from bioae.random import stream
from bioae.trainers import TrainingConfig

Run = Callable[..., Any]
Refused = Callable[..., str]

OUTPUTS, POINTS = 3, 4  # a point for each step of CONFIG
TASKS: dict[str, str] = {
    "classification": 'task = { kind = "classification", classes = 3 }\n'
    'decoder = { kind = "summed_softmax" }',
    "regression": 'task = { kind = "regression", outputs = 3 }\ndecoder = { kind = "last" }',
    "sequence": 'task = { kind = "sequence", outputs = 3 }\ndecoder = { kind = "trajectory" }',
}
CONFIG = """
[data]
name = "data.npz"

[network]
input_shape = [1, 4, 4]
steps = 4
{task}
layers = [
    {{ kind = "dense", name = "hidden", units = 8, gain = 4.0 }},
    {{ kind = "dense", name = "last", units = 3, gain = 4.0 }},
]

[training]
epochs = 2
threads = 1
compile = false
derivative = "arctan"
{training}
"""


def prepare(folder: Path, task: str, training: str = "", **changes: Any) -> None:
    """Write a configuration and its data: 24 images of 4 by 4."""
    drawn = stream(0, 0)
    shape = (24, POINTS, OUTPUTS) if task == "sequence" else (24, OUTPUTS)
    arrays = {
        "images": drawn.random((24, 4, 4)), "labels": np.arange(24) % OUTPUTS,
        "targets": drawn.normal(size=shape), **changes,
    }  # fmt: skip
    np.savez(folder / "data.npz", **{k: v for k, v in arrays.items() if v is not None})
    text = CONFIG.format(task=TASKS[task], training=training)
    (folder / "config.toml").write_text(text, encoding="utf-8")


@pytest.mark.medium
@pytest.mark.parametrize(
    "task",
    [
        "classification",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("sequence", "regression")),
    ],
)
def test_from_training_to_the_report(task: str, run: Run, here: Path) -> None:
    prepare(here, task)
    trained = run("train", "config.toml", "--out", "run", "--json")
    assert trained.status == 0, trained.err
    metrics = json.loads(trained.out)
    assert metrics["loss"] == metrics[task]
    stored = artefact.load(here / "run/model")
    kind = stored.network.config.task
    for split in ("validation", "test"):
        assert {f"{split}_{name}" for name in kind.scores} <= metrics.keys()

    command = ("simulate", "run/model", "--data", "data.npz", "--target", "numpy", "--out")
    simulated = run(*command, "r.nc")
    assert simulated.status == 0, simulated.err
    first = {"classification": "accuracy"}.get(task, "mean squared error")
    line = simulated.out.splitlines()[1]
    assert line.startswith(f"{first}: ")
    assert line.endswith(", 24 examples")
    if task == "classification":
        assert stored.metrics["test_accuracy"] == metrics["test_accuracy"]
        found = accuracy(open_result(here / "r.nc"))
        value, low, high = (float(found[name]) for name in ("accuracy", "low", "high"))
        assert f" {value:.4g} (95 % interval {low:.4g} to {high:.4g})" in line

    analysed = run("analyze", "r.nc", "--out", "report")
    assert analysed.status == 0, analysed.err
    numbers = json.loads((here / "report/statistics.json").read_text(encoding="utf-8"))
    assert numbers["reconstruction"] is None
    assert {*numbers["results"]["r"]["scores"]} == {*kind.scores}
    html = (here / "report/report.html").read_text(encoding="utf-8")
    assert "Reconstruction error" not in html
    assert ("Confusion matrix" in html) == (task == "classification")
    names = {"classification": "confusion", "regression": "outputs", "sequence": "traces"}
    assert (here / f"report/figures/{names[task]}.png").exists()

    prepare(here, task, labels=None, targets=None)
    assert run(*command, "unknown.nc").out.splitlines() == ["unknown.nc"]  # without scores


@pytest.mark.parametrize(
    ("task", "changes", "quoted"),
    [
        ("classification", {"labels": None}, "labels"),
        ("regression", {"targets": None}, "targets"),
        ("classification", {"labels": np.arange(24)}, "3 classes"),
        ("sequence", {"targets": np.ones((24, 3))}, "(4, 3)"),
        ("regression", {"targets": np.full((24, 3), np.nan)}, "finite"),
        ("regression", {"training": 'loss = "cross_entropy"'}, "mean_squared_error"),
    ],
)
def test_what_does_not_fit_is_refused(
    task: str, changes: dict[str, Any], quoted: str, refused: Refused, here: Path
) -> None:
    prepare(here, task, **changes)
    assert quoted in refused("train", "config.toml", "--out", "run")


def test_parity_of_a_classifier(run: Run, tiny_text: str, here: Path) -> None:
    """The digits of the comparison have other labels than the network has classes."""
    text = tiny_text.replace("shape = [1, 28, 28]", "units = 2")
    text = text.replace("steps = 5", 'steps = 5\ntask = { kind = "classification", classes = 2 }')
    (here / "config.toml").write_text(text, encoding="utf-8")
    network = TrainingConfig.read(here / "config.toml").network
    artefact.save(Network.initialise(network).quantised(), here / "model")
    done = run("parity", "./model", "--target", "numpy", "--examples", "2", "--json")
    assert done.status == 0, done.err
    report = json.loads(done.out)
    assert report["exact"]
    assert report["spikes"] > 0
    assert report["differing"] == 0


STEPS = 12
SIGNALS = stream(5, 0).normal(size=(5, STEPS, 3))
TARGETS = stream(1, 0).normal(size=(5, STEPS, 4))


@pytest.fixture
def network() -> Network:
    return drawn(
        dense("first", 6, gain=3.0, recurrent=True), dense("last", 4, gain=3.0),
        input_shape=[3], steps=STEPS, encoder={"kind": "frames", "gain": 0.75},
        task={"kind": "sequence", "outputs": 4}, decoder={"kind": "trajectory"},
    )  # fmt: skip


@pytest.fixture
def files(network: Network, here: Path) -> Path:
    artefact.save(network, here / "model")
    return write_arrays(here / "mine.npz", signals=SIGNALS, targets=TARGETS)


@pytest.mark.medium
@pytest.mark.usefixtures("files")
def test_a_finer_time_step_holds_signals_and_targets(run: Run, here: Path) -> None:
    options = ("--data", "mine.npz", "--target", "numpy", "--dt", "0.25*ms")
    done = run("simulate", "model", "--out", "r.nc", *options)
    assert (done.status, done.err) == (0, "")
    assert "mean squared error: " in done.out
    result = open_result(here / "r.nc")
    assert (result.attrs["steps"], result.attrs["dt_ms"]) == (4 * STEPS, 0.25)
    np.testing.assert_array_equal(result["input"], np.repeat(SIGNALS, 4, axis=1))
    np.testing.assert_array_equal(result["target"], np.repeat(TARGETS, 4, axis=1))
    assert int(result["/layers/last/spike_count"].sum()) > 0


@pytest.mark.medium
@pytest.mark.usefixtures("files")
def test_the_unit_of_recorded_times(run: Run, here: Path, refused: Refused) -> None:
    recording = np.zeros(STEPS, [("t", np.int64), ("x", np.int64)])
    recording["t"], recording["x"] = np.arange(STEPS), np.arange(STEPS) % 3
    np.save(here / "recording.npy", recording)
    command = ("simulate", "model", "--target", "numpy", "--out", "r.nc", "--data")
    assert run(*command, "recording.npy", "--time-unit", "ms").status == 0
    events = np.asarray(open_result(here / "r.nc")["input"])
    np.testing.assert_array_equal(np.nonzero(events[0])[0], recording["t"])
    assert "time_unit has no effect" in refused(
        *command, "mine.npz", "--time-unit", "ms", "--overwrite"
    )


@pytest.mark.medium
@pytest.mark.usefixtures("files")
def test_parity_presents_the_data_that_simulate_presents(run: Run, here: Path) -> None:
    options = ("--data", "mine.npz", "--target", "numpy")
    report = json.loads(run("parity", "./model", *options, "--examples", 5, "--json").out)
    run("simulate", "model", *options, "--out", "r.nc")
    result = open_result(here / "r.nc")
    counts = [int(result[f"/layers/{name}/spike_count"].sum()) for name in ("first", "last")]
    assert report["spikes"] == sum(counts)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (("simulate", "model", "--data", "mine.npz", "--dt", "2*ms"), "found 2 ms"),
        (("simulate", "model", "--data", "mine.npz", "--steps", 24), "24 points"),
        (("simulate", "model"), "(12, 3)"),
        (("parity", "./model", "--data", "sample"), "signals"),
        (("parity", "./model", "--data", "none.npz"), "none.npz"),
        (("parity", "./model", "--data", "mine.npz", "--examples", 6), "found 6"),
        (("parity", "lif", "--data", "mine.npz"), "--data: no effect"),
    ],
)
def test_what_does_not_fit(arguments: tuple[object, ...], quoted: str, refused: Refused) -> None:
    out = ("--out", "r.nc") if arguments[0] == "simulate" else ()
    assert quoted in refused(*arguments, *out, "--target", "numpy")
