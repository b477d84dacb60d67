"""Where in a result the spikes of each example stand.

A result is sorted by example, so that an example's spikes are one run of them; once examples were
selected or reordered, the runs are still there, in another order, and among others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

__all__ = ["Runs", "find_run", "find_runs", "read_runs"]


class Runs(NamedTuple):
    """Stretches of spikes of one example, in the order of the examples, (run,)."""

    position: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


def find_run(data: xr.Dataset, example: int) -> Runs:
    """Find the spikes of one example by its value, with few reads where the values ascend."""
    variable = data["spike_example"].variable

    def at(index: int) -> int:
        return int(variable[index])

    places = range(variable.size)
    begin = bisect_left(places, example, key=at)
    end = bisect_right(places, example, lo=begin, key=at)
    if begin < end and at(begin) == at(end - 1) == example:
        return Runs(*(np.array([value]) for value in (0, begin, end)))
    # The values do not ascend, or the example is silent.
    return find_runs(data.sel(example=[example]))


def find_runs(data: xr.Dataset, size: int = 2**22) -> Runs:
    """Find where the spikes of each example stand, reading `spike_example` by blocks.

    The counts would tell it too, but not of which examples the spikes are once some were selected
    or reordered.
    """
    variable = data["spike_example"].variable
    begins, values = [], []
    last: int | None = None
    for begin in range(0, variable.size, size):
        value = variable[begin : begin + size].to_numpy()
        new = np.flatnonzero(value[1:] != value[:-1]) + 1
        if value[0] != last:
            new = np.append(0, new)
        begins.append(new + begin)
        values.append(value[new])
        last = value[-1]
    if not begins:
        return Runs(*(np.zeros(0, np.int64) for _ in Runs._fields))
    starts = np.concatenate(begins)
    end = np.append(starts[1:], variable.size)
    position = data.indexes["example"].get_indexer(np.concatenate(values)).astype(np.int64)
    order = np.argsort(position, kind="stable")
    order = order[np.searchsorted(position[order], 0) :]
    return Runs(position[order], starts[order], end[order])


def read_runs(array: xr.DataArray, runs: Runs) -> NDArray[Any]:
    """Read the runs one after the other; those that adjoin in the file in one go."""
    apart = np.append(True, runs.begin[1:] != runs.end[:-1])[: runs.begin.size]
    first = np.flatnonzero(apart)
    last = np.append(first[1:], runs.begin.size) - 1
    pairs = zip(runs.begin[first], runs.end[last] if first.size else [], strict=True)
    variable = array.variable
    parts = [variable[int(begin) : int(end)].to_numpy() for begin, end in pairs]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, array.dtype)
