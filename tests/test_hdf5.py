"""HDF5 files from strangers: nothing but the file is read, and no more than it holds."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import pytest
from hdf5_changes import cases
from refusals import refused

from bioae.analysis import example_result, open_result
from bioae.datasets import load
from bioae.errors import DataError, ResultError
from bioae.hdf5 import check_hdf5
from bioae.simulation.results.netcdf import write_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A result as a stranger could have written it, next to a pipe that nobody writes to."""
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    os.mkfifo(tmp_path / "secret")  # whoever opens it waits for ever
    return path


@pytest.mark.medium
@pytest.mark.parametrize("case", cases())
def test_what_no_result_needs_is_refused(case: str, path: Path) -> None:
    change, name = cases()[case]
    check_hdf5(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=f"^{name} "):
        check_hdf5(path)
    with pytest.raises(ResultError) as caught:
        open_result(path, lazy=True)
    assert (caught.value.where, caught.value.found[: len(name)]) == (str(path), name)


def test_texts_are_bounded_by_the_file(tmp_path: Path) -> None:
    path = tmp_path / "texts.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("names", data=["a", "b" * 99], dtype=h5py.string_dtype())
    check_hdf5(path, texts=True)
    with pytest.raises(ValueError, match="/names holds no numbers"):
        check_hdf5(path)
    # Every text is the same one, stored once.
    with h5py.File(path, "r+") as file:
        file.create_dataset("again", (999,), h5py.string_dtype())
        file["again"][0] = "b" * 9999
        place = file["again"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 16 * 999] = bytes(content[place : place + 16]) * 999
    path.write_bytes(content)
    with pytest.raises(ValueError, match="/again holds more text than the file"):
        check_hdf5(path, texts=True)


def test_images_are_checked(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = h5py.ExternalLink("secret", "/images")
    os.mkfifo(tmp_path / "secret")
    with refused(DataError):
        load(tmp_path / "a.h5")
