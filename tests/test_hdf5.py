"""HDF5 files from strangers: nothing but the file is read, and no more than it holds."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bioae.analysis import example_result, open_result
from bioae.errors import ResultError
from bioae.hdf5 import check_hdf5
from bioae.simulation.results.netcdf import write_result

Change = Callable[[h5py.File], object]


def replaced(**options: Any) -> Change:
    """Replace the variable `input` by another of the same shape."""

    def change(file: h5py.File) -> None:
        shape, dtype = file["input"].shape, file["input"].dtype
        del file["input"]
        file.create_dataset("input", **{"shape": shape, "dtype": dtype, **options})

    return change


def virtual(file: h5py.File) -> None:
    """Let `input` be that of another file."""
    layout = h5py.VirtualLayout(file["input"].shape, "f8")
    layout[...] = h5py.VirtualSource("secret", "input", file["input"].shape)
    del file["input"]
    file.create_virtual_dataset("input", layout)


def linked(link: object) -> Change:
    def change(file: h5py.File) -> None:
        del file["input"]
        file["input"] = link

    return change


def compressed_too_much(file: h5py.File) -> None:
    """Declare blocks of 8 MB, and store a few bytes for each."""
    options: dict[str, Any] = {"chunks": (1, 1000, 1000), "compression": "gzip"}
    made = file.create_dataset("more", (12, 1000, 1000), "f8", **options)
    for example in range(12):
        made.id.write_direct_chunk((example, 0, 0), zlib.compress(b"\0"))


def missing_block(file: h5py.File) -> None:
    replaced(chunks=(1, 12, 12))(file)
    file["input"][:11] = 0


def texts(file: h5py.File) -> None:
    file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())


#: The change of each kind, and the object that the refusal names.
CASES: dict[str, tuple[Change, str]] = {
    "external storage": (replaced(external=[("secret", 0, h5py.h5f.UNLIMITED)]), "/input"),
    "a virtual array": (virtual, "/input"),
    "an external link": (linked(h5py.ExternalLink("secret", "/input")), "/input"),
    "a soft link": (linked(h5py.SoftLink("/reconstruction")), "/input"),
    "a second name": (linked("again"), "/input"),
    "a missing block": (missing_block, "/input"),
    "compressed too much": (compressed_too_much, "/more"),
    "another filter": (replaced(compression="lzf"), "/input"),
    "text of variable length": (texts, "/names"),
    "named types": (lambda file: file.__setitem__("t", np.dtype("f8")), "/t"),
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A result as a stranger could have written it, next to a pipe that nobody writes to."""
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    os.mkfifo(tmp_path / "secret")  # whoever opens it waits for ever
    return path


@pytest.mark.medium
@pytest.mark.parametrize("case", CASES)
def test_what_no_result_needs_is_refused(case: str, path: Path) -> None:
    change, name = CASES[case]
    check_hdf5(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ValueError, match=f"^{name} "):
        check_hdf5(path)
    with pytest.raises(ResultError) as caught:
        open_result(path, lazy=True)
    assert (caught.value.where, caught.value.found[: len(name)]) == (str(path), name)


def test_texts_may_be_allowed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "texts.h5", "w") as file:
        texts(file)
    check_hdf5(tmp_path / "texts.h5", texts=True)
