"""The splits of a generator, whose examples come from different streams of random numbers."""

from __future__ import annotations

from typing import get_args

from bioae.checks import one_of
from bioae.datasets.store import Split
from bioae.errors import DataError

__all__ = ["place_of"]

_SPLITS: tuple[str, ...] = get_args(Split)


def place_of(split: str) -> int:
    """Return the place of a split, 0 or 1, which is added to the number of a stream.

    Raises
    ------
    DataError
        If there is no such split.
    """
    one_of(split, "split", _SPLITS, error=DataError)
    return _SPLITS.index(split)
