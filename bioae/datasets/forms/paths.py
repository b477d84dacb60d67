"""Names of data sets, and paths of folders and files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.catalogue import DATA_SETS, unknown_data_set
from bioae.datasets.data import Data, Split
from bioae.datasets.forms.array_files import ARRAY_FILES, holds_data_set, load_arrays
from bioae.datasets.forms.pictures import has_pictures, load_pictures
from bioae.datasets.forms.registry import Request, form
from bioae.datasets.idx import read_idx
from bioae.datasets.numpy_files import array_names, read_array
from bioae.datasets.store import fetch, file_names, find_file, indices_name
from bioae.errors import DataError
from bioae.inputs import as_path


@form(
    lambda source: isinstance(source, str | os.PathLike),
    "split", "layout", "white", "sensor", "time_unit",
)  # fmt: skip
def paths(source: Any, request: Request) -> Data:
    """Load a file or a folder, or the data set whose name a path has."""
    path = as_path(source, DataError, "data set")
    file = not path.is_dir()
    if file and path.suffix == ".npy":
        return request.named(str(path)).convert(read_array(path))
    if path.is_file() and path.suffix == ".npz" and not holds_data_set(array_names(path)):
        fields = [name for name in ("t", "x", "y", "p") if name in array_names(path)]
        if {"t", "x"} <= set(fields):  # the recording of an event camera
            events = {name: read_array(path, name) for name in fields}
            return request.named(str(path)).convert(events)
    if file and path.suffix not in ARRAY_FILES:
        return _other(path, request)
    request.refuse("layout", "white", "sensor", "time_unit")
    if file:
        return load_arrays(path, request)
    has_idx = any(find_file(path, split, "images") for split in get_args(Split))
    if not has_idx and has_pictures(path):
        return load_pictures(path, request)
    return _load_idx(path, str(path), request)


@form(lambda source: isinstance(source, str) and source in DATA_SETS, "split")
def names(source: str, request: Request) -> Data:
    """Load a data set by its name."""
    return _load_idx(fetch(source), source, request)


def _other(path: Path, request: Request) -> Data:
    """Load the data set of a name that is given as a path, or reject the path."""
    if path.exists():
        raise DataError(
            "the kind of file is unknown", where=str(path),
            expected="a folder of IDX or PNG files, or an .npz, .npy, .h5 or .hdf5 file",
        )  # fmt: skip
    if str(path) in DATA_SETS:
        return request.convert(str(path))
    expected = f"{', '.join(DATA_SETS)}, a folder, or an .npz, .npy or HDF5 file"
    raise unknown_data_set(str(path), expected)


def _load_idx(folder: Path, name: str, request: Request) -> Data:
    split = request.split or "test"
    path = find_file(folder, split, "images")
    if path is None:
        raise DataError(
            f"there are no images of the split {split}", where=str(folder),
            expected=f"one of {', '.join(file_names(split, 'images'))}, or PNG files",
        )  # fmt: skip
    labels, indices = find_file(folder, split, "labels"), folder / indices_name(split)
    return Data.of_images(
        _bytes(path, 3),
        labels=None if labels is None else _bytes(labels, 1),
        indices=read_idx(indices, ndim=1) if indices.exists() else None,
        name=name,
        split=split,
    )


def _bytes(path: Path, ndim: int) -> NDArray[np.uint8]:
    values = read_idx(path, ndim=ndim)
    if values.dtype != np.uint8:
        raise DataError(
            "the IDX file holds no bytes", where=str(path),
            expected="unsigned bytes (type code 0x08)", found=f"{values.dtype}",
        )  # fmt: skip
    return values
