"""Hash of data, so that an interrupted run continues only with the same examples."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from bioae.datasets.data import Data
from bioae.datasets.events import Addresses

#: Numbers that are hashed at a time.
_BLOCK = 2**22


def data_sha256(data: Data) -> str:
    """Return a hash of examples: their values, as they are stored, labels, targets and indices.

    Name and split are not part of it: a copy elsewhere has the same hash. Arrays in files are read
    in parts.
    """
    hashed = hashlib.sha256()
    if isinstance(data.values, Addresses):
        names = ("counts", "time", "channel", "channels", "unit")
        parts: list[tuple[str, Any]] = [(name, getattr(data.values, name)) for name in names]
    else:
        parts = [("pixels" if data.kind == "images" else "values", data.values)]
    parts += [("labels", data.labels), ("indices", data.indices), ("targets", data.targets)]
    for name, value in parts:
        if not hasattr(value, "dtype"):
            hashed.update(f"{name} {value}".encode())
            continue
        hashed.update(f"{name} {value.dtype} {value.shape}".encode())
        rows = max(1, _BLOCK * len(value) // max(1, int(np.prod(value.shape))))
        for start in range(0, len(value), rows):
            hashed.update(np.ascontiguousarray(value[start : start + rows]).tobytes())
    return hashed.hexdigest()
