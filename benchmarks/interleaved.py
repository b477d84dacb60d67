"""Interleaved timing: pieces of work take turns, so that other load on the machine affects all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """Median and range of several runs.

    Attributes
    ----------
    what, unit
        The quantity and its unit.
    median, lowest, highest
        Over the runs.
    runs
        The number of runs.
    """

    what: str
    unit: str
    median: float
    lowest: float
    highest: float
    runs: int


def summary_row(what: str, values: Iterable[float], *, unit: str = "s") -> Row:
    """Return the median and the range of values."""
    values = list(values)
    return Row(what, unit, statistics.median(values), min(values), max(values), len(values))


def spread(row: Mapping[str, Any]) -> str:
    """Return the median and the range in a stored row, as text."""
    return f"{row['median']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"


def interleaved(
    works: Mapping[str, Callable[[], object]],
    *,
    runs: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time each piece of work once per round, after a round that does not count.

    Parameters
    ----------
    works
        Pieces of work by name.
    runs
        Number of rounds that count. Every second round runs in reverse order.
    clock
        Returns the time in seconds.

    Returns
    -------
    dict
        The seconds of each round, by name.
    """
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for round_number in range(runs):
        names = list(works)
        for name in names if round_number % 2 == 0 else reversed(names):
            start = clock()
            works[name]()
            times[name].append(clock() - start)
    return times


def summarised(
    times: Mapping[str, list[float]], *, unit: str = "s", per: float = 1.0
) -> dict[str, Row]:
    """Return the median and the range for each name.

    Parameters
    ----------
    times
        Seconds, see `interleaved`.
    unit, per
        The unit of the figures, and the number by which seconds are divided.
    """
    return {
        name: summary_row(name, [each / per for each in seconds], unit=unit)
        for name, seconds in times.items()
    }
