"""Hash of a data set, by which an interrupted run continues with the same examples only."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.events import Addresses
from bioae.datasets.loading import Data
from bioae.datasets.stored import StoredArray

__all__ = ["data_sha256"]

#: Numbers that are hashed at a time.
_BLOCK = 2**22

#: Fields that say where examples come from: a copy elsewhere has the same hash.
_SOURCE = ("name", "split")


def data_sha256(data: Data) -> str:
    """Return a hash of examples: their values, as they are stored, labels, targets and numbers.

    Arrays in files are read in parts.

    Parameters
    ----------
    data
        Images, signals or events.

    Raises
    ------
    DataError
        If a file can no longer be read, or has changed.
    """
    hashed = hashlib.sha256()
    _add(hashed, data)
    return hashed.hexdigest()


def _add(hashed: hashlib._Hash, part: Data | Addresses) -> None:
    for field in fields(part):
        value = getattr(part, field.name)
        if field.name in _SOURCE:
            continue
        if isinstance(value, Addresses):
            _add(hashed, value)
        elif isinstance(value, np.ndarray | StoredArray):
            _add_array(hashed, field.name, value)
        else:
            hashed.update(f"{field.name} {value}".encode())


def _add_array(hashed: hashlib._Hash, name: str, values: NDArray[Any] | StoredArray) -> None:
    hashed.update(f"{name} {values.dtype} {values.shape}".encode())
    rows = max(1, _BLOCK * len(values) // max(1, int(np.prod(values.shape))))
    for start in range(0, len(values), rows):
        hashed.update(np.ascontiguousarray(values[start : start + rows]).tobytes())
