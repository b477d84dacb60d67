"""Files and trees that are no results are refused by name; those of other programs are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae import analysis
from bioae.errors import ResultError
from bioae.simulation import check_result, write_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "r.nc"
    write_result(analysis.example_result(), path)
    return path


@pytest.mark.parametrize("kept", [0.0, 0.003, 0.1, 0.9, 0.999])
def test_a_truncated_file_is_refused(path: Path, kept: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with refused(ResultError, where=path):
        analysis.open_result(path)


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nc").write_text("spikes, neurons\n" * 100)
    for path in (tmp_path / "text.nc", tmp_path / "none.nc", tmp_path):
        with refused(ResultError, where=path, expected="the result of a simulation"):
            analysis.open_result(path)
    xr.Dataset({"a": ("x", np.arange(3))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    everything = (
        "attributes schema_version, dt_ms, steps, target, seed, neuron_model, network_sha256; "
        "coordinates example; variables input, reconstruction; groups layers/NAME"
    )
    with refused(ResultError, where=tmp_path / "a.nc", expected=everything):
        analysis.open_result(tmp_path / "a.nc")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["weights"] = np.arange(3)
    with refused(ResultError):
        analysis.open_result(tmp_path / "b.h5")


def test_what_is_no_result_is_not_written(path: Path) -> None:
    tree, content = analysis.example_result(), path.read_bytes()
    for wrong, fields in (
        (xr.DataTree(), {}),
        (tree["layers"], {}),
        (tree.isel(example=3), {"where": "result"}),
        (tree.isel(example=[3, 3]), {"where": "result"}),
        (tree.isel(neuron=slice(0, 2), missing_dims="ignore"), {"expected": "2 neurons"}),
        (3, {"expected": "DataTree"}),
        (xr.Dataset(), {"expected": "DataTree"}),
    ):
        for place in (path, path.with_name("new.nc")):
            with refused(ResultError, **fields):
                write_result(wrong, place, overwrite=True)  # type: ignore[arg-type]
    assert [each.read_bytes() for each in path.parent.iterdir()] == [content]


def test_a_result_in_another_tree_is_written_like_one_alone(tmp_path: Path) -> None:
    one, other = analysis.example_result(), analysis.example_result()
    sweep = xr.DataTree(children={"slow": one})  # of other dimensions, or none
    # Of the same examples, whose coordinate it inherits.
    other["variant"] = analysis.example_result()
    for number, tree in enumerate((sweep["slow"], other["variant"])):
        write_result(tree, tmp_path / f"{number}.nc")
        assert analysis.open_result(tmp_path / f"{number}.nc").identical(analysis.example_result())


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    tree = analysis.example_result()
    assert tree.attrs["schema_version"] == analysis.SCHEMA_VERSION
    tree.attrs["schema_version"] = 1
    del tree.attrs["task"]
    write_result(tree, tmp_path / "old.nc")
    old = analysis.open_result(tmp_path / "old.nc")
    xr.testing.assert_equal(old, analysis.example_result())
    assert float(analysis.sum_squared_error(old).mean()) > 0


TASKS = {
    "classification": {"output": (12, 4)},
    "regression": {"output": (12, 4), "target": (12, 4)},
    "sequence": {"output": (12, 20, 4), "target": (12, 20, 4)},
}
DIMS = ("example", "time", "unit")


def of_task(task: str) -> xr.DataTree:
    tree = analysis.example_result()
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
        with analysis.open_result(tmp_path / "r.nc", lazy=lazy) as again:
            xr.testing.assert_equal(again.load(), tree)


ONES = np.ones((12, 20, 4))
VERSIONS = "schema_version 1 or 2"


@pytest.mark.parametrize(
    ("task", "changes", "fields"),
    [
        ("classification", {"output": (DIMS, ONES)}, {"expected": "(example, unit)"}),
        ("regression", {"target": (DIMS, ONES)}, {"found": "('example', 'time', 'unit')"}),
        ("sequence", dict.fromkeys(("output", "target"), (DIMS, ONES[:, :19])), {"found": None}),
        ("sequence", {"output": (DIMS[::2], ONES[:, 0])}, {"expected": "(example, time, unit)"}),
        ("sequence", {"output": (DIMS, ONES.astype(int))}, {"found": "int64"}),
        ("reconstruction", {}, {"expected": "variables reconstruction"}),
    ],
)
def test_damaged_outputs_are_not_written(
    task: str, changes: dict[str, Any], fields: dict[str, Any], tmp_path: Path
) -> None:
    tree = of_task("regression" if task == "reconstruction" else task)
    tree.attrs["task"] = task
    tree.dataset = tree.to_dataset(inherit=False).assign(changes)
    with refused(ResultError, **({"where": "result"} | fields)):
        write_result(tree, tmp_path / "r.nc")
    assert [*tmp_path.iterdir()] == []


def _without(tree: xr.DataTree, path: str, name: str) -> xr.DataTree:
    node = tree[path]
    assert isinstance(node, xr.DataTree)
    node.dataset = node.to_dataset(inherit=False).drop_vars(name)
    return tree


def _with(tree: xr.DataTree, **attrs: Any) -> xr.DataTree:
    tree.attrs = {key: each for key, each in (tree.attrs | attrs).items() if each is not None}
    return tree


ATTRIBUTES = {"where": "result, attributes"}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (lambda tree: _with(tree, schema_version=3, seed=None), {"expected": VERSIONS}),
        (lambda tree: _with(tree, task="dreaming"), {"found": "'dreaming'", **ATTRIBUTES}),
        (lambda tree: _with(tree, schema_version=np.ones(3)), {"expected": VERSIONS}),
        (lambda tree: _with(tree, dt_ms="x"), {"found": "'x'", **ATTRIBUTES}),
        (lambda tree: _without(_with(tree, dt_ms=None, seed=None), "/", "input"),
         {"expected": "attributes dt_ms, seed; variables input"}),
        (lambda tree: _without(tree, "layers/latent", "spike_count"),
         {"expected": "variables layers/latent/spike_count"}),
        (lambda tree: xr.DataTree(tree.to_dataset()), {"expected": "groups layers/NAME"}),
    ],
)  # fmt: skip
def test_missing_and_wrong_parts_are_named(change: Any, fields: dict[str, Any]) -> None:
    with refused(ResultError, **({"where": "result"} | fields)):
        check_result(change(analysis.example_result()))


@pytest.mark.parametrize("lazy", [False, True])
def test_axes_without_names(path: Path, lazy: bool) -> None:
    with h5py.File(path, "r+") as file:
        del file["input"]
        file["input"], file["more"] = np.zeros((12, 12, 12)), np.zeros(2)
    with refused(ResultError, where=path):
        analysis.open_result(path, lazy=lazy)


def test_changed_times_are_written_as_they_are(path: Path, tmp_path: Path) -> None:
    tree = analysis.open_result(path)
    times = tree["layers/latent/spike_time_ms"]
    assert times.size
    times.values[:] += 300.4
    expected = times.to_numpy().copy()
    tree.to_netcdf(tmp_path / "changed.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "changed.nc", engine="h5netcdf", decode_times=False) as back:
        np.testing.assert_array_equal(back["layers/latent/spike_time_ms"], expected)


def test_a_file_that_xarray_wrote_is_read(path: Path) -> None:
    tree = analysis.example_result()
    plain = {"zlib": True, "shuffle": False, "chunksizes": (5, 12, 12)}
    encoding = {"/": {"input": {"zlib": True}, "reconstruction": plain}}
    other = path.with_name("other.nc")
    tree.to_netcdf(other, engine="h5netcdf", encoding=encoding)
    xr.testing.assert_identical(analysis.open_result(other), tree)


@pytest.mark.medium
@pytest.mark.parametrize("name", ["more", "layers/latent/more", "a/b/more"])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_result_may_have_more_variables(name: str, lazy: bool, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file[name] = 3.0
    with analysis.open_result(path, lazy=lazy) as tree:
        assert tree["layers/latent/spike_count"].equals(
            analysis.example_result()["layers/latent/spike_count"]
        )


@pytest.mark.parametrize("name", ["example", "input"])
def test_numbers_of_another_kind_are_refused(name: str, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file[name].attrs["scale_factor"] = "text"
    with pytest.raises(ResultError):
        analysis.open_result(path)


def test_examples_are_different(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["example"][1] = file["example"][0]
    with refused(ResultError, "example", where=path):
        analysis.open_result(path)
