"""Files and trees that are no results are refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae.analysis import (
    SCHEMA_VERSION,
    check_result,
    example_result,
    open_result,
    sum_squared_error,
)
from bioae.errors import ResultError
from bioae.simulation.results.netcdf import write_result


def test_reader_and_writer_speak_of_one_version() -> None:
    assert example_result().attrs["schema_version"] == SCHEMA_VERSION
    check_result(example_result())


@pytest.mark.parametrize("kept", [0.0, 0.003, 0.1, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with refused(ResultError, where=path):
        open_result(path)


def test_files_other_than_netcdf_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nc").write_text("spikes, neurons\n" * 100)
    for path in (tmp_path / "text.nc", tmp_path / "none.nc", tmp_path):
        with refused(ResultError, where=path, expected="the result of a simulation"):
            open_result(path)


def test_what_is_no_result_is_not_written(tmp_path: Path) -> None:
    for tree in (xr.DataTree(), example_result()["layers"]):
        with refused(ResultError):
            write_result(tree, tmp_path / "r.nc")
    assert not list(tmp_path.iterdir())


def test_a_result_in_another_tree_is_written_like_one_alone(tmp_path: Path) -> None:
    one, other = example_result(), example_result()
    sweep = xr.DataTree(children={"slow": one})  # of other dimensions, or none
    other["variant"] = example_result()  # of the same examples, whose coordinate it inherits
    for number, tree in enumerate((sweep["slow"], other["variant"])):
        write_result(tree, tmp_path / f"{number}.nc")
        assert open_result(tmp_path / f"{number}.nc").identical(example_result())


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    xr.Dataset({"a": ("x", np.arange(3))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with refused(ResultError, expected="an attribute 'schema_version'"):
        open_result(tmp_path / "a.nc")
    with import_module("h5py").File(tmp_path / "b.h5", "w") as file:
        file["weights"] = np.arange(3)
    with pytest.raises(ResultError):
        open_result(tmp_path / "b.h5")


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    tree = example_result()
    tree.attrs["schema_version"] = 1
    del tree.attrs["task"]
    write_result(tree, tmp_path / "old.nc")
    old = open_result(tmp_path / "old.nc")
    xr.testing.assert_equal(old, example_result())
    assert float(sum_squared_error(old).mean()) > 0


TASKS = {
    "classification": {"output": (12, 4)},
    "regression": {"output": (12, 4), "target": (12, 4)},
    "sequence": {"output": (12, 20, 4), "target": (12, 20, 4)},
}
DIMS = ("example", "time", "unit")


def of_task(task: str) -> xr.DataTree:
    tree = example_result()
    root = tree.to_dataset(inherit=False).drop_vars("reconstruction")
    for name, shape in TASKS[task].items():
        root[name] = (DIMS[:: 4 - len(shape)] if len(shape) == 2 else DIMS, np.ones(shape))
    root["label"] = root["label"] % 4
    root.attrs["task"] = task
    layers = {f"/layers/{name}": node for name, node in tree["layers"].children.items()}
    nodes = {path: node.to_dataset(inherit=False) for path, node in layers.items()}
    return xr.DataTree.from_dict({"/": root, **nodes})


@pytest.mark.medium
@pytest.mark.parametrize("task", TASKS)
def test_results_of_every_task_are_read(task: str, tmp_path: Path) -> None:
    tree = of_task(task)
    write_result(tree, tmp_path / "r.nc")
    for lazy in (False, True):
        with open_result(tmp_path / "r.nc", lazy=lazy) as again:
            xr.testing.assert_equal(again.load(), tree)


ONES = np.ones((12, 20, 4))
VERSIONS = "schema_version 1 or 2"
LATENT = {"where": "result, layer 'latent'", "found": None}
IMAGES = "(example, y, x) or (example, channel, y, x) or (example, time, channel)"


@pytest.mark.medium
@pytest.mark.parametrize(
    ("task", "changes", "fields"),
    [
        ("classification", {"output": (DIMS, ONES)}, {"expected": "(example, unit)"}),
        ("regression", {"target": (DIMS, ONES)}, {"found": "('example', 'time', 'unit')"}),
        ("sequence", dict.fromkeys(("output", "target"), (DIMS, ONES[:, :19])), {"found": None}),
        ("sequence", {"output": (DIMS[::2], ONES[:, 0])}, {"expected": "(example, time, unit)"}),
        ("sequence", {"output": (DIMS, ONES.astype(int))}, {"found": "int64"}),
        ("reconstruction", {}, {"expected": "(example, y, x)", "found": None}),
        ("dreaming", {}, {"where": re.compile("attributes$"), "found": "'dreaming'"}),
    ],
)
def test_damaged_outputs_are_refused(
    task: str, changes: dict[str, Any], fields: dict[str, Any], tmp_path: Path
) -> None:
    tree = of_task(task if task in TASKS else "regression")
    tree.attrs["task"] = task
    tree.dataset = tree.to_dataset(inherit=False).assign(changes)
    write_result(tree, tmp_path / "r.nc")
    with refused(ResultError, **({"where": tmp_path / "r.nc"} | fields)):
        open_result(tmp_path / "r.nc")


def _without(tree: xr.DataTree, path: str, name: str) -> xr.DataTree:
    node = tree[path]
    assert isinstance(node, xr.DataTree)
    node.dataset = node.to_dataset(inherit=False).drop_vars(name)
    return tree


def _with(tree: xr.DataTree, **attrs: Any) -> xr.DataTree:
    tree.attrs |= attrs
    return tree


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (lambda tree: _with(tree, schema_version=3), {"expected": VERSIONS, "found": "3"}),
        (lambda tree: _with(tree, schema_version=np.ones(3)), {"expected": VERSIONS}),
        (lambda tree: _with(tree, dt_ms="x"), {"where": "result, attributes", "found": "'x'"}),
        (lambda tree: _without(tree, "layers/latent", "spike_count"), LATENT),
        (lambda tree: _without(tree, "layers/latent", "spike_time_ms"), LATENT),
        (lambda tree: _without(tree, "/", "input"), {"where": "result", "expected": IMAGES}),
        (lambda tree: xr.DataTree(tree.to_dataset()), {"expected": "groups /layers/NAME"}),
    ],
)
def test_missing_and_wrong_parts_are_named(
    change: Callable[[xr.DataTree], xr.DataTree], fields: dict[str, Any]
) -> None:
    with refused(ResultError, **fields):
        check_result(change(example_result()))


@pytest.mark.parametrize("name", ["dt_ms", "steps", "target"])
def test_a_missing_attribute_is_named(name: str) -> None:
    tree = example_result()
    del tree.attrs[name]
    with refused(ResultError, name, where="result, attributes"):
        check_result(tree)


def test_what_cannot_be_read_again_is_not_written(tmp_path: Path) -> None:
    tree = example_result()
    path = tmp_path / "r.nc"
    write_result(tree, path)
    content = path.read_bytes()
    with refused(ResultError, expected="2 neurons"):
        write_result(tree.isel(neuron=slice(0, 2), missing_dims="ignore"), path, overwrite=True)
    for wrong in (3, xr.Dataset()):
        with refused(ResultError, "the result", expected="DataTree"):
            write_result(wrong, path, overwrite=True)  # type: ignore[arg-type]
    assert path.read_bytes() == content
