"""Addresses of events: the example, the time and the channel of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import one_of, whole
from bioae.datasets.checks import as_array, misfit
from bioae.errors import DataError
from bioae.units import in_ms

TimeUnit = Literal["ms", "step"]

#: The rounding error of a time, in points.
_ROUNDING = 1e-6
#: The coarsest rounding at which a time still tells its point.
_COARSEST = 0.1
_MOST = 2**31 - 1
#: Examples are counted in memory, whether they have events or not.
_MOST_EXAMPLES = 10**7


@dataclass(frozen=True, eq=False, repr=False)
class Addresses:
    """Times and channels of the events of each example, one example after another; see `of`.

    A network receives the number of events of each channel at each point in time, a *frame*. Frames
    are made for a chunk of examples at a time.

    Parameters
    ----------
    counts
        The number of events of each example (example).
    time
        The time of each event (event), sorted within an example.
    channel
        The channel of each event (event).
    channels
        The number of channels.
    unit
        The unit of times: milliseconds, or ``"step"`` for the numbers of frames.
    """

    counts: NDArray[np.int64]
    time: NDArray[np.int64] | NDArray[np.floating]
    channel: NDArray[np.int32]
    channels: int
    unit: TimeUnit

    @classmethod
    def of(
        cls,
        lists: Sequence[ArrayLike],
        *,
        channels: int,
        unit: TimeUnit,
        examples: int | None,
        where: str,
    ) -> Addresses:
        """Check lists of examples, times and channels, in any order, see `Data.of_events`."""
        one_of(unit, f"{where}: the unit of times", get_args(TimeUnit), error=DataError)
        channels = whole(channels, f"{where}: channels", least=1, most=_MOST, error=DataError)
        names = [f"{where}: {each} of events" for each in ("examples", "times", "channels")]
        example, time, channel = lists
        time = time if unit == "step" else in_ms(time, names[1])
        numbers = [_list(*each) for each in zip((example, time, channel), names, strict=True)]
        lengths = [each.shape[0] for each in numbers]
        if len(set(lengths)) > 1:
            expected = "an example, a time and a channel for each event"
            what, found = "the lists of events differ in length", "{}, {} and {}".format(*lengths)
            raise DataError(what, where=where, expected=expected, found=found)
        if examples is None:
            places = _whole_numbers(numbers[0], names[0], _MOST_EXAMPLES)
            examples = int(places.max(initial=-1)) + 1
        options: dict[str, Any] = {"least": 1, "most": _MOST_EXAMPLES, "error": DataError}
        examples = whole(examples, f"{where}: examples", **options)
        places = _whole_numbers(numbers[0], names[0], examples)
        times = _times(numbers[1], unit, names[1])
        ports = _whole_numbers(numbers[2], names[2], channels)
        order = np.lexsort((ports, times, places))
        counts = np.bincount(places, minlength=examples).astype(np.int64)
        return cls(counts, times[order], ports[order].astype(np.int32), channels, unit)

    def __repr__(self) -> str:
        return f"<{len(self.time)} events of {len(self.counts)} examples>"

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, key: Any) -> Addresses:
        """Return the events of some examples."""
        counts = self.counts[key]
        starts = (np.cumsum(self.counts) - self.counts)[key]
        # Of each event its number within its example, on top of the example's first.
        places = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        return replace(self, counts=counts, time=self.time[places], channel=self.channel[places])

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of examples and of channels."""
        return len(self.counts), self.channels

    @property
    def example(self) -> NDArray[np.int64]:
        """The position of each event's example (event)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def frames(self, points: int, point_ms: float, where: str) -> NDArray[np.float64]:
        """Count events at each point in time, see `Data.frames`."""
        point = self.points(points, point_ms, where)
        place = (self.example * points + point) * self.channels + self.channel
        counts = np.bincount(place, minlength=len(self) * points * self.channels)
        return counts.reshape(len(self), points, self.channels).astype(np.float64)

    def points(self, points: int, point_ms: float, where: str) -> NDArray[np.int64]:
        """Return the point in time of each event (event), all below `points`."""
        points_ms = 1.0 if self.unit == "step" else point_ms
        # Clipped, because a float may be beyond any whole number.
        time = np.minimum(self.time / np.float64(points_ms), _MOST)
        dtype: Any = self.time.dtype
        short = dtype.kind == "f" and dtype != np.float64
        rounding = (4 * float(np.finfo(dtype).eps) if short else 0.0) * time
        if rounding.size and rounding.max() > _COARSEST:
            what = f"times of the type {dtype} are too coarse for these steps"
            raise DataError(what, where=where, expected="float64")
        point: NDArray[np.int64] = np.floor(time + np.maximum(rounding, _ROUNDING)).astype(np.int64)
        if point.size and point.max() >= points:
            end = f"{points} (frame)" if self.unit == "step" else f"{points * point_ms:g} (ms)"
            raise DataError(
                "an event comes after the end of a presentation", where=where,
                expected=f"times below {end}", found=f"{self.time.max():g}",
                hint="Give the network more steps, or leave out later events",
            )  # fmt: skip
        return point


def addresses_of_trains(
    trains: Sequence[Sequence[ArrayLike]], unit: TimeUnit, where: str
) -> Addresses:
    """Return the addresses of spike trains, see `Data.of_trains`."""
    try:
        channels = sorted({len(each) for each in trains})
    except TypeError:
        channels = []
    if len(channels) != 1 or not channels[0]:
        raise DataError(
            "the examples differ in their number of spike trains"
            if len(channels) > 1
            else "there are no spike trains",
            where=where, expected="trains[example][channel], one train for each channel",
            found=", ".join(map(str, channels)) or None,
        )  # fmt: skip
    flat = [train for example in trains for train in example]
    if unit != "step":
        flat = [in_ms(train, f"{where}: spike train") for train in flat]
    lists = [_list(train, f"{where}: spike train") for train in flat]
    place = np.repeat(np.arange(len(lists)), [each.shape[0] for each in lists])
    times = [np.asarray(each) for each in lists if each.shape[0]]
    lists = [place // channels[0], np.concatenate(times or [np.empty(0)]), place % channels[0]]
    return Addresses.of(lists, channels=channels[0], unit=unit, examples=len(trains), where=where)


def addresses_of_frames(frames: ArrayLike, where: str) -> Addresses:
    """Return the addresses of the events that frames count, see `Data.of_frames`."""
    counts = as_array(frames, where)
    real = counts.ndim == 3 and counts.size > 0 and counts.dtype.kind in "buif"
    if not real or not ((counts >= 0) & (counts < _MOST) & (counts == np.floor(counts))).all():
        expected = "whole numbers of events, 0 or more, (example, time, channel)"
        raise misfit("these are not frames", where, expected, counts)
    places = np.nonzero(counts)
    lists = [np.repeat(axis, counts[places].astype(np.int64)) for axis in places]
    return Addresses.of(
        lists, channels=counts.shape[2], unit="step", examples=len(counts), where=where
    )


def _list(array: ArrayLike, where: str) -> NDArray[Any]:
    """Return a list of numbers, one for each event."""
    numbers = as_array(array, where)
    numeric = numbers.dtype.kind in "iuf"  # of no event, of any type
    if numbers.ndim != 1 or not (numeric or not numbers.size):
        raise misfit("the list of events does not fit", where, "numbers, shape (event,)", numbers)
    return numbers


def _whole_numbers(values: NDArray[Any], where: str, end: int) -> NDArray[np.int64]:
    """Return whole numbers from 0, below an end."""
    expected = f"whole numbers from 0 to {end - 1}"
    if values.dtype.kind not in "iu" and values.shape != (0,):
        raise misfit("the list of events does not fit", where, expected, values)
    wrong = (values < 0) | (values >= end)
    if wrong.any():
        what, found = "a number of an event is outside the range", str(values[wrong][0])
        raise DataError(what, where=where, expected=expected, found=found)
    return values.astype(np.int64)


def _times(times: NDArray[Any], unit: TimeUnit, where: str) -> NDArray[Any]:
    """Return times as floats of this machine, or whole steps; short floats show their precision."""
    if unit == "step":
        return _whole_numbers(times, where, _MOST)
    short = times.dtype.kind == "f" and times.dtype.itemsize < np.dtype(np.float64).itemsize
    times = times.astype(f"f{times.dtype.itemsize}" if short else np.float64)
    wrong = ~(np.isfinite(times) & (times >= 0))
    if wrong.any():
        raise DataError("a time is negative or not finite", where=where, found=f"{times[wrong][0]}")
    return times
