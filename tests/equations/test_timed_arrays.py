"""Timed arrays: values in a file, looked up by the time since the presentation's start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import SCHEDULES, dense, described, model, pictures
from refusals import place, refused

from bioae import parity, simulate
from bioae.equations import load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network
from bioae.simulation.backend import Backend
from bioae.trainers.parity import parity_network

FIELDS: dict[str, Any] = {
    "description": "Counts, and shows a timed array.", "equations": "x : 1\ny : amp\nz : 1",
    "threshold": "x > z + 3", "reset": "z += 3", "run_regularly": "y = drive(t)", "input": "x",
    "timed_arrays": {"drive": {"values": [0.25, -1, 2], "unit": "nA", "dt": "4*ms"}},
}  # fmt: skip
TEXT = """
description = "Counts."
equations = "x : 1"
input = "x"
run_regularly = "x = drive(t)"

[timed_arrays.drive]
values = {values}
dt = "1*ms"
"""


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("dt", ["1*ms", "0.5*ms"])
def test_each_value_holds_for_its_interval(schedule: str, dt: str) -> None:
    network, images = parity_network(model(FIELDS), neurons=6, steps=30, examples=2, seed=0)
    network = Network(network.config.varied(schedule=schedule, dt=dt), network.weights)
    step = np.arange(30)
    values = 1e-9 * np.array([0.25, -1, 2])
    expected = values[np.minimum(step // (4 if dt == "1*ms" else 8), 2)]
    for result in (
        simulate(network, images, Backend("numpy", record=["y"])),
        simulate(network, images, Backend("torch", record=["y"])),
    ):
        for layer in ("first", "second"):
            y = result[f"/layers/{layer}"]["state_y"].to_numpy()
            np.testing.assert_array_equal(y, np.broadcast_to(expected[:, None], y.shape))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_neuron_has_its_values(schedule: str) -> None:
    values = [[1.0, 2, 3, 4, 5, 6], [0.5, 0.25, 0, 0, 0, -1]]
    arrays = {**FIELDS["timed_arrays"], "each": {"values": values, "unit": "nA", "dt": "4*ms"}}
    fields = {**FIELDS, "run_regularly": "y = drive(t) + each(t , i)", "timed_arrays": arrays}
    layer = dense("a", shape=[1, 2, 3], neuron="counts")
    config = described(layer, input_shape=[1, 2, 3], steps=9, schedule=schedule,
                       neurons={"counts": fields})  # fmt: skip
    network, images = Network.initialise(config), pictures(2, 1, 2, 3)
    step = np.arange(9) // 4
    shared = np.array([0.25, -1, 2])[np.minimum(step, 2)]
    expected = 1e-9 * (np.array(values)[np.minimum(step, 1)] + shared[:, None])
    for target in ("numpy", "torch"):
        result = simulate(network, images, Backend(target, record=["y"]))
        y = result["/layers/a"]["state_y"].transpose("example", "time", ...).to_numpy()
        np.testing.assert_allclose(y[0], expected, rtol=1e-12)
    assert parity(network, images).passed
    other = dense("a", shape=[1, 2, 2], neuron="counts")
    with refused(NetworkError, "each", where="layer 'a'", found="6"):
        _ = described(other, input_shape=[1, 2, 2], neurons={"counts": fields}).placed


@pytest.mark.parametrize("text", ["0.5\n1e-3\n-2\n", "0.5, 1e-3, -2\n", None])
def test_values_of_a_file_travel(text: str | None, tmp_path: Path) -> None:
    if text is None:
        np.save(tmp_path / "values.npy", np.array([0.5, 1e-3, -2]))
    else:
        (tmp_path / "values.csv").write_text(text)
    (name,) = (path.name for path in tmp_path.iterdir())
    (tmp_path / "mine.toml").write_text(TEXT.format(values=f'"{name}"'))
    loaded = load_neuron(tmp_path / "mine.toml")
    assert loaded.timed_arrays["drive"].values == [0.5, 1e-3, -2.0]
    (tmp_path / name).unlink()
    (tmp_path / "copy.toml").write_text(loaded.to_toml())
    assert load_neuron(tmp_path / "copy.toml").timed_arrays == loaded.timed_arrays


def test_a_file_may_have_a_column_for_each_neuron(tmp_path: Path) -> None:
    (tmp_path / "values.csv").write_text("1, 2\n3, 4\n5, 6\n")
    (tmp_path / "mine.toml").write_text(TEXT.format(values='"values.csv"'))
    loaded = load_neuron(tmp_path / "mine.toml")
    assert loaded.timed_arrays["drive"].values == [[1, 2], [3, 4], [5, 6]]


REFUSED_FILES: dict[str, bytes | None] = {
    "none.csv": None, "words.csv": b"one, two", "table.csv": b"1, 2\n3, 4", "inf.csv": b"1, inf",
    "values.txt": b"1", "broken.npy": b"\x93NUMPY\x01\x00",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED_FILES)
def test_refused_files(name: str, tmp_path: Path) -> None:
    content = REFUSED_FILES[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    _check_refused(tmp_path, name)


@pytest.mark.parametrize("path", ["../values.csv", "/values.csv", "below/values.csv", "..", ""])
def test_files_elsewhere_are_refused(path: str, tmp_path: Path) -> None:
    for folder in ("mine", "mine/below"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "values.csv").write_text("1")
    (tmp_path / "values.csv").write_text("1")
    _check_refused(tmp_path / "mine", path)


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2)), np.array([None, 1]), np.array(1.0), np.array(["1"]), np.array([1j])],
    ids=["table", "objects", "scalar", "text", "complex"],
)
def test_refused_arrays(array: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "values.npy", array)
    _check_refused(tmp_path, "values.npy")


def _check_refused(folder: Path, name: str) -> None:
    (folder / "mine.toml").write_text(TEXT.format(values=f'"{name}"'))
    with refused(ModelError, where=re.compile("mine.toml")):
        lower(load_neuron(folder / "mine.toml"))


def _array(**changes: Any) -> dict[str, Any]:
    return {"timed_arrays": {"drive": {**FIELDS["timed_arrays"]["drive"], **changes}}}


@pytest.mark.parametrize(
    ("changes", "where", "name"),
    [
        (_array(values=[]), "", "[]"),
        (_array(values=["1"]), "", ""),
        (_array(values=[float("nan")]), "", ""),
        (_array(values=[0.0, -1e300]), "[timed_arrays.drive]", "-1e+291"),
        (_array(values=[1e30], unit="1e9*amp"), "[timed_arrays.drive]", "1e+39"),
        (_array(values="drive.csv"), "", ""),
        (_array(dt="0*ms"), "[timed_arrays.drive] dt", "0*ms"),
        (_array(dt="1*mV"), "[timed_arrays.drive] dt", "'1*mV'"),
        (_array(unit="volt"), "run_regularly", "volt"),
        ({"run_regularly": "y = drive(t + 1*ms)"}, "run_regularly", "drive without (t)"),
        ({"run_regularly": "y = drive(t, i)"}, "run_regularly", "drive without (t)"),
        ({"run_regularly": "drive(t) = y"}, "run_regularly", "'drive'"),
        ({"parameters": {"drive": "1"}}, "", "'drive'"),
        ({"equations": "x : 1\ny : amp\nz : 1\ndrive : amp"}, "equations", "drive without (t)"),
        ({"timed_arrays": {"t": FIELDS["timed_arrays"]["drive"]}}, "", "'t'"),
        ({"timed_arrays": {"mV": FIELDS["timed_arrays"]["drive"]}}, "[timed_arrays.mV]", "mV"),
        ({"timed_arrays": {"bioae_x": FIELDS["timed_arrays"]["drive"]}}, "", "'bioae_x'"),
    ],
)
def test_refused(changes: dict[str, Any], where: str, name: str) -> None:
    with refused(ModelError, name, where=place("mine.toml", where)):
        lower(model({**FIELDS, **changes}))


def test_an_interval_is_a_multiple_of_the_time_step() -> None:
    network, _ = parity_network(model(FIELDS), neurons=6, steps=30, examples=2, seed=0)
    with refused(ModelError):
        Network(network.config.varied(dt="3*ms"), network.weights)
