"""Lazy reading of arrays in ``.npy`` and ``.npz`` files, which hold no Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from bioae.datasets.checks import FileArray
from bioae.errors import DataError

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in an ``.npz`` file, or raise DataError."""
    # NumPy leaves a damaged archive that it opens itself open.
    with _readable(path), path.open("rb") as file, np.load(file) as archive:
        return list(archive.files)


@dataclass(frozen=True, eq=False)
class ZippedArray(FileArray):
    """An array in an ``.npz`` file, of which the header is read; `numpy.asarray` reads the rest."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, path: Path, name: str) -> ZippedArray:
        """Return an array as its header declares it, or raise DataError."""
        with _readable(path), np.load(path) as archive, archive.zip.open(f"{name}.npy") as file:
            shape, _, dtype = _HEADERS[npy.read_magic(file)](file)  # type: ignore[no-untyped-call]
        return cls(path, name, shape, dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the array, or raise DataError."""
        with _readable(self.path), np.load(self.path) as archive:
            values: NDArray[Any] = archive[self.name]
        return values if dtype is None else values.astype(dtype)


def read_array(path: Path) -> NDArray[Any]:
    """Read the array of an ``.npy`` file, or raise DataError."""
    with _readable(path):
        return np.asarray(np.load(path))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError("there is no such file", where=str(path)) from None
    except Exception as error:  # damaged files raise many kinds
        raise DataError(
            "the file cannot be read as NumPy arrays", where=str(path),
            expected="an .npy or .npz file without Python objects", found=str(error),
        ) from error  # fmt: skip
