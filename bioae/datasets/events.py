"""Events: signals as lists of addresses, (example, time, channel) of each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import one_of, whole
from bioae.datasets.examples import (
    Declared,
    Examples,
    FileArray,
    as_array,
    as_declared,
    check_known,
)
from bioae.errors import DataError
from bioae.units import in_ms

__all__ = ["Addresses", "Events", "TimeUnit"]

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
    """Times and channels of the events of each example, one example after another.

    Parameters
    ----------
    counts
        The number of events of each example (example).
    time
        The time of each event (event).
    channel
        The channel of each event (event).
    """

    counts: NDArray[np.int64]
    time: NDArray[np.int64] | NDArray[np.floating]
    channel: NDArray[np.int32]

    def __repr__(self) -> str:
        return f"<{len(self.time)} events of {len(self.counts)} examples>"

    def __getitem__(self, key: Any) -> Addresses:
        """Return the events of some examples."""
        counts = self.counts[key]
        starts = (np.cumsum(self.counts) - self.counts)[key]
        # Of each event its number within its example, on top of the example's first.
        places = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        return Addresses(counts, self.time[places], self.channel[places])

    @property
    def example(self) -> NDArray[np.int64]:
        """The place of each event's example (event)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


@dataclass(frozen=True, eq=False, repr=False)
class Events(Examples):
    """Signals as lists of events, their labels and targets if known; make them with `of`.

    A network receives the number of events of each channel at each point in time, a *frame*. Frames
    are made for a chunk of examples at a time.

    Parameters
    ----------
    addresses
        The events, sorted by example, time and channel.
    channels
        The number of channels.
    unit
        The unit of times: milliseconds, or ``"step"`` for the numbers of frames.
    labels
        The class of each example, shape ``(example,)``, or None.
    name
        The name of the data set, or the path of the file.
    split
        ``"train"`` or ``"test"``; ``"all"`` of a file with a single set.
    indices
        The place of each example in the full data set, shape ``(example,)``.
    targets
        The numbers that a network should return, shape ``(example, output)`` or
        ``(example, time, output)``, or None.
    """

    addresses: Addresses
    channels: int
    unit: TimeUnit
    labels: NDArray[np.int64] | None
    name: str
    split: str
    indices: NDArray[np.int64]
    targets: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        example: ArrayLike | FileArray,
        time: ArrayLike | FileArray,
        channel: ArrayLike | FileArray,
        *,
        channels: int,
        unit: TimeUnit = "ms",
        examples: int | None = None,
        labels: ArrayLike | FileArray | None = None,
        targets: ArrayLike | FileArray | None = None,
        name: str = "events",
        split: str = "train",
    ) -> Events:
        """Check lists of addresses, in any order, and return them as events.

        Parameters
        ----------
        example, time, channel
            The place of each event's example, its time and its channel, shape ``(event,)``. Times
            may be quantities of Brian2 or Neo.
        channels
            The number of channels.
        unit
            The unit of times: ``"ms"`` since the start of the example, or ``"step"``, whole numbers
            of frames.
        examples
            The number of examples; by default that of the labels or targets, or one more than the
            last event's.
        labels, targets, name, split
            As in the class; the name is that of an error too.

        Raises
        ------
        DataError
            If the lists differ in length, a place or a channel is outside its range, a time is
            negative or not finite, or labels or targets do not fit the examples.
        """
        one_of(unit, f"{name}: the unit of times", get_args(TimeUnit), error=DataError)
        channels = whole(channels, f"{name}: channels", least=1, most=_MOST, error=DataError)
        lists = [
            _list(each, f"{name}: {what} of events")
            for each, what in (
                (example, "examples"),
                (time if unit == "step" else in_ms(time, f"{name}: times of events"), "times"),
                (channel, "channels"),
            )
        ]
        lengths = [each.shape[0] for each in lists]
        if len(set(lengths)) > 1:
            raise DataError(
                "the lists of events differ in length",
                where=name,
                expected="an example, a time and a channel for each event",
                found="{}, {} and {}".format(*lengths),
            )
        places = _whole_numbers(lists[0], f"{name}: examples of events")
        times = _times(lists[1], unit, f"{name}: times of events")
        ports = _whole_numbers(lists[2], f"{name}: channels of events")
        if examples is None:
            known = next((each for each in (labels, targets) if each is not None), None)
            shape = () if known is None else as_declared(known, name).shape
            examples = int(places.max(initial=-1)) + 1 if known is None else (*shape, 1)[0]
        examples = whole(
            examples, f"{name}: examples", least=1, most=_MOST_EXAMPLES, error=DataError
        )
        _check_below(places, examples, f"{name}: examples of events")
        _check_below(ports, channels, f"{name}: channels of events")
        order = np.lexsort((ports, times, places))
        counts = np.bincount(places, minlength=examples).astype(np.int64)
        addresses = Addresses(counts, times[order], ports[order].astype(np.int32))
        classes, numbers = check_known(
            labels, targets, examples=examples, where=name, kind="events"
        )
        return cls(
            addresses, channels, unit, classes, name, split, np.arange(examples), numbers
        )  # fmt: skip

    @classmethod
    def of_trains(cls, trains: Sequence[Sequence[ArrayLike]], **options: Any) -> Events:
        """Return spike trains as events.

        Parameters
        ----------
        trains
            For each example, the times of the spikes of each channel: ``trains[example][channel]``.
            They may be quantities of Brian2 or Neo.
        options
            The unit, labels, targets, name and split, as for `of`.

        Raises
        ------
        DataError
            If examples differ in their number of channels, or the times do not fit.
        """
        where = str(options.get("name", "events"))
        channels = [len(each) for each in trains]
        if not channels or len(set(channels)) > 1 or not channels[0]:
            raise DataError(
                "the examples differ in their number of spike trains"
                if len(set(channels)) > 1
                else "there are no spike trains",
                where=where,
                expected="trains[example][channel], one train for each channel",
                found=", ".join(map(str, sorted(set(channels)))) or None,
            )
        flat = [train for example in trains for train in example]
        if options.get("unit") != "step":
            flat = [in_ms(train, f"{where}: spike train") for train in flat]
        lists = [_list(train, f"{where}: spike train") for train in flat]
        counts = [each.shape[0] for each in lists]
        place = np.repeat(np.arange(len(lists)), counts)
        times = [np.asarray(each) for each in lists if each.shape[0]]
        return cls.of(
            place // channels[0], np.concatenate(times) if times else [], place % channels[0],
            channels=channels[0], examples=len(trains), **options,
        )  # fmt: skip

    @classmethod
    def of_frames(cls, frames: ArrayLike, **options: Any) -> Events:
        """Return the events that frames count; times are their numbers, in the unit ``"step"``.

        Parameters
        ----------
        frames
            Counts of events, shape ``(example, time, channel)``.
        options
            Labels, targets, name and split, as for `of`.

        Raises
        ------
        DataError
            If they are not whole numbers of 0 or more in this shape.
        """
        counts = as_array(frames, "frames")
        real = counts.ndim == 3 and counts.size > 0 and counts.dtype.kind in "buif"
        if not real or not ((counts >= 0) & (counts < _MOST) & (counts == np.floor(counts))).all():
            raise DataError(
                "these are no frames",
                where="frames",
                expected="whole numbers of events, 0 or more, (example, time, channel)",
                found=f"the type {counts.dtype}, shape {counts.shape}",
            )
        places = np.nonzero(counts)
        repeats = counts[places].astype(np.int64)
        return cls.of(
            *(np.repeat(axis, repeats) for axis in places),
            channels=counts.shape[2], unit="step", examples=len(counts), **options,
        )  # fmt: skip

    @property
    def shape(self) -> tuple[int]:
        """The shape of a frame, ``(channel,)``."""
        return (self.channels,)

    @property
    def declared(self) -> Declared:
        """Kind and shapes."""
        targets = None if self.targets is None else self.targets.shape[1:]
        return Declared("events", self.shape, self.name, self.split, targets=targets)

    def frames(self, points: int, *, point_ms: float = 1.0) -> NDArray[np.float64]:
        """Count events at each point in time: (example, time, channel).

        An event at time t belongs to the point ``floor(t / point_ms)``.

        Parameters
        ----------
        points
            The number of points in time.
        point_ms
            The milliseconds from one point to the next, for times in milliseconds.

        Raises
        ------
        DataError
            If an event comes after the last point.
        """
        point = self.check_times(points, point_ms=point_ms)
        place = (self.addresses.example * points + point) * self.channels + self.addresses.channel
        counts = np.bincount(place, minlength=len(self) * points * self.channels)
        return counts.reshape(len(self), points, self.channels).astype(np.float64)

    def check_times(self, points: int, *, point_ms: float = 1.0) -> NDArray[np.int64]:
        """Return the point of each event (event); the arguments are those of `frames`.

        Raises
        ------
        DataError
            If an event comes after the last point.
        """
        points_ms = 1.0 if self.unit == "step" else point_ms
        # Clipped, because a float may be beyond any whole number.
        time = np.minimum(self.addresses.time / np.float64(points_ms), _MOST)
        rounding = _rounding(self.addresses.time.dtype) * time
        if rounding.size and rounding.max() > _COARSEST:
            raise DataError(
                f"times of the type {self.addresses.time.dtype} are too coarse for these steps",
                where=self.name,
                expected="float64",
            )
        point: NDArray[np.int64] = np.floor(time + np.maximum(rounding, _ROUNDING)).astype(np.int64)
        if point.size and point.max() >= points:
            last = self.addresses.time.max()
            end = points if self.unit == "step" else points * point_ms
            unit = "frame" if self.unit == "step" else "ms"
            raise DataError(
                "an event comes after the end of a presentation",
                where=self.name,
                expected=f"times below {end:g} ({unit})",
                found=f"{last:g}",
                hint="Give the network more steps, or leave out later events",
            )
        return point

    def __len__(self) -> int:
        return len(self.addresses.counts)


def _list(array: ArrayLike | FileArray, where: str) -> NDArray[Any] | FileArray:
    """Return a list of numbers, one for each event; the values of one in a file are not read."""
    declared = as_declared(array, where)
    numeric = declared.dtype.kind in "iuf"  # of no event, of any type
    if len(declared.shape) != 1 or not (numeric or declared.shape == (0,)):
        raise _misfit(declared, where, "numbers")
    return declared


def _whole_numbers(array: NDArray[Any] | FileArray, where: str) -> NDArray[np.int64]:
    if array.dtype.kind not in "iu" and array.shape != (0,):
        raise _misfit(array, where, "whole numbers")
    values = np.asarray(array)
    if (values > _MOST).any():
        raise DataError(
            "a number of an event is too large",
            where=where,
            expected=f"whole numbers of at most {_MOST}",
            found=str(values.max()),
        )
    return values.astype(np.int64)


def _misfit(array: NDArray[Any] | FileArray, where: str, expected: str) -> DataError:
    return DataError(
        "the list of events does not fit",
        where=where,
        expected=f"{expected}, shape (event,)",
        found=f"the type {array.dtype}, shape {array.shape}",
    )


def _times(array: NDArray[Any] | FileArray, unit: TimeUnit, where: str) -> NDArray[Any]:
    times: NDArray[Any] = (
        _whole_numbers(array, where) if unit == "step" else _as_float(np.asarray(array))
    )
    wrong = ~(np.isfinite(times) & (times >= 0))
    if wrong.any():
        raise DataError("a time is negative or not finite", where=where, found=f"{times[wrong][0]}")
    return times


def _as_float(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as floats of this machine; shorter ones stay, to tell how precise they are."""
    short = array.dtype.kind == "f" and array.dtype.itemsize < np.dtype(np.float64).itemsize
    return array.astype(f"f{array.dtype.itemsize}" if short else np.float64)


def _rounding(dtype: np.dtype[Any]) -> float:
    """Return the relative rounding error of times that were computed in a type of float."""
    short = dtype.kind == "f" and dtype != np.float64
    return 4 * float(np.finfo(dtype).eps) if short else 0.0


def _check_below(values: NDArray[np.int64], end: int, where: str) -> None:
    wrong = (values < 0) | (values >= end)
    if wrong.any():
        raise DataError(
            "an event is outside the range",
            where=where,
            expected=f"whole numbers from 0 to {end - 1}",
            found=str(values[wrong][0]),
        )
