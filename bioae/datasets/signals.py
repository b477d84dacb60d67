"""Signals: values of channels that vary in time, and checks of arrays of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.examples import Declared, Examples, FileArray, as_declared, check_known
from bioae.datasets.stored import StoredArray
from bioae.errors import DataError

__all__ = ["Signals", "check_signal_shape", "check_signals"]

_AXES = ("example", "time", "channel")
_BLOCK = 2**22  # numbers that are checked at a time
#: The largest magnitude of a value, so that its products with gains stay finite in 32 bits.
_LARGEST = 1e12


@dataclass(frozen=True, eq=False, repr=False)
class Signals(Examples):
    """Signals, their labels and targets if known, and their source; make them with `of`.

    Parameters
    ----------
    values
        Shape ``(example, time, channel)``, numbers of any type; or such an array of an HDF5 file,
        of which only the examples that are used are read.
    labels
        The class of each signal, shape ``(example,)``, or None.
    name
        The name of the data set, or the path of the file.
    split
        ``"train"`` or ``"test"``; ``"all"`` of a file with a single set.
    indices
        The place of each signal in the full data set, shape ``(example,)``.
    targets
        The numbers that a network should return, shape ``(example, output)`` or
        ``(example, time, output)``, or None.
    """

    values: NDArray[Any] | StoredArray
    labels: NDArray[np.int64] | None
    name: str
    split: str
    indices: NDArray[np.int64]
    targets: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        values: ArrayLike | FileArray,
        *,
        labels: ArrayLike | FileArray | None = None,
        targets: ArrayLike | FileArray | None = None,
        name: str = "signals",
        split: str = "train",
    ) -> Signals:
        """Check arrays, and return them as signals.

        Parameters
        ----------
        values
            Numbers of the shape ``(example, time, channel)``, or of one channel
            ``(example, time)``.
        labels, targets, name, split
            As in the class; the name is that of an error too.

        Raises
        ------
        DataError
            If the values do not fit `check_signals`, or labels or targets not the examples.
        """
        declared = as_declared(values, name)
        check_signal_shape(declared.shape, name)
        count = len(declared)
        classes, numbers = check_known(labels, targets, examples=count, where=name, kind="signals")
        checked = check_signals(declared, where=name)
        return cls(checked, classes, name, split, np.arange(count), numbers)

    @property
    def shape(self) -> tuple[int]:
        """The shape of a signal at one time, ``(channel,)``."""
        return (self.values.shape[2],)

    @property
    def points(self) -> int:
        """The number of points in time."""
        return self.values.shape[1]

    @property
    def signals(self) -> NDArray[np.float64]:
        """The values, shape ``(example, time, channel)``: a new array at every call."""
        return np.asarray(self.values).astype(np.float64)

    @property
    def declared(self) -> Declared:
        """Kind and shapes."""
        targets = None if self.targets is None else self.targets.shape[1:]
        return Declared("signals", self.shape, self.name, self.split, self.points, targets)

    def __len__(self) -> int:
        return len(self.values)


def check_signals(
    array: ArrayLike | FileArray, *, where: str = "signals"
) -> NDArray[Any] | StoredArray:
    """Check an array of signals, by blocks, and return it with the three axes of `Signals.values`.

    Parameters
    ----------
    array
        Shape ``(example, time, channel)`` or ``(example, time)``.
    where
        The file or argument that an error names.

    Raises
    ------
    DataError
        If the array is empty, not numeric, of another number of axes, not finite, or has values of
        more than 1e12.
    """
    declared = as_declared(array, where)
    check_signal_shape(declared.shape, where)
    if declared.dtype.kind not in "buif":
        raise DataError(
            "signals must be numbers",
            where=where,
            expected="real numbers",
            found=f"the type {declared.dtype}",
        )
    if isinstance(declared, StoredArray):
        for place, block in declared.blocks(_BLOCK):
            _check_values(block, place, where)
        return declared if len(declared.shape) == 3 else declared.with_channel()
    values = np.asarray(declared)
    rows = max(1, _BLOCK * len(values) // values.size)
    for start in range(0, len(values), rows):
        _check_values(values[start : start + rows], (start, 0, 0), where)
    return values if values.ndim == 3 else values[..., None]


def check_signal_shape(shape: tuple[int, ...], where: str) -> tuple[int, int]:
    """Check the shape of an array of signals, and return the points in time and the channels.

    Raises
    ------
    DataError
        If the array is empty, or has another number of axes.
    """
    if len(shape) not in (2, 3):
        raise DataError(
            "signals have the wrong number of axes",
            where=where,
            expected="(example, time, channel), or (example, time) of one channel",
            found=f"the shape {shape}",
        )
    if 0 in shape:
        raise DataError(
            "there are no signals",
            where=where,
            expected="at least one example, one point in time and one channel",
            found=f"the shape {shape}",
        )
    return shape[1], shape[2] if len(shape) == 3 else 1


def _check_values(block: NDArray[Any], place: tuple[int, ...], where: str) -> None:
    """Check a part of the signals, whose first number has a place in the whole array."""
    flat = block.reshape(-1)
    for start in range(0, len(flat), _BLOCK):
        inside = np.abs(flat[start : start + _BLOCK].astype(np.float64)) <= _LARGEST
        if inside.all():  # NaN compares false
            continue
        first = np.unravel_index(start + int(np.argmin(inside)), block.shape)
        numbers = [int(at) + begin for at, begin in zip(first, place, strict=False)]
        axes = (f"{axis} {at}" for axis, at in zip(_AXES, (*numbers, 0), strict=False))
        raise DataError(
            "a value does not fit",
            where=where,
            expected=f"finite numbers of a magnitude of at most {_LARGEST:g}",
            found=f"{block[first]} at {', '.join(axes)}",
        )
