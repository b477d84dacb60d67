"""Run pieces of work in turns, so that what else a machine does meets all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from benchmarks.timing import Row

__all__ = ["summarised", "turns"]


def turns(
    works: Mapping[str, Callable[[], object]],
    *,
    runs: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time each piece of work once a round, after a round that does not count.

    Parameters
    ----------
    works
        What to run, by name.
    runs
        How many rounds count. Every other round goes backwards: nobody always comes first.
    clock
        What tells the time in seconds.

    Returns
    -------
    dict
        The seconds of each round, by name.
    """
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(runs):
        names = list(works)
        for name in names if turn % 2 == 0 else reversed(names):
            start = clock()
            works[name]()
            times[name].append(clock() - start)
    return times


def summarised(
    times: Mapping[str, list[float]], *, unit: str = "s", per: float = 1.0
) -> dict[str, Row]:
    """Return a row for each name: median, fastest and slowest.

    Parameters
    ----------
    times
        Seconds, see `turns`.
    unit, per
        The unit of the figures, and what a second is divided by to give it.
    """
    rows = {}
    for name, seconds in times.items():
        values = [each / per for each in seconds]
        middle = statistics.median(values)
        rows[name] = Row(name, unit, middle, min(values), max(values), len(values))
    return rows
