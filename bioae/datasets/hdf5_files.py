"""Arrays in HDF5 files: checked when they are found, and read in the parts that are used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from bioae.errors import DataError
from bioae.hdf5 import check_hdf5


@dataclass(frozen=True, eq=False)
class StoredArray:
    """Some rows of an array in an HDF5 file; `numpy.asarray` reads them.

    The file is opened for each reading.

    Parameters
    ----------
    path
        The file.
    name
        The name of the array.
    stored
        Its shape in the file.
    dtype
        Its type.
    rows
        The rows that are selected.
    shape
        The shape of the selected rows.
    piece
        The number of rows that are stored, and inflated, together.
    """

    path: Path
    name: str
    stored: tuple[int, ...]
    dtype: np.dtype[Any]
    rows: NDArray[np.int64] = field(repr=False)
    shape: tuple[int, ...]
    piece: int = 1

    @classmethod
    def of(cls, path: Path, name: str) -> StoredArray:
        """Return all rows of an array, or raise DataError."""
        with _opened(path, check=True) as file:
            found = _array(file, name, path)
            shape, dtype, (piece, *_) = found.shape, found.dtype, found.chunks or (1,)
        return cls(path, name, shape, dtype, np.arange(shape[0] if shape else 1), shape, piece)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> StoredArray:
        """Select rows; nothing is read."""
        rows = self.rows[key]
        return replace(self, rows=rows, shape=(len(rows), *self.shape[1:]))

    def with_channel(self) -> StoredArray:
        """Return the array with a last axis of length 1."""
        return replace(self, shape=(*self.shape, 1))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the selected rows, or raise DataError if the file has another array."""
        with _opened(self.path) as file:
            values = _read(self._found(file), self.rows)
        values = values.reshape(self.shape)
        return values if dtype is None else values.astype(dtype)

    def _found(self, file: h5py.File) -> h5py.Dataset:
        """Return the array, if it is still the same."""
        found = _array(file, self.name, self.path)
        if found.shape != self.stored or found.dtype != self.dtype:
            what, hint = "the file has changed since it was loaded", "Load it again"
            raise DataError(what, where=str(self.path), hint=hint)
        return found


def stored_names(path: Path) -> list[str]:
    """Return the names of an HDF5 file's arrays that are in no group, or raise DataError."""
    with _opened(path, check=True) as file:
        return [name for name, item in file.items() if isinstance(item, h5py.Dataset)]


@contextmanager
def _opened(path: Path, *, check: bool = False) -> Iterator[h5py.File]:
    if not path.is_file():
        raise DataError("there is no such file", where=str(path))
    try:
        if check:
            check_hdf5(path)
        with h5py.File(path) as file:
            yield file
    except DataError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(
            "the file cannot be read as HDF5", where=str(path),
            expected="an HDF5 file of arrays of numbers",
            found=str(error),
        ) from error  # fmt: skip


def _array(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset) or found.shape is None:
        raise DataError(f"there is no array {name!r} in the file", where=str(path))
    return found


def _read(array: h5py.Dataset, rows: NDArray[np.int64]) -> NDArray[Any]:
    if not array.shape:
        return np.asarray(array[()])
    if not rows.size:
        return np.empty((0, *array.shape[1:]), array.dtype)
    if (np.diff(rows) == 1).all():
        return np.asarray(array[rows[0] : rows[-1] + 1])
    # The library reads rows in ascending order, each once.
    ordered, places = np.unique(rows, return_inverse=True)
    return np.asarray(array[ordered])[places]
