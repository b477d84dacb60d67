"""Files and trees that are no results are refused by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

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
    with pytest.raises(ResultError, match="truncated"):
        open_result(path)


def test_files_other_than_netcdf_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nc").write_text("spikes, neurons\n" * 100)
    with pytest.raises(ResultError, match="another kind"):
        open_result(tmp_path / "text.nc")
    for path, message in ((tmp_path / "none.nc", "no such file"), (tmp_path, "this is a folder")):
        with pytest.raises(ResultError, match=message):
            open_result(path)


def test_what_is_no_result_is_not_written(tmp_path: Path) -> None:
    for tree in (xr.DataTree(), example_result()["layers"]):
        with pytest.raises(ResultError, match="not the result of a simulation"):
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
    with pytest.raises(ResultError, match="not the result of a simulation"):
        open_result(tmp_path / "a.nc")
    with import_module("h5py").File(tmp_path / "b.h5", "w") as file:
        file["weights"] = np.arange(3)
    with pytest.raises(ResultError):
        open_result(tmp_path / "b.h5")


def test_another_version_is_refused() -> None:
    tree = example_result()
    tree.attrs["schema_version"] = SCHEMA_VERSION + 1
    with pytest.raises(ResultError, match="expected schema_version 1 or 2; found 3"):
        check_result(tree)


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


@pytest.mark.parametrize("task", TASKS)
def test_results_of_every_task_are_read(task: str, tmp_path: Path) -> None:
    tree = of_task(task)
    write_result(tree, tmp_path / "r.nc")
    for lazy in (False, True):
        with open_result(tmp_path / "r.nc", lazy=lazy) as again:
            xr.testing.assert_equal(again.load(), tree)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("classification", {"output": (DIMS, np.ones((12, 20, 4)))}, r"expected \(example, unit\)"),
        (
            "regression",
            {"target": (DIMS, np.ones((12, 20, 4)))},
            "'target' is missing or has other",
        ),
        (
            "sequence",
            dict.fromkeys(("output", "target"), (DIMS, np.ones((12, 19, 4)))),
            "one output for each of `steps`",
        ),
        ("sequence", {"output": (DIMS[::2], np.ones((12, 4)))}, r"\(example, time, unit\)"),
        ("sequence", {"output": (DIMS, np.ones((12, 20, 4), int))}, "'output' has the wrong type"),
        ("reconstruction", {}, "'reconstruction' is missing"),
        ("dreaming", {}, "task does not fit; expected .reconstruction"),
    ],
)
def test_damaged_outputs_are_refused(
    task: str, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    tree = of_task(task if task in TASKS else "regression")
    tree.attrs["task"] = task
    tree.dataset = tree.to_dataset(inherit=False).assign(changes)
    write_result(tree, tmp_path / "r.nc")
    with pytest.raises(ResultError, match=message):
        open_result(tmp_path / "r.nc")


def test_a_version_that_is_several_numbers() -> None:
    tree = example_result()
    tree.attrs["schema_version"] = np.ones(3)
    with pytest.raises(ResultError, match="expected schema_version 1 or 2; found"):
        check_result(tree)


def test_missing_parts_are_named() -> None:
    for name in ("dt_ms", "steps", "target"):
        tree = example_result()
        del tree.attrs[name]
        with pytest.raises(ResultError, match=f"the key '{name}' is missing"):
            check_result(tree)
    for name in ("spike_count", "spike_time_ms"):
        tree = example_result()
        latent = tree["layers/latent"]
        assert isinstance(latent, xr.DataTree)
        latent.dataset = latent.to_dataset(inherit=False).drop_vars(name)
        with pytest.raises(ResultError, match=f"layer 'latent': '{name}' is missing"):
            check_result(tree)
    bare = xr.DataTree.from_dict({"/": example_result().to_dataset()})
    with pytest.raises(ResultError, match="no layers"):
        check_result(bare)
    root = example_result().to_dataset().drop_vars("input")
    with pytest.raises(ResultError, match="'input' is missing"):
        check_result(xr.DataTree(root))


def test_what_cannot_be_read_again_is_not_written(tmp_path: Path) -> None:
    tree = example_result()
    path = tmp_path / "r.nc"
    write_result(tree, path)
    content = path.read_bytes()
    with pytest.raises(ResultError, match="the shape does not fit the neurons"):
        write_result(tree.isel(neuron=slice(0, 2), missing_dims="ignore"), path, overwrite=True)
    for wrong in (3, xr.Dataset()):
        with pytest.raises(ResultError, match="the result does not fit; expected DataTree"):
            write_result(wrong, path, overwrite=True)  # type: ignore[arg-type]
    assert path.read_bytes() == content
