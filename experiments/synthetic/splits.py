"""The splits of a generator, whose examples come from different streams of random numbers."""

from __future__ import annotations

from typing import get_args

from bioae.checks import one_of
from bioae.datasets.store import Split
from bioae.errors import DataError

__all__ = ["check_split"]

_SPLITS: tuple[str, ...] = get_args(Split)


def check_split(split: Split) -> Split:
    """Return the name of a split.

    Raises
    ------
    DataError
        If there is no such split.
    """
    one_of(split, "split", _SPLITS, error=DataError)
    return split
