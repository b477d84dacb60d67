"""The tree of a result: its form, its round trip through a file, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae.analysis import blocks, example_result, layer_names, open_result
from bioae.errors import ResultError
from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.netcdf import write_result
from bioae.simulation.results.tree import build_result

GOOD: dict[str, Any] = {
    "images": np.zeros((2, 1, 3, 4)), "reconstruction": np.ones((2, 1, 3, 4)),
    "example": np.array([17, 3]), "dt_ms": 0.1, "steps": 5, "target": "numpy", "seed": 7,
    "neuron_model": "equations", "network_sha256": "abc",
}  # fmt: skip


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
        "spike_count": (("example", "neuron"), "int32"), "spike_example": (("spike",), "int64"),
        "spike_neuron": (("spike",), "int32"), "spike_time_ms": (("spike",), "float64"),
        "state_v": (("example", "time", "neuron"), "float32"), "channel": (("neuron",), "int32"),
        "y": (("neuron",), "int32"), "x": (("neuron",), "int32"), "time": (("time",), "float64"),
        "example": (("example",), "int64"),
    }  # fmt: skip
    assert data["state_v"].attrs["units"] == "mV"
    assert tree["input"].dims == ("example", "y", "x")
    assert tree["label"].to_numpy().tolist() == [4, 9]
    colour: dict[str, Any] = dict.fromkeys(("images", "reconstruction"), np.zeros((2, 3, 3, 4)))
    assert build(layer([], [], []), **colour)["input"].dims == ("example", "channel", "y", "x")


def test_neurons_are_numbered_in_c_order_of_channel_y_x() -> None:
    data = build(layer([], [], []))["layers/conv"].dataset
    where = [data[name].to_numpy() for name in ("channel", "y", "x")]
    np.testing.assert_array_equal(np.ravel_multi_index(where, (2, 3, 4)), np.arange(24))


def test_a_file_gives_back_the_tree_with_its_layers_in_order(tmp_path: Path) -> None:
    layers = [layer([0], [1], [2], name=name) for name in ("z", "b10", "b2")]
    silent = layer([], [], [], name="a", shape=(3,), states={"v": (np.zeros((2, 5, 3)), "1")})
    tree = build(*layers, silent, attrs={"dtype": "float64"})
    write_result(tree, tmp_path / "r.nc")
    found = open_result(tmp_path / "r.nc")
    xr.testing.assert_identical(found, tree)
    assert list(found["layers"].children) == ["z", "b10", "b2", "a"]
    assert found.attrs["dtype"] == "float64"


@pytest.mark.parametrize("examples", [[], [7], [9, 2, 11, 0]], ids=str)
def test_selections_are_written_with_their_spikes(examples: list[int], tmp_path: Path) -> None:
    tree = example_result().isel(example=examples)
    write_result(tree, tmp_path / "r.nc")
    found = open_result(tmp_path / "r.nc")
    assert found["example"].to_numpy().tolist() == [100 + each for each in examples]
    for name in layer_names(tree):
        counts = found[f"layers/{name}/spike_count"]
        xr.testing.assert_identical(counts, tree[f"layers/{name}/spike_count"])
        for written, kept in zip(blocks(found, name), blocks(tree, name), strict=True):
            np.testing.assert_array_equal(written.position, kept.position)
            np.testing.assert_array_equal(written.neuron, kept.neuron)
            np.testing.assert_array_equal(written.step, kept.step)


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


STATES = {"v": (np.zeros((2, 4, 24)), "1")}


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"reconstruction": np.ones((2, 1, 4, 4))}, {"found": re.compile("'y'")}),
        ({"label": np.array([1, 2, 3])}, {"found": re.compile("'example'")}),
        ({"layers": []}, {"expected": "at least one"}),
        ({"layers": [layer([], [], [], name="a/b")]}, {"found": "'a/b'"}),
        ({"layers": [layer([], [], [])] * 2}, {"found": "'conv'"}),
        ({"layers": [layer([0, 0], [1, 1], [2, 2])]}, {"where": "layer 'conv'"}),
        ({"layers": [replace(layer([0], [1], [2]), neuron=np.array([24]))]}, {"found": "24 to 24"}),
        (
            {"layers": [replace(layer([0], [1], [2]), neuron=np.array([2, 3]))]},
            {"found": "2 spikes, 1 of them in 2 × 5 steps"},
        ),
        ({"layers": [layer([0], [1], [2], steps=4)]}, {"expected": "2 examples of 5 steps"}),
        ({"layers": [layer([], [], [], states=STATES)]}, {"found": "(2, 4, 24)"}),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], fields: dict[str, Any]) -> None:
    with refused(ResultError, **fields):
        build_result(**(GOOD | {"layers": [layer([0], [1], [2])]} | changes))


@pytest.mark.parametrize(
    ("columns", "name", "fields"),
    [
        (([2], [1], [2]), "example", {"expected": "0 to 1", "found": "2 to 2"}),
        (([0], [5], [2]), "step", {"expected": "0 to 4", "found": "5 to 5"}),
        (([0], [1], [24]), "neuron", {"expected": "0 to 23", "found": "24 to 24"}),
        (([0], [-1], [2]), "step", {"found": "-1 to -1"}),
    ],
)
def test_spikes_outside(columns: tuple[list[int], ...], name: str, fields: dict[str, Any]) -> None:
    with refused(ResultError, name, **fields):
        layer(*columns)
