"""Checks of arrays at the border of data: values, labels, targets and numbers of examples.

All raise `DataError`, which names `where` the array comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import any_array
from bioae.datasets.hdf5_files import StoredArray
from bioae.errors import DataError, shortened
from bioae.units import has_unit

BYTES = (bytes, bytearray, memoryview)

_LARGEST_WHOLE = 2**63 - 1
_BLOCK = 2**22  # numbers of signals that are checked at a time
#: The largest magnitude of a signal, so that its products with gains stay finite in 32 bits.
_LARGEST = 1e12


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


def misfit(what: str, where: str, expected: str, array: NDArray[Any]) -> DataError:
    """Return the error for an array of another type or shape."""
    found = f"the type {array.dtype}, shape {array.shape}"
    return DataError(what, where=where, expected=expected, found=found)


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
    array: ArrayLike, where: str, white: float | None = None
) -> NDArray[np.uint8] | NDArray[np.float64]:
    """Return images (example, channel, y, x) as bytes, or as numbers in [0, 1].

    See `Data.of_images`. A largest byte of 1 raises: it probably means white, not 1/255.
    """
    pixels = as_array(array, where)
    expected = "(example, y, x) or (example, channel, y, x)"
    flat = "Reshape flat images to (example, y, x); a single image is image[None]"
    _check_axes(pixels.shape, (3, 4), where, expected, flat if pixels.ndim == 2 else None)
    _check_numeric(pixels, where, "bytes from 0 to 255, or numbers in [0, 1]")
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


def check_signals(array: ArrayLike | StoredArray, where: str) -> NDArray[Any] | StoredArray:
    """Return signals (example, time, channel): finite numbers of at most 1e12, checked by blocks.

    Those of one channel may have the shape (example, time). Arrays in HDF5 files stay there.
    """
    signals = array if isinstance(array, StoredArray) else as_array(array, where)
    shape = signals.shape
    expected = "(example, time, channel), or (example, time) of one channel"
    _check_axes(shape, (2, 3), where, expected)
    _check_numeric(signals, where, "real numbers")
    piece = signals.piece if isinstance(signals, StoredArray) else 1
    rows = piece * max(1, _BLOCK // (piece * math.prod(shape[1:])))
    for start in range(0, len(signals), rows):
        block = np.asarray(signals[start : start + rows])
        if block.min() >= -_LARGEST and block.max() <= _LARGEST:  # NaN compares false
            continue
        inside = np.abs(block.astype(np.float64)) <= _LARGEST
        first = np.unravel_index(np.argmin(inside), block.shape)
        place = [start + first[0], *first[1:], 0]
        raise DataError(
            "a value does not fit", where=where,
            expected=f"finite numbers of a magnitude of at most {_LARGEST:g}",
            found=_placed(block[first], place, ("example", "time", "channel")),
        )  # fmt: skip
    if len(shape) == 3:
        return signals
    return signals.with_channel() if isinstance(signals, StoredArray) else signals[..., None]


def _placed(value: Any, place: Any, axes: tuple[str, ...]) -> str:
    numbered = (f"{axis} {at}" for axis, at in zip(axes, place, strict=False))
    return f"{value} at {', '.join(numbered)}"


def _check_numeric(array: NDArray[Any] | StoredArray, where: str, expected: str) -> None:
    if array.dtype.kind not in "buif":
        found = f"the type {array.dtype}"
        raise DataError("values must be numbers", where=where, expected=expected, found=found)


def check_indices(array: ArrayLike, examples: int, where: str) -> NDArray[np.int64]:
    """Return the numbers of examples, which key their random input: all differ."""
    numbers = any_array(array)
    expected, what = f"{examples} different whole numbers, 0 or more", "the indices do not fit"
    if numbers.dtype.kind not in "iu" or numbers.shape != (examples,):
        raise misfit(what, where, expected, numbers)
    distinct = len(np.unique(numbers))
    if distinct != examples or numbers.min() < 0 or numbers.max() > _LARGEST_WHOLE:
        found = f"{distinct} different ones from {numbers.min()} to {numbers.max()}"
        raise DataError(what, where=where, expected=expected, found=found)
    return numbers.astype(np.int64)


def check_labels(array: ArrayLike, examples: int, where: str) -> NDArray[np.int64]:
    """Return the labels of examples, one whole number for each."""
    labels = as_array(array, where)
    if labels.dtype.kind in "OUST" and labels.shape == (examples,):
        what, hint = "the labels are names of classes", "numpy.unique(labels, return_inverse=True)"
        found = shortened(repr(labels.tolist()[0]))
        raise DataError(what, where=where, found=found, hint=f"Number them: {hint}[1]")
    expected = f"{examples} whole numbers of at most {_LARGEST_WHOLE}, shape ({examples},)"
    if labels.dtype.kind not in "ui" or labels.shape != (examples,):
        raise misfit("the labels do not fit the data", where, expected, labels)
    if (labels > _LARGEST_WHOLE).any():
        found = str(labels.max())
        raise DataError("a label is too large", where=where, expected=expected, found=found)
    return labels.astype(np.int64)


def check_targets(
    array: ArrayLike, examples: int, where: str, points: int | None = None
) -> NDArray[np.float64]:
    """Return the targets of examples as numbers (example, output) or (example, time, output).

    Those over time last as long as signals of `points` in time: each target for a whole number of
    points, or each point for a whole number of targets.
    """
    targets = as_array(array, where)
    shape = targets.shape
    fits = len(shape) in (1, 2, 3) and shape[0] == examples and 0 not in shape
    if targets.dtype.kind not in "buif" or not fits:
        expected = f"numbers ({examples}, output) or ({examples}, time, output)"
        raise misfit("the targets do not fit the data", where, expected, targets)
    if points and len(shape) == 3 and points % shape[1] and shape[1] % points:
        expected = f"{points} targets in time, or a whole number for each point or for each target"
        raise misfit("the targets do not last as long as the signals", where, expected, targets)
    targets = targets.astype(np.float64)
    if not np.isfinite(targets).all():
        raise DataError("a target is not finite", where=where, expected="finite numbers")
    return targets[:, None] if targets.ndim == 1 else targets
