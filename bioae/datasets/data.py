"""Data: examples that are presented to a network, with their labels and targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias, TypedDict, Unpack, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import any_array
from bioae.datasets.checks import (
    as_array,
    check_indices,
    check_labels,
    check_pixels,
    check_signals,
    check_targets,
)
from bioae.datasets.events import Addresses, TimeUnit, addresses_of_frames, addresses_of_trains
from bioae.datasets.hdf5_files import StoredArray
from bioae.errors import DataError, shortened

Kind: TypeAlias = Literal["images", "signals", "events"]
Split: TypeAlias = Literal["train", "test"]


class Known(TypedDict, total=False):
    """Metadata of examples, as in `Data`; all may be missing."""

    labels: ArrayLike | None
    targets: ArrayLike | None
    indices: ArrayLike | None
    name: str
    split: str


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Examples of one kind, their labels and targets if known, and their source.

    Create data from arrays with `of_images`, `of_signals`, `of_events`, `of_trains` and
    `of_frames`, and from all other forms with `bioae.datasets.convert`; all raise `DataError` for
    arrays that do not fit. A slice, positions or a mask select examples: ``data[:100]``.

    Parameters
    ----------
    kind
        ``"images"``, ``"signals"`` (values of channels that vary in time) or ``"events"`` (signals
        as lists of addresses).
    values
        Intensities of images, shape ``(example, channel, y, x)``: bytes from 0 to 255, or numbers
        in [0, 1]. Signals ``(example, time, channel)``, or such an array of an HDF5 file, of which
        only the examples that are used are read. Or the addresses of events.
    labels
        The class of each example, shape ``(example,)``, or None.
    targets
        The numbers that a network should return, shape ``(example, output)`` or
        ``(example, time, output)``, or None.
    indices
        The position of each example in the full data set, shape ``(example,)``, which keys its
        random input.
    name
        The name of the data set, or the path of the file; the kind, of arrays.
    split
        ``"train"`` or ``"test"``; ``"all"`` of a file with a single set.
    """

    kind: Kind
    values: NDArray[Any] | StoredArray | Addresses
    labels: NDArray[np.int64] | None
    targets: NDArray[np.float64] | None
    indices: NDArray[np.int64]
    name: str
    split: str

    @classmethod
    def of_images(
        cls, pixels: ArrayLike, *, white: float | None = None, **known: Unpack[Known]
    ) -> Data:
        """Check images, and return them as data.

        Parameters
        ----------
        pixels
            Shape ``(example, y, x)`` or ``(example, channel, y, x)``: bytes from 0 to 255, which
            stay bytes until `as_float` is called, or numbers in [0, 1].
        white
            The value of a pixel of full intensity, where it is another one.
        known
            Labels, targets, indices, name and split, as in the class.
        """
        where = known.get("name", "images")
        checked = check_pixels(pixels, where, white)
        return cls("images", checked, **_checked(known, "images", len(checked)))

    @classmethod
    def of_signals(cls, values: ArrayLike | StoredArray, **known: Unpack[Known]) -> Data:
        """Check signals, and return them as data.

        Parameters
        ----------
        values
            Finite numbers of the shape ``(example, time, channel)``, or of one channel
            ``(example, time)``.
        known
            Labels, targets, indices, name and split, as in the class.
        """
        where = known.get("name", "signals")
        checked = check_signals(values, where)
        facts = _checked(known, "signals", len(checked), checked.shape[1])
        return cls("signals", checked, **facts)

    @classmethod
    def of_events(
        cls,
        example: ArrayLike,
        time: ArrayLike,
        channel: ArrayLike,
        *,
        channels: int,
        unit: TimeUnit = "ms",
        examples: int | None = None,
        **known: Unpack[Known],
    ) -> Data:
        """Check lists of addresses, in any order, and return them as data.

        Parameters
        ----------
        example, time, channel
            The position of each event's example, its time and its channel, shape ``(event,)``.
            Times may be quantities of Brian2 or Neo.
        channels
            The number of channels.
        unit
            The unit of times: ``"ms"`` since the start of the example, or ``"step"``, whole numbers
            of frames.
        examples
            The number of examples; by default that of the labels or targets, or one more than the
            last event's.
        known
            Labels, targets, indices, name and split, as in the class.
        """
        where = known.get("name", "events")
        if examples is None:
            answers = [known.get("labels"), known.get("targets")]
            shapes = [as_array(each, where).shape for each in answers if each is not None]
            examples = (*shapes[0], 1)[0] if shapes else None
        lists = (example, time, channel)
        addresses = Addresses.of(
            lists, channels=channels, unit=unit, examples=examples, where=where
        )
        return cls("events", addresses, **_checked(known, "events", len(addresses)))

    @classmethod
    def of_trains(
        cls,
        trains: Sequence[Sequence[ArrayLike]],
        *,
        unit: TimeUnit = "ms",
        **known: Unpack[Known],
    ) -> Data:
        """Return spike trains as data.

        Parameters
        ----------
        trains
            For each example, the times of the spikes of each channel: ``trains[example][channel]``.
            They may be quantities of Brian2 or Neo.
        unit, known
            As for `of_events`.
        """
        addresses = addresses_of_trains(trains, unit, known.get("name", "events"))
        return cls("events", addresses, **_checked(known, "events", len(addresses)))

    @classmethod
    def of_frames(cls, frames: ArrayLike, **known: Unpack[Known]) -> Data:
        """Convert frames of event counts to events; times are frame numbers (``"step"``).

        Parameters
        ----------
        frames
            Counts of events, shape ``(example, time, channel)``.
        known
            As for `of_events`.
        """
        addresses = addresses_of_frames(frames, known.get("name", "frames"))
        return cls("events", addresses, **_checked(known, "events", len(addresses)))

    def assign(self, **known: Unpack[Known]) -> Data:
        """Replace labels, targets, indices, name or split; raise DataError if one does not fit."""
        present: Known = {
            "labels": self.labels, "targets": self.targets, "indices": self.indices,
            "name": self.name, "split": self.split,
        }  # fmt: skip
        return replace(self, **_checked({**present, **known}, self.kind, len(self), self.points))

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        """Return kind, shape and source in one line, and no values."""
        answers = [name for name in ("labels", "targets") if getattr(self, name) is not None]
        known = f" with {' and '.join(answers)}" if answers else ""
        return f"<{len(self)} {self.kind} {self.shape}{known}: {self.name!r}, {self.split!r}>"

    def __getitem__(self, which: slice | Sequence[int] | NDArray[Any]) -> Data:
        """Return the examples of a slice, a sequence of positions or a mask.

        Raises
        ------
        DataError
            If it selects no examples, or is a single position, whose example has no axis of
            examples.
        """
        key = which if isinstance(which, slice) else _positions(which)
        return replace(
            self,
            values=self.values[key],
            labels=None if self.labels is None else self.labels[key],
            targets=None if self.targets is None else self.targets[key],
            indices=self.indices[key],
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image, (channel, y, x), or of a signal at one time, (channel,)."""
        return self.values.shape[2 if self.kind == "signals" else 1 :]

    @property
    def points(self) -> int | None:
        """The number of points in time, of signals."""
        return self.values.shape[1] if self.kind == "signals" else None

    def as_float(self) -> NDArray[np.float64]:
        """Return a new array of images in [0, 1] (example, channel, y, x), or of signals.

        Raises
        ------
        DataError
            If these are events, which `frames` converts to arrays.
        """
        if isinstance(self.values, Addresses):
            raise DataError(
                "events are not an array", where=self.name, hint="Take their frames(points)"
            )
        values = np.asarray(self.values)
        if self.kind == "images" and values.dtype == np.uint8:
            return values / np.float64(255)
        return values.astype(np.float64)

    def frames(self, points: int, *, point_ms: float = 1.0) -> NDArray[np.float64]:
        """Count events at each of `points` points in time: (example, time, channel).

        An event at time t in milliseconds belongs to the point ``floor(t / point_ms)``.

        Raises
        ------
        DataError
            If an event comes after the last point.
        """
        return cast(Addresses, self.values).frames(points, point_ms, self.name)

    def check_times(self, points: int, *, point_ms: float = 1.0) -> None:
        """Raise DataError if an event comes after the last point of `frames`."""
        cast(Addresses, self.values).points(points, point_ms, self.name)


def _positions(which: Any) -> NDArray[Any]:
    key = any_array(which)
    single = key.ndim == 0 and key.dtype.kind in "iu"
    if key.ndim != 1 or key.dtype.kind not in "iub":
        raise DataError(
            "one position selects an example, not data" if single else "this selects no examples",
            where=f"data[{shortened(repr(which))}]",
            expected="a slice, a sequence of positions or a mask",
            hint=f"Write data[[{which!r}]] for data of one example" if single else None,
        )
    return key


def _checked(known: Known, kind: Kind, examples: int, points: int | None = None) -> dict[str, Any]:
    """Return all fields of data but the values, checked."""
    name = known.get("name", kind)
    checks: dict[str, Callable[[Any, int, str], NDArray[Any]]] = {
        "labels": check_labels,
        "targets": partial(check_targets, points=points),
        "indices": check_indices,
    }
    fields: dict[str, Any] = {"name": name, "split": known.get("split", "train")}
    for key, check in checks.items():
        array = cast("dict[str, Any]", known).get(key)
        where = key if name == kind else f"{name}: {key}"
        fields[key] = None if array is None else check(array, examples, where)
    if fields["indices"] is None:
        fields["indices"] = np.arange(examples)
    return fields
