"""The tree of a result: its form, its round trip through a file, and what is refused."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from bioae.analysis import blocks, example_result, layer_names, open_result
from bioae.errors import OutputError, ResultError
from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.netcdf import write_result
from bioae.simulation.results.tree import build_result

GOOD: dict[str, Any] = {
    "images": np.zeros((2, 1, 3, 4)),
    "reconstruction": np.ones((2, 1, 3, 4)),
    "example": np.array([17, 3]),
    "dt_ms": 0.1,
    "steps": 5,
    "target": "numpy",
    "seed": 7,
    "neuron_model": "equations",
    "network_sha256": "abc",
}


def layer(example: list[int], step: list[int], neuron: list[int], **changes: Any) -> LayerSpikes:
    arguments: dict[str, Any] = {"name": "conv", "shape": (2, 3, 4)}
    spikes = {"example": example, "step": step, "neuron": neuron}
    columns = {name: np.array(values, np.int32) for name, values in spikes.items()}
    return LayerSpikes.of(**(arguments | columns | {"examples": 2, "steps": 5} | changes))


def build(*layers: LayerSpikes, **changes: Any) -> xr.DataTree:
    return build_result(**(GOOD | {"layers": layers} | changes))


def test_spikes_are_sorted_by_example_in_order_of_presentation_then_time_then_neuron() -> None:
    tree = build(layer([1, 0, 0, 0], [0, 3, 2, 3], [5, 1, 9, 0]))
    data = tree["layers/conv"].to_dataset()
    assert data["spike_example"].to_numpy().tolist() == [17, 17, 17, 3]
    np.testing.assert_array_equal(data["spike_time_ms"], np.array([2, 3, 3, 0]) * 0.1)
    assert data["spike_neuron"].to_numpy().tolist() == [9, 0, 1, 5]


def test_types_and_dimensions_are_those_of_the_specification() -> None:
    state = (np.zeros((2, 5, 24), np.float32), "mV")
    tree = build(layer([0], [1], [2], states={"v": state}), label=np.array([4, 9]))
    data = tree["layers/conv"].dataset
    form = {str(name): (array.dims, str(array.dtype)) for name, array in data.variables.items()}
    assert form == {
        "spike_count": (("example", "neuron"), "int32"),
        "spike_example": (("spike",), "int64"),
        "spike_neuron": (("spike",), "int32"),
        "spike_time_ms": (("spike",), "float64"),
        "state_v": (("example", "time", "neuron"), "float32"),
        "channel": (("neuron",), "int32"),
        "y": (("neuron",), "int32"),
        "x": (("neuron",), "int32"),
        "time": (("time",), "float64"),
        "example": (("example",), "int64"),
    }
    assert data["state_v"].attrs["units"] == "mV"
    assert tree["input"].dims == ("example", "y", "x")
    assert tree["label"].to_numpy().tolist() == [4, 9]
    assert build(layer([], [], []), **_colour())["input"].dims == ("example", "channel", "y", "x")


def _colour() -> dict[str, Any]:
    return {name: np.zeros((2, 3, 3, 4)) for name in ("images", "reconstruction")}


def test_neurons_are_numbered_in_c_order_of_channel_y_x() -> None:
    data = build(layer([], [], []))["layers/conv"].dataset
    where = [data[name].to_numpy() for name in ("channel", "y", "x")]
    np.testing.assert_array_equal(np.ravel_multi_index(where, (2, 3, 4)), np.arange(24))


@given(st.data())
def test_counts_are_those_of_the_spikes(data: st.DataObject) -> None:
    places = st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 23))
    spikes = data.draw(st.lists(places, unique=True, max_size=40))
    example, step, neuron = (
        (list(column) for column in zip(*spikes, strict=True)) if spikes else ([], [], [])
    )
    found = build(layer(example, step, neuron))["layers/conv"].dataset
    expected = np.zeros((2, 24), int)
    for place, _, cell in spikes:
        expected[place, cell] += 1
    np.testing.assert_array_equal(found["spike_count"], expected)
    assert found.sizes["spike"] == len(spikes)


def test_a_file_gives_back_the_tree_with_its_layers_in_order(tmp_path: Path) -> None:
    layers = [layer([0], [1], [2], name=name) for name in ("z", "b10", "b2")]
    silent = layer([], [], [], name="a", shape=(3,), states={"v": (np.zeros((2, 5, 3)), "1")})
    tree = build(*layers, silent, attrs={"dtype": "float64"})
    write_result(tree, tmp_path / "r.nc")
    found = open_result(tmp_path / "r.nc")
    xr.testing.assert_identical(found, tree)
    assert list(found["layers"].children) == ["z", "b10", "b2", "a"]
    assert found.attrs["dtype"] == "float64"


@pytest.mark.medium
@given(examples=st.lists(st.integers(0, 11), unique=True))
def test_selected_examples_are_written_with_their_spikes(
    examples: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("selected") / "r.nc"
    tree = example_result().isel(example=examples)
    write_result(tree, path)
    found = open_result(path)
    assert found["example"].to_numpy().tolist() == [100 + each for each in examples]
    for name in layer_names(tree):
        counts = found[f"layers/{name}/spike_count"]
        xr.testing.assert_identical(counts, tree[f"layers/{name}/spike_count"])
        for written, kept in zip(blocks(found, name), blocks(tree, name), strict=True):
            np.testing.assert_array_equal(written.position, kept.position)
            np.testing.assert_array_equal(written.neuron, kept.neuron)
            np.testing.assert_array_equal(written.step, kept.step)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (3, r"no dimension 'example'. Select one with isel\(example=\[0\]\)"),
        ([3, 3], "example: a presentation is repeated; expected each number once; found 103"),
    ],
)
def test_selections_that_are_no_result_are_not_written(
    chosen: object, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ResultError, match=message):
        write_result(example_result().isel(example=chosen), tmp_path / "r.nc")
    assert not list(tmp_path.iterdir())


def test_equal_results_are_equal_files(tmp_path: Path) -> None:
    for name in ("a.nc", "b.nc"):
        write_result(example_result(), tmp_path / name)
    write_result(example_result(1), tmp_path / "c.nc")
    contents = [(tmp_path / f"{name}.nc").read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_the_specification_names_every_variable_and_attribute() -> None:
    text = (Path(__file__).parents[3] / "docs" / "result.md").read_text(encoding="utf-8")
    state = {"v": (np.zeros((2, 5, 24)), "mV")}
    tree = build(layer([0], [1], [2], states=state), label=np.array([4, 9]))
    names = {str(name) for node in tree.subtree for name in node.dataset.variables}
    names |= {str(name) for node in tree.subtree for name in node.attrs}
    assert len(names) > 20
    assert {
        name for name in names if f"`{name.replace('state_v', 'state_VAR')}`" not in text
    } == set()


def test_the_example_of_the_specification_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[3] / "docs" / "result.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    assert len(blocks) == 2
    write_result(example_result(), tmp_path / "result.nc")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec("".join(blocks), scope)
    assert "spike_count" in capsys.readouterr().out
    assert scope["position"].max() == 11


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reconstruction": np.ones((2, 1, 4, 4))}, "images and reconstruction"),
        ({"images": np.zeros((2, 3, 4)), "reconstruction": np.zeros((2, 3, 4))}, "channel, y, x"),
        ({"example": np.array([1])}, "example does not fit"),
        ({"example": np.array([3, 3])}, "3 again"),
        ({"label": np.array([1, 2, 3])}, "label does not fit"),
        ({"layers": []}, "no layers"),
        ({"layers": [layer([], [], [], name="a/b")]}, "cannot be that of a group"),
        ({"layers": [layer([], [], [])] * 2}, "same name"),
        ({"layers": [layer([0, 0], [1, 1], [2, 2])]}, "twice in one step"),
        ({"layers": [replace(layer([0], [1], [2]), neuron=np.array([24]))]}, "neuron is outside"),
        ({"layers": [replace(layer([0], [1], [2]), neuron=np.array([2, 3]))]}, "2 spikes, 1 of"),
        ({"layers": [layer([0], [1], [2], steps=4)]}, "2 examples of 5 steps; found 1 spikes"),
        (
            {"layers": [layer([], [], [], states={"v": (np.zeros((2, 4, 24)), "1")})]},
            "'v' has a wrong shape",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        build_result(**(GOOD | {"layers": [layer([0], [1], [2])]} | changes))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([2], [1], [2]), "example is outside; expected 0 to 1; found 2"),
        (([0], [5], [2]), "step is outside"),
        (([0], [1], [24]), "neuron is outside"),
        (([0], [-1], [2]), "step is outside"),
        (([0], [1, 2], [2]), "do not fit together"),
    ],
)
def test_spikes_outside_are_refused(columns: tuple[list[int], ...], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        layer(*columns)


def test_an_existing_file_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="kept"):
        write_result(example_result(1), path)
    assert path.read_bytes() == before
    write_result(example_result(1), path, overwrite=True)
    assert path.read_bytes() != before


@pytest.mark.medium
def test_the_old_file_survives_a_full_disk(tmp_path: Path) -> None:
    """The process may write 4 kB a file: the system refuses the rest, as a full disk does."""
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    before = path.read_bytes()
    assert len(before) > 4096
    code = (
        "import sys\n"
        "from bioae.analysis import example_result\n"
        "from bioae.errors import OutputError\n"
        "from bioae.simulation.results.netcdf import write_result\n"
        "try:\n"
        "    write_result(example_result(1), sys.argv[1], overwrite=True)\n"
        "except OutputError as error:\n"
        "    print(error)\n"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "writing failed" in done.stdout
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["r.nc"]
