"""What ISI- and SPIKE-distance share: each train's interval around every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Intervals", "Span", "intervals_of", "spikes_around", "sum_over_intervals"]

Steps = NDArray[np.int64]

# How many trains, and how many numbers in all, are at hand at once.
_COLUMNS = 1024
_NUMBERS = 8_000_000


class Intervals(NamedTuple):
    """The interval in which each step of each train lies, in steps; arrays are (train, time).

    A presentation of T steps is the time from 0 to T, and a spike of step n is at n. Between n and
    n + 1 nothing happens in any train.

    Attributes
    ----------
    before, after
        The spikes on either side of the middle of the step. At an edge, where there is none on
        one side, the one on the other side is both.
    length
        The interval's length. At an edge it is the time to the edge, or the next interval if that
        is longer. A train without spikes has one at each edge, 0 and T; a train of a single spike
        at 0 has one at T too until then.
    """

    before: Steps
    after: Steps
    length: Steps


class Span(NamedTuple):
    """An interval between spikes, of whichever trains.

    Attributes
    ----------
    start, stop
        It holds the steps ``start:stop``.
    before, after, length
        As in `Intervals`.
    """

    start: int
    stop: int
    before: int
    after: int
    length: int


def spikes_around(raster: NDArray[np.bool_]) -> tuple[Steps, Steps]:
    """Return the last spike at or before each step and the first after it; -1 and T for none."""
    total = raster.shape[1]
    step = np.arange(total)
    before = np.maximum.accumulate(np.where(raster, step, -1), axis=1)
    at_or_after = np.minimum.accumulate(np.where(raster, step, total)[:, ::-1], axis=1)[:, ::-1]
    after = np.full_like(at_or_after, total)
    after[:, :-1] = at_or_after[:, 1:]
    return before, after


def intervals_of(raster: NDArray[np.bool_]) -> Intervals:
    """Find the intervals of trains (train, time), with the conventions of PySpike at the edges."""
    before, after = spikes_around(raster)
    total = raster.shape[1]
    count = raster.sum(1)
    leading, trailing = before < 0, after == total
    length = after - np.maximum(before, 0)
    several = count > 1
    # The first and the last interval between two spikes: found at the first and the last spike.
    first_spike, last_spike = after[:, 0], before[:, -1]
    first_spike = np.where(raster[:, 0], 0, first_spike)
    rows = np.flatnonzero(several)
    first, last = np.zeros((2, len(raster), 1), np.int64)
    first[rows, 0] = after[rows, first_spike[rows]] - first_spike[rows]
    last[rows, 0] = last_spike[rows] - before[rows, last_spike[rows] - 1]
    length = np.where(leading, np.maximum(length, first), length)
    length = np.where(trailing, np.maximum(length, last), length)
    empty = (count == 0)[:, None]
    lone_at_start = ((count == 1) & raster[:, 0])[:, None]
    between = empty | lone_at_start
    return Intervals(
        np.where(empty, 0, np.where(leading, after, before)),
        np.where(trailing & ~between, before, after),
        length,
    )


def sum_over_intervals(
    raster: NDArray[np.bool_],
    intervals: Intervals,
    contribution: Callable[[Span, slice], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Sum over the intervals of each train what they contribute with each other train.

    On a grid there are far fewer different intervals than the trains have together, and what one
    contributes is computed once for all that have it.

    Parameters
    ----------
    raster, intervals
        The trains (train, time).
    contribution
        Of an interval, with the chosen other trains, (other train,).

    Returns
    -------
    numpy.ndarray
        (train, other train)
    """
    from scipy.sparse import csr_array

    begins = raster.copy()
    begins[:, 0] = True
    train, start = np.nonzero(begins)
    # Each train's last interval is followed by the next train's first, which starts at 0.
    stop = np.append(start[1:], 0)[: start.size]
    stop[stop == 0] = raster.shape[1]
    columns = (start, stop, *(array[train, start] for array in intervals))
    rows, which = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)
    spans = [Span(*row) for row in rows.tolist()]
    shape = (len(raster), len(spans))
    has = csr_array((np.ones(train.size), (train, which.ravel())), shape=shape)
    total = np.empty((len(raster), len(raster)))
    size = min(max(_NUMBERS // max(len(spans), 1), 1), _COLUMNS)
    for first in range(0, len(raster), size):
        chosen = slice(first, min(first + size, len(raster)))
        each = np.empty((len(spans), chosen.stop - first))
        for row, span in zip(each, spans, strict=True):
            row[:] = contribution(span, chosen)
        total[:, chosen] = np.asarray(has @ each)
    return total
