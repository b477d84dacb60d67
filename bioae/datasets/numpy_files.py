"""Arrays in ``.npy`` and ``.npz`` files, which hold no Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.errors import DataError


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in an ``.npz`` file, or raise DataError."""
    # NumPy leaves a damaged archive that it opens itself open.
    with _readable(path), path.open("rb") as file, np.load(file) as archive:
        return list(archive.files)


def read_array(path: Path, name: str | None = None) -> NDArray[Any]:
    """Read the array of an ``.npy`` file, or one of an ``.npz`` file, or raise DataError."""
    with _readable(path):
        return np.asarray(np.load(path) if name is None else np.load(path)[name])


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
