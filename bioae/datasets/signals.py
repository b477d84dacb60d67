"""Signals: values of channels that vary in time, and checks of arrays of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.examples import Examples, as_array, check_known
from bioae.datasets.stored import StoredArray
from bioae.errors import DataError

__all__ = ["Signals", "check_signals"]

_AXES = ("example", "time", "channel")
_BLOCK = 2**22  # numbers that are checked at a time
#: The largest magnitude of a value, so that its products with gains stay finite in 32 bits.
_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
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
        ``"train"`` or ``"test"``.
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
        values: ArrayLike | StoredArray,
        *,
        labels: ArrayLike | None = None,
        targets: ArrayLike | None = None,
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
        checked = check_signals(values, where=name)
        count = len(checked)
        classes, numbers = check_known(labels, targets, examples=count, where=name, kind="signals")
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

    def __len__(self) -> int:
        return len(self.values)


def check_signals(
    array: ArrayLike | StoredArray, *, where: str = "signals"
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
    values = array if isinstance(array, StoredArray) else as_array(array, where)
    _check_shape(values.shape, where)
    if values.dtype.kind not in "buif":
        raise DataError(
            "signals must be numbers",
            where=where,
            expected="real numbers",
            found=f"the type {values.dtype}",
        )
    if len(values.shape) == 2:
        values = values[..., None] if isinstance(values, np.ndarray) else values.with_channel()
    rows = max(1, _BLOCK * len(values) // max(1, int(np.prod(values.shape))))
    for start in range(0, len(values), rows):
        block = np.asarray(values[start : start + rows])
        inside = np.abs(block.astype(np.float64)) <= _LARGEST  # NaN compares false
        if not inside.all():
            place = np.unravel_index(np.argmin(inside), block.shape)
            found = f"{block[place]} at " + ", ".join(
                f"{axis} {at}"
                for axis, at in zip(_AXES, (place[0] + start, *place[1:]), strict=True)
            )
            expected = f"finite numbers of a magnitude of at most {_LARGEST:g}"
            raise DataError("a value does not fit", where=where, expected=expected, found=found)
    return values


def _check_shape(shape: tuple[int, ...], where: str) -> None:
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
