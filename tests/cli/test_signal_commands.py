"""Networks of signals on the command line: their data, other time steps, and parity."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, drawn, write_arrays

from bioae.analysis import open_result
from bioae.networks import Network, artefact
from bioae.random import stream

Run = Callable[..., Any]
Refused = Callable[..., str]

STEPS = 12
SIGNALS = stream(5, 0).normal(size=(5, STEPS, 3))
TARGETS = stream(1, 0).normal(size=(5, STEPS, 4))
FINE = """
description = "fine"
equations = "dv/dt = -v/tau : 1"
threshold = "v > 1"
reset = "v = 0"
input = "v"
dt = "0.25*ms"
[parameters]
tau = "20*ms"
"""


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


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("options", [("--dt", "0.25*ms"), ("--neuron", "fine.toml")], ids=str)
def test_a_finer_time_step_holds_signals_and_targets(
    options: tuple[str, ...], run: Run, here: Path
) -> None:
    (here / "fine.toml").write_text(FINE, encoding="utf-8")
    done = run(
        "simulate", "model", "--data", "mine.npz", "--target", "numpy", "--out", "r.nc", *options
    )
    assert (done.status, done.err) == (0, "")
    assert "mean squared error: " in done.out
    result = open_result(here / "r.nc")
    assert (result.attrs["steps"], result.attrs["dt_ms"]) == (4 * STEPS, 0.25)
    np.testing.assert_array_equal(result["input"], np.repeat(SIGNALS, 4, axis=1))
    np.testing.assert_array_equal(result["target"], np.repeat(TARGETS, 4, axis=1))
    assert int(result["/layers/last/spike_count"].sum()) > 0


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


@pytest.mark.usefixtures("files")
def test_parity_takes_data_of_another_task(run: Run, refused: Refused, here: Path) -> None:
    write_arrays(here / "other.npz", signals=SIGNALS, targets=TARGETS[:, :5, :2])
    options = ("model", "--data", "other.npz", "--target", "numpy")
    assert "expected the shape (12, 4)" in refused("simulate", *options, "--out", "r.nc")
    done = run("parity", *options, "--json")
    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out)["spikes"] > 0


@pytest.mark.usefixtures("files")
def test_other_time_steps_are_refused(refused: Refused) -> None:
    command = ("simulate", "model", "--data", "mine.npz", "--target", "numpy", "--out", "r.nc")
    assert (
        "expected 1 ms, which each point lasts, divided by a whole number; found 2 ms"
        in refused(*command, "--dt", "2*ms")
    )
    line = refused(*command, "--steps", 24)
    assert "do not last as long as a presentation; expected 24 points" in line


@pytest.mark.usefixtures("files")
def test_a_command_without_data_names_what_the_network_needs(refused: Refused) -> None:
    line = refused("simulate", "model", "--target", "numpy", "--out", "r.nc")
    assert "--data: the network needs other data than the default" in line
    assert (
        "expected signals of the shape (time, channel) = (12, 3), or events of 3 channels" in line
    )
    assert "Name a file with --data" in line


def test_images_of_another_size_too(refused: Refused, here: Path) -> None:
    small = drawn(dense("only", shape=[1, 3, 4]), input_shape=[1, 3, 4])
    artefact.save(small, here / "model")
    for command in (("simulate", "model", "--out", "r.nc"), ("parity", "./model")):
        line = refused(*command, "--target", "numpy")
        assert "expected images of the shape (channel, y, x) = (1, 3, 4)" in line


@pytest.mark.usefixtures("files")
def test_parity_on_your_data(run: Run) -> None:
    reports = []
    for options in ((), ("--data", "mine.npz"), ("--data", "mine.npz", "--examples", 5)):
        done = run("parity", "./model", "--target", "numpy", "--json", *options)
        assert (done.status, done.err) == (0, "")
        reports.append(json.loads(done.out))
    assert [report["differing"] for report in reports] == [0, 0, 0]
    spikes = [report["spikes"] for report in reports]
    assert min(spikes) > 0
    assert len(set(spikes)) == 3


@pytest.mark.usefixtures("files")
def test_parity_presents_the_data_that_simulate_presents(run: Run, here: Path) -> None:
    report = json.loads(
        run(
            "parity",
            "./model",
            "--data",
            "mine.npz",
            "--examples",
            5,
            "--target",
            "numpy",
            "--json",
        ).out
    )
    run("simulate", "model", "--data", "mine.npz", "--target", "numpy", "--out", "r.nc")
    result = open_result(here / "r.nc")
    counts = [int(result[f"/layers/{name}/spike_count"].sum()) for name in ("first", "last")]
    assert report["spikes"] == sum(counts)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("./model", "--data", "sample"), "the network receives signals; expected signals"),
        (("./model", "--data", "none.npz"), "there is no such file"),
        (("./model", "--data", "mine.npz", "--examples", 6), "a limit of at most 5; found 6"),
        (("lif", "--data", "mine.npz"), "--data: no effect, because lif receives random input"),
    ],
)
def test_data_that_do_not_fit(
    arguments: tuple[object, ...], message: str, refused: Refused
) -> None:
    assert message in refused("parity", *arguments, "--target", "numpy")
