"""Results that other programs wrote."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from refusals import refused

from bioae.analysis import example_result, open_result
from bioae.errors import ResultError
from bioae.simulation.results.netcdf import write_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    return path


@pytest.mark.parametrize("lazy", [False, True])
def test_axes_without_names(path: Path, lazy: bool) -> None:
    with h5py.File(path, "r+") as file:
        del file["input"]
        file["input"], file["more"] = np.zeros((12, 12, 12)), np.zeros(2)
    with refused(ResultError, where=path):
        open_result(path, lazy=lazy)


def test_a_file_that_xarray_wrote_is_read(path: Path) -> None:
    tree = example_result()
    plain = {"zlib": True, "shuffle": False, "chunksizes": (5, 12, 12)}
    encoding = {"/": {"input": {"zlib": True}, "reconstruction": plain}}
    other = path.with_name("other.nc")
    tree.to_netcdf(other, engine="h5netcdf", encoding=encoding)
    xr.testing.assert_identical(open_result(other), tree)


@pytest.mark.medium
@pytest.mark.parametrize("name", ["more", "layers/latent/more", "a/b/more"])
@pytest.mark.parametrize("lazy", [False, True])
def test_a_result_may_have_more_variables(name: str, lazy: bool, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file[name] = 3.0
    with open_result(path, lazy=lazy) as tree:
        assert tree["layers/latent/spike_count"].equals(
            example_result()["layers/latent/spike_count"]
        )


@pytest.mark.parametrize("name", ["example", "input"])
def test_numbers_of_another_kind_are_refused(name: str, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file[name].attrs["scale_factor"] = "text"
    with pytest.raises(ResultError):
        open_result(path)


def test_examples_are_different(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["example"][1] = file["example"][0]
    with refused(ResultError, "example", where=path):
        open_result(path)
