"""Names of data sets, and paths of folders and files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
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
from bioae.datasets.numpy_files import ZippedArray, array_names, read_array
from bioae.datasets.store import fetch, file_names, find_file, indices_name
from bioae.errors import DataError
from bioae.inputs import check_input

__all__ = ["array_files", "folders", "names", "npy_files", "others", "paths", "recordings"]

_ALL = ("split", "layout", "white", "sensor", "time_unit")


@dataclass(frozen=True)
class _Input:
    """A checked path, which has one of the forms below."""

    path: Path


@form(lambda source: isinstance(source, str | os.PathLike), *_ALL)
def paths(source: Any, request: Request) -> Data:
    """Convert what is at a path."""
    return request.convert(_Input(check_input(source, DataError, "data set")))


@form(lambda source: isinstance(source, str) and source in DATA_SETS, "split")
def names(source: str, request: Request) -> Data:
    """Load a data set by its name."""
    return _load_idx(fetch(source), source, request)


def _file(recognise: Callable[[Path], bool]) -> Callable[[Any], bool]:
    """Recognise a kind of file or folder."""
    return lambda source: isinstance(source, _Input) and recognise(source.path)


@form(_file(lambda _: True), *_ALL)
def others(source: _Input, request: Request) -> Data:
    """Reject other files."""
    path = source.path
    if path.exists():
        raise DataError(
            "the kind of file is unknown",
            where=str(path),
            expected="a folder of IDX or PNG files, or an .npz, .npy, .h5 or .hdf5 file",
        )
    if str(path) in DATA_SETS:
        return names(str(path), request)
    expected = f"{', '.join(DATA_SETS)}, a folder, or an .npz, .npy or HDF5 file"
    raise unknown_data_set(str(path), expected)


@form(_file(Path.is_dir), "split")
def folders(source: _Input, request: Request) -> Data:
    """Load a folder of IDX files under MNIST's names, or of PNG files."""
    path = source.path
    has_idx = any(find_file(path, split, "images") for split in get_args(Split))
    if not has_idx and has_pictures(path):
        return load_pictures(path, request)
    return _load_idx(path, str(path), request)


@form(_file(lambda path: path.suffix == ".npy" and not path.is_dir()), *_ALL)
def npy_files(source: _Input, request: Request) -> Data:
    """Convert the array in an ``.npy`` file."""
    return request.named(str(source.path)).convert(read_array(source.path))


@form(_file(lambda path: path.suffix in ARRAY_FILES and not path.is_dir()), "split")
def array_files(source: _Input, request: Request) -> Data:
    """Load the images, signals or events in a file of named arrays."""
    return load_arrays(source.path, request)


@form(_file(lambda path: path.suffix == ".npz" and path.is_file() and _is_recording(path)), *_ALL)
def recordings(source: _Input, request: Request) -> Data:
    """Convert the recording of an event camera in an ``.npz`` file."""
    path = source.path
    fields = [name for name in ("t", "x", "y", "p") if name in array_names(path)]
    arrays = {name: np.asarray(ZippedArray.of(path, name)) for name in fields}
    return request.named(str(path)).convert(arrays)


def _is_recording(path: Path) -> bool:
    names = set(array_names(path))
    return {"t", "x"} <= names and not holds_data_set(names)


def _load_idx(folder: Path, name: str, request: Request) -> Data:
    split = request.split or "test"
    path = find_file(folder, split, "images")
    if path is None:
        raise DataError(
            f"there are no images of the split {split}",
            where=str(folder),
            expected=f"one of {', '.join(file_names(split, 'images'))}, or PNG files",
        )
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
            "the IDX file holds no bytes",
            where=str(path),
            expected="unsigned bytes (type code 0x08)",
            found=f"{values.dtype}",
        )
    return values
