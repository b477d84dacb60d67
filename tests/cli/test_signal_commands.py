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
