"""Checks of arrays at the border of data: values, labels, targets and numbers of examples.

All raise `DataError`, which names `where` the array comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import any_array
from bioae.errors import DataError, shortened
from bioae.units import has_unit

BYTES = (bytes, bytearray, memoryview)

_LARGEST_WHOLE = 2**63 - 1
_BLOCK = 2**22  # numbers of signals that are checked at a time
#: The largest magnitude of a signal, so that its products with gains stay finite in 32 bits.
_LARGEST = 1e12


class FileArray:
    """Base of arrays in files: shape and type are known before `numpy.asarray` reads the values."""

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    #: Whether data hold the array itself, and read its rows where they are used.
    lazy: ClassVar[bool] = False

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        """Select rows."""
        raise NotImplementedError

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the values."""
        raise NotImplementedError

    def blocks(self, numbers: int) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
        """Read all values in blocks of at most `numbers` values, each with its place."""
        raise NotImplementedError

    def with_channel(self) -> Self:
        """Return the array with a last axis of length 1."""
        raise NotImplementedError


def as_array(source: Any, where: str) -> NDArray[Any]:
    """Return an array of NumPy: of numbers, bytes, or tensors on a device or with a gradient."""
    if isinstance(source, BYTES):
        return np.asarray(source) if isinstance(source, memoryview) else np.frombuffer(source, "u1")
    if isinstance(source, list | tuple) and any(hasattr(each, "detach") for each in source[:1]):
        return stack([as_array(each, where) for each in source], where)
    if hasattr(source, "detach") and hasattr(source, "cpu"):
        source = source.detach().cpu()
    if np.ma.is_masked(source):
        hint = "Fill them first, for instance array.filled(0)"
        raise DataError("some values are masked", where=where, hint=hint)
    if has_unit(source):
        hint = "Divide by it, such as values/nA; spike times are Data.of_trains(trains)"
        raise DataError("the values have a unit", where=where, hint=hint)
    try:
        return np.asarray(source)
    except ValueError as error:
        raise DataError("not a regular array", where=where, found=f"{error}") from error
    except (TypeError, RuntimeError) as error:
        found = f"{type(source).__name__}: {shortened(str(error))}"
        raise DataError("this cannot be read as an array", where=where, found=found) from error


def stack(arrays: Sequence[NDArray[Any]], where: str) -> NDArray[Any]:
    """Return arrays of one shape as one array."""
    shapes = list(dict.fromkeys(each.shape for each in arrays))
    if len(shapes) > 1:
        expected, found = f"{shapes[0]}, as of the first", f"{shapes[1]}"
        raise DataError("the examples differ in shape", where=where, expected=expected, found=found)
    return np.stack(arrays)


def as_declared(array: ArrayLike | FileArray, where: str) -> NDArray[Any] | FileArray:
    """Return an array of NumPy, or one in a file unread; `numpy.asarray` reads its values."""
    return array if isinstance(array, FileArray) else as_array(array, where)


def misfit(what: str, where: str, expected: str, array: NDArray[Any] | FileArray) -> DataError:
    """Return the error for an array of another type or shape."""
    found = f"the type {array.dtype}, shape {array.shape}"
    return DataError(what, where=where, expected=expected, found=found)


def check_image_shape(shape: tuple[int, ...], where: str) -> tuple[int, ...]:
    """Check the shape of an array of images, and return that of an image, (channel, y, x)."""
    expected = "(example, y, x) or (example, channel, y, x)"
    flat = "Reshape flat images to (example, y, x); a single image is image[None]"
    _check_axes(shape, (3, 4), where, expected, flat if len(shape) == 2 else None)
    return shape[1:] if len(shape) == 4 else (1, *shape[1:])


def check_signal_shape(shape: tuple[int, ...], where: str) -> tuple[int, int]:
    """Check the shape of an array of signals, and return the points in time and the channels."""
    _check_axes(shape, (2, 3), where, "(example, time, channel), or (example, time) of one channel")
    return shape[1], shape[2] if len(shape) == 3 else 1


def _check_axes(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    where: str,
    expected: str,
    hint: str | None = None,
) -> None:
    if len(shape) not in axes or 0 in shape:
        what = "there are no examples" if 0 in shape else "the number of axes does not fit"
        found = f"the shape {shape}"
        raise DataError(what, where=where, expected=expected, found=found, hint=hint)


def check_pixels(
    array: ArrayLike | FileArray, where: str, white: float | None = None
) -> NDArray[np.uint8] | NDArray[np.float64]:
    """Return images (example, channel, y, x) as bytes, or as numbers in [0, 1].

    See `Data.of_images`. A largest byte of 1 raises: it probably means white, not 1/255.
    """
    declared = as_declared(array, where)
    check_image_shape(declared.shape, where)
    _check_numeric(declared, where, "bytes from 0 to 255, or numbers in [0, 1]")
    pixels = np.asarray(declared)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels
    if white is not None:
        _check_range(pixels, white, where)
        whole = white == 255 and pixels.dtype.kind in "iu"
        return pixels.astype(np.uint8) if whole else (pixels / white).astype(np.float64)
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float64)
        _check_range(pixels, 1, where)
    elif pixels.max() == 1:
        what = "bytes are intensities from 0 to 255, and the largest here is 1"
        hint = "Store 255 for white, or booleans; white=1 makes 1 white, white=255 nearly black"
        raise DataError(what, where=where, hint=hint)
    return pixels


def _check_range(pixels: NDArray[Any], white: float, where: str) -> None:
    inside = (pixels >= 0) & (pixels <= white)  # NaN compares false
    if inside.all():
        return
    first = np.unravel_index(np.argmin(inside), pixels.shape)
    finite = np.isfinite(pixels[first])
    hint = "Give bytes (uint8) for 0 to 255, or scale to [0, 1]; in Python, white=255 does so"
    raise DataError(
        "a pixel is outside the range" if finite else "a pixel is not finite", where=where,
        expected=f"numbers in [0, {white:g}]",
        found=_placed(pixels[first], first, ("example", "channel", "y", "x")),
        hint=hint if finite and white == 1 else None,
    )  # fmt: skip


def check_signals(array: ArrayLike | FileArray, where: str) -> NDArray[Any] | FileArray:
    """Return signals (example, time, channel): finite numbers of at most 1e12, checked by blocks.

    Those of one channel may have the shape (example, time). Lazy arrays stay in their files.
    """
    declared = as_declared(array, where)
    check_signal_shape(declared.shape, where)
    _check_numeric(declared, where, "real numbers")
    if isinstance(declared, FileArray) and declared.lazy:
        for place, block in declared.blocks(_BLOCK):
            _check_values(block, place, where)
        return declared if len(declared.shape) == 3 else declared.with_channel()
    signals = np.asarray(declared)
    _check_values(signals, (0, 0, 0), where)
    return signals if signals.ndim == 3 else signals[..., None]


def _check_values(block: NDArray[Any], place: tuple[int, ...], where: str) -> None:
    """Check a block of signals, whose first number has a place in the whole array."""
    flat = block.reshape(-1)
    for start in range(0, len(flat), _BLOCK):
        inside = np.abs(flat[start : start + _BLOCK].astype(np.float64)) <= _LARGEST
        if inside.all():  # NaN compares false
            continue
        first = np.unravel_index(start + int(np.argmin(inside)), block.shape)
        numbers = [int(at) + begin for at, begin in zip(first, place, strict=False)]
        raise DataError(
            "a value does not fit", where=where,
            expected=f"finite numbers of a magnitude of at most {_LARGEST:g}",
            found=_placed(block[first], [*numbers, 0], ("example", "time", "channel")),
        )  # fmt: skip


def _placed(value: Any, place: Any, axes: tuple[str, ...]) -> str:
    numbered = (f"{axis} {at}" for axis, at in zip(axes, place, strict=False))
    return f"{value} at {', '.join(numbered)}"


def _check_numeric(array: NDArray[Any] | FileArray, where: str, expected: str) -> None:
    if array.dtype.kind not in "buif":
        found = f"the type {array.dtype}"
        raise DataError("values must be numbers", where=where, expected=expected, found=found)


def check_indices(array: ArrayLike | FileArray, examples: int, where: str) -> NDArray[np.int64]:
    """Return the numbers of examples, which key their random input: all differ."""
    declared = array if isinstance(array, FileArray) else any_array(array)
    expected, what = f"{examples} different whole numbers, 0 or more", "the indices do not fit"
    if declared.dtype.kind not in "iu" or declared.shape != (examples,):
        raise misfit(what, where, expected, declared)
    numbers = np.asarray(declared)
    distinct = len(np.unique(numbers))
    if distinct != examples or numbers.min() < 0 or numbers.max() > _LARGEST_WHOLE:
        found = f"{distinct} different ones from {numbers.min()} to {numbers.max()}"
        raise DataError(what, where=where, expected=expected, found=found)
    return numbers.astype(np.int64)


def check_labels(array: ArrayLike | FileArray, examples: int, where: str) -> NDArray[np.int64]:
    """Return the labels of examples, one whole number for each."""
    declared = as_declared(array, where)
    if declared.dtype.kind in "OUST" and declared.shape == (examples,):
        what, hint = "the labels are names of classes", "numpy.unique(labels, return_inverse=True)"
        found = shortened(repr(np.asarray(declared).tolist()[0]))
        raise DataError(what, where=where, found=found, hint=f"Number them: {hint}[1]")
    expected = f"{examples} whole numbers of at most {_LARGEST_WHOLE}, shape ({examples},)"
    if declared.dtype.kind not in "ui" or declared.shape != (examples,):
        raise misfit("the labels do not fit the data", where, expected, declared)
    labels = np.asarray(declared)
    if (labels > _LARGEST_WHOLE).any():
        found = str(labels.max())
        raise DataError("a label is too large", where=where, expected=expected, found=found)
    return labels.astype(np.int64)


def check_targets(
    array: ArrayLike | FileArray, examples: int, where: str, points: int | None = None
) -> NDArray[np.float64]:
    """Return the targets of examples as numbers (example, output) or (example, time, output).

    Those over time last as long as signals of `points` in time: each target for a whole number of
    points, or each point for a whole number of targets.
    """
    declared = as_declared(array, where)
    shape = declared.shape
    fits = len(shape) in (1, 2, 3) and shape[0] == examples and 0 not in shape
    if declared.dtype.kind not in "buif" or not fits:
        expected = f"numbers ({examples}, output) or ({examples}, time, output)"
        raise misfit("the targets do not fit the data", where, expected, declared)
    if points and len(shape) == 3 and points % shape[1] and shape[1] % points:
        expected = f"{points} targets in time, or a whole number for each point or for each target"
        raise misfit("the targets do not last as long as the signals", where, expected, declared)
    targets = np.asarray(declared).astype(np.float64)
    if not np.isfinite(targets).all():
        raise DataError("a target is not finite", where=where, expected="finite numbers")
    return targets[:, None] if targets.ndim == 1 else targets
