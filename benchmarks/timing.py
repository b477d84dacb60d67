"""Time a piece of work several times, and say how far the runs lie apart."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Row", "measure"]


@dataclass(frozen=True)
class Row:
    """A figure: the median of several runs, the fastest and the slowest.

    Attributes
    ----------
    what, unit
        What was measured, and in which unit.
    median, lowest, highest
        Over the runs.
    runs
        How many.
    """

    what: str
    unit: str
    median: float
    lowest: float
    highest: float
    runs: int


def measure(
    what: str, work: Callable[[], object], *, unit: str = "s", per: float = 1.0, runs: int = 5
) -> Row:
    """Time `work` after a run that does not count.

    Parameters
    ----------
    what
        What is measured.
    work
        What to run.
    unit, per
        The unit of the figure, and what a second of one run is divided by to give it.
    runs
        How many runs count.
    """
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) / per)
    return Row(what, unit, statistics.median(times), min(times), max(times), runs)
