"""Files and trees that are no results are refused by name."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bioae.analysis import SCHEMA_VERSION, check_result, example_result, open_result
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
    with pytest.raises(ResultError, match=f"expected schema_version {SCHEMA_VERSION}; found"):
        check_result(tree)


def test_a_version_that_is_several_numbers() -> None:
    tree = example_result()
    tree.attrs["schema_version"] = np.ones(3)
    with pytest.raises(ResultError, match="expected schema_version 1; found"):
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
