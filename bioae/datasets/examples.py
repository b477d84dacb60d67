"""Examples: selection of a part of a data set, and checks of labels, targets and indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import any_array
from bioae.errors import DataError, shortened
from bioae.units import has_unit

__all__ = [
    "Declared",
    "Examples",
    "FileArray",
    "as_array",
    "as_declared",
    "check_indices",
    "check_known",
    "check_labels",
    "check_targets",
]

_LARGEST_LABEL = _LARGEST_INDEX = 2**63 - 1


@runtime_checkable
class FileArray(Protocol):
    """An array in a file: its shape and type are known before `numpy.asarray` reads its values."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def name(self) -> str:
        """The name of the array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Its type."""

    def __len__(self) -> int: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Declared:
    """Kind and shapes of a data set, which are known before its values are read.

    Attributes
    ----------
    kind
        ``"images"``, ``"signals"`` or ``"events"``.
    shape
        The shape of an image, or of a signal at one time.
    name, split
        As in the data set.
    points
        The number of points in time, of signals.
    targets
        The shape of the targets of an example, where known.
    """

    kind: str
    shape: tuple[int, ...]
    name: str
    split: str
    points: int | None = None
    targets: tuple[int, ...] | None = None


class Examples:
    """Base of data sets, whose fields have one row per example; texts and numbers hold for all."""

    def __repr__(self) -> str:
        """Return the fields, of arrays only the type and the shape."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        texts = (f"{name}={_described(value)}" for name, value in values.items())
        return f"{type(self).__name__}({', '.join(texts)})"

    def __getitem__(self, which: slice | Sequence[int] | NDArray[Any]) -> Self:
        """Return the examples of a slice, a sequence of places or a mask, as a data set.

        Raises
        ------
        DataError
            If it selects no examples, or is a single place, whose example has no axis of examples.
        """
        key = which if isinstance(which, slice) else _places(which, type(self).__name__.lower())
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        rows = {
            name: value[key]
            for name, value in values.items()
            if value is not None and not isinstance(value, str | int)
        }
        return replace(self, **rows)  # type: ignore[type-var]


def _places(which: Any, kind: str) -> NDArray[Any]:
    key = any_array(which)
    single = key.ndim == 0 and key.dtype.kind in "iu"
    if key.ndim != 1 or key.dtype.kind not in "iub":
        raise DataError(
            "one place selects an example, not a data set"
            if single
            else "this selects no examples",
            where=f"{kind}[{shortened(repr(which))}]",
            expected="a slice, a sequence of places or a mask",
            hint=f"Write {kind}[[{which!r}]] for a data set of one example" if single else None,
        )
    return key


def _described(value: Any) -> str:
    if hasattr(value, "dtype"):
        return f"<{value.dtype} {value.shape}>"
    return repr(value)


def as_array(array: ArrayLike, where: str) -> NDArray[Any]:
    """Return an array of NumPy.

    Raises
    ------
    DataError
        If nested lists differ in length, or values are masked or have a unit.
    """
    if np.ma.is_masked(array):
        raise DataError(
            "some values are masked",
            where=where,
            hint="Fill them first, for instance array.filled(0)",
        )
    if has_unit(array):
        raise DataError(
            "the values have a unit",
            where=where,
            hint="Divide by it, such as values/nA; spike times are Events.of_trains(trains)",
        )
    try:
        return np.asarray(array)
    except ValueError as error:
        raise DataError("not a regular array", where=where, found=f"{error}") from error


def as_declared(array: ArrayLike | FileArray, where: str) -> NDArray[Any] | FileArray:
    """Return an array of NumPy, or one in a file as it is; `numpy.asarray` reads its values.

    Raises
    ------
    DataError
        If nested lists differ in length.
    """
    return array if isinstance(array, FileArray) else as_array(array, where)


def check_known(
    labels: ArrayLike | FileArray | None,
    targets: ArrayLike | FileArray | None,
    *,
    examples: int,
    where: str,
    kind: str,
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Check the labels and targets that are known of examples; None stays None.

    Parameters
    ----------
    labels, targets, examples, kind
        As for `check_labels` and `check_targets`.
    where
        The name of the data set, to which errors add labels or targets.

    Raises
    ------
    DataError
        If one does not fit.
    """
    return (
        None
        if labels is None
        else check_labels(labels, examples=examples, where=f"{where}: labels", kind=kind),
        None
        if targets is None
        else check_targets(targets, examples=examples, where=f"{where}: targets", kind=kind),
    )


def check_indices(
    array: ArrayLike | FileArray | None, *, examples: int, where: str = "indices"
) -> NDArray[np.int64]:
    """Check the numbers of examples, which key their random input: all differ.

    Raises
    ------
    DataError
        If they do not.
    """
    declared = array if isinstance(array, FileArray) else any_array(array)
    whole = declared.dtype.kind in "iu" and declared.shape == (examples,)
    numbers = np.asarray(declared) if whole else np.empty(0)
    distinct = len(np.unique(numbers))
    if distinct != examples or numbers.min() < 0 or numbers.max() > _LARGEST_INDEX:
        raise DataError(
            "the examples' numbers do not fit the images",
            where=where,
            expected=f"{examples} different whole numbers, 0 or more",
            found=f"{distinct} in the shape {declared.shape}"
            if whole
            else f"the type {declared.dtype}, shape {declared.shape}",
            hint="To select some, give them: images[[2, 0]]",
        )
    return numbers.astype(np.int64)


def check_labels(
    array: ArrayLike | FileArray, *, examples: int, where: str = "labels", kind: str = "images"
) -> NDArray[np.int64]:
    """Check the labels of `examples` examples, one whole number for each.

    Raises
    ------
    DataError
        If they do not fit, or are texts.
    """
    declared = as_declared(array, where)
    if declared.dtype.kind in "OUST" and declared.shape == (examples,):
        raise DataError(
            "the labels are names of classes",
            where=where,
            expected="whole numbers",
            found=shortened(repr(np.asarray(declared).tolist()[0])),
            hint="Number them: numpy.unique(labels, return_inverse=True)[1]",
        )
    if declared.dtype.kind not in "ui" or declared.shape != (examples,):
        raise DataError(
            f"the labels do not fit the {kind}",
            where=where,
            expected=f"{examples} whole numbers, shape ({examples},)",
            found=f"the type {declared.dtype}, shape {declared.shape}",
        )
    labels = np.asarray(declared)
    if (labels > _LARGEST_LABEL).any():
        raise DataError(
            "a label is too large",
            where=where,
            expected=f"whole numbers of at most {_LARGEST_LABEL}",
            found=str(labels.max()),
        )
    return labels.astype(np.int64)


def check_targets(
    array: ArrayLike | FileArray, *, examples: int, where: str = "targets", kind: str = "images"
) -> NDArray[np.float64]:
    """Check the targets of `examples` examples, and return them as numbers (example, ..., output).

    Parameters
    ----------
    array
        Shape ``(example,)`` for a single output, ``(example, output)`` or
        ``(example, time, output)``.
    examples
        The number of examples.
    where
        The file or argument that an error names.
    kind
        What the examples are.

    Raises
    ------
    DataError
        If they are not finite numbers, or have another shape.
    """
    declared = as_declared(array, where)
    shape = declared.shape
    fits = len(shape) in (1, 2, 3) and shape[0] == examples and 0 not in shape
    if declared.dtype.kind not in "buif" or not fits:
        raise DataError(
            f"the targets do not fit the {kind}",
            where=where,
            expected=f"numbers of {examples} {kind}, (example, output) or (example, time, output)",
            found=f"the type {declared.dtype}, shape {shape}",
        )
    targets = np.asarray(declared).astype(np.float64)
    if not np.isfinite(targets).all():
        raise DataError("a target is not finite", where=where, expected="finite numbers")
    return targets[:, None] if targets.ndim == 1 else targets
