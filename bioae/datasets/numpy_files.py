"""Lazy reading of arrays in ``.npy`` and ``.npz`` files.

The shape of an array in an archive is known before the array is inflated.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from bioae.datasets.checks import FileArray
from bioae.errors import DataError
from bioae.inputs import DAMAGED, member_of, open_archive, open_input

_SUFFIX = ".npy"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in an ``.npz`` file, or raise DataError."""
    try:
        with open_archive(path) as archive:
            return [name.removesuffix(_SUFFIX) for name in archive.namelist()]
    except (*DAMAGED, OSError) as error:
        raise _unreadable(path, error) from error


@dataclass(frozen=True, eq=False)
class ZippedArray(FileArray):
    """An array in an ``.npz`` file, of which the header is read; `numpy.asarray` reads the rest."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, path: Path, name: str) -> ZippedArray:
        """Return an array as its header declares it, or raise DataError.

        It raises if it cannot be read, holds Python objects, or has not the declared size.
        """
        with _member(path, name) as (file, size):
            return cls(path, name, *_declared(file, size))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the array, or raise DataError."""
        with _member(self.path, self.name) as (file, size):
            values = _read(file, size)
        return values if dtype is None else values.astype(dtype)


def read_array(path: Path) -> NDArray[Any]:
    """Read the array of an ``.npy`` file; raises as `ZippedArray.of`."""
    try:
        with open_input(path) as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    except Exception as error:
        raise _unreadable(path, error) from error


@contextmanager
def _member(path: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """Open an array of an ``.npz`` file, and tell its size."""
    try:
        with open_archive(path) as archive:
            member = member_of(archive, f"{name}{_SUFFIX}")
            with archive.open(member) as file:
                yield file, member.file_size
    except Exception as error:
        raise _unreadable(path, error) from error


def _read(file: IO[bytes], size: int) -> NDArray[Any]:
    _declared(file, size)
    file.seek(0)
    array: NDArray[Any] = npy.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
    return array


def _declared(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read a header, and return the shape and the type."""
    version = npy.read_magic(file)  # type: ignore[no-untyped-call]
    if version not in _HEADERS:
        raise ValueError(f"the version {version} of the format is not read")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers by Python 2
        shape, _, dtype = _HEADERS[version](file)  # type: ignore[no-untyped-call]
    declared = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or declared != size:
        kind = "Python objects" if dtype.hasobject else f"{declared} bytes declared, {size} present"
        raise ValueError(kind)
    return shape, dtype


def _unreadable(path: Path, error: Exception) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError("there is no such file", where=str(path))
    return DataError(
        "the file cannot be read as NumPy arrays", where=str(path),
        expected="an .npy or .npz file without Python objects", found=str(error),
    )  # fmt: skip
