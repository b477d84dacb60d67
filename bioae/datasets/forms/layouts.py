"""Axes of arrays: from the orders and shapes in use to those of images and signals.

A layout names the axes of an array in order: N examples, C channels, H rows (y), W columns (x),
T points in time. All functions raise `DataError`, which names `where` the array comes from.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.errors import DataError

_IMAGES, _SIGNALS = "NCHW", "NTCHW"


def arranged(array: NDArray[Any], layout: str, where: str) -> NDArray[Any]:
    """Return an array with its axes, named by a layout such as ``"NHWC"``, in the usual order.

    These are images (example, channel, y, x) or, if the layout has a T, signals
    (example, time, channel), whose channels are in C order of (C, H, W). Missing axes have the
    length 1.
    """
    order = _SIGNALS if "T" in str(layout) else _IMAGES
    letters = list(str(layout))
    fits = 0 < len(set(letters)) == len(letters) and set(letters) <= set(order)
    if not fits or (("H" in letters) != ("W" in letters)) or not {"T", "H"} & set(letters):
        raise DataError(
            "unknown layout", where=f"{where}: layout",
            expected="the axes in order: N examples, C channels, H rows, W columns, T points in "
            "time; such as NHWC, HW or NCT",
            found=repr(layout),
        )  # fmt: skip
    if array.ndim != len(letters):
        expected, found = f"{len(letters)} axes", f"the shape {array.shape}"
        what = f"the array does not have the axes {layout}"
        raise DataError(what, where=where, expected=expected, found=found)
    present = [letters.index(letter) for letter in order if letter in letters]
    missing = [place for place, letter in enumerate(order) if letter not in letters]
    full = np.expand_dims(array.transpose(present), missing)
    return full if order == _IMAGES else full.reshape(*full.shape[:2], math.prod(full.shape[2:]))


def as_batch(
    array: NDArray[Any], shape: tuple[int, ...], points: int | None, where: str
) -> NDArray[Any]:
    """Return an array of examples of a known shape with an axis for each of their axes.

    Images have the shape (example, channel, y, x) or, of one channel, (example, y, x), or are flat,
    (example, pixel). Signals have the shape (example, time, channel) or, of one channel, (example,
    time). A single example has no axis of examples. Other orders raise.
    """
    if 0 in array.shape:
        return array  # refused by the checks of its kind
    if len(shape) == 1:
        return _signals(array, shape[0], points, where)
    return _images(array, shape, where)


def _images(array: NDArray[Any], shape: tuple[int, ...], where: str) -> NDArray[Any]:
    channels, *size = shape
    if array.shape[-3:] == (*size, channels) != shape and array.ndim in (3, 4):
        raise _other_order("HWC" if array.ndim == 3 else "NHWC", array, where)
    one_image = array.shape == shape or (channels == 1 and array.shape == tuple(size))
    pixels = math.prod(shape)
    if one_image or (array.ndim in (1, 2) and array.shape[-1] == pixels):
        return array.reshape(-1, *shape)
    if array.ndim in (3, 4):
        return array
    expected = (
        f"(example, channel, y, x) with (channel, y, x) = {shape}, or flat (example, {pixels}), "
        "or one image"
    )
    raise _other_shape("images of the network", expected, "NHWC", array, where)


def _signals(array: NDArray[Any], channels: int, points: int | None, where: str) -> NDArray[Any]:
    if array.ndim == 5 and math.prod(array.shape[2:]) == channels:
        return array.reshape(*array.shape[:2], channels)  # frames (example, time, C, y, x)
    if points is None:
        return _unknown_length(array, channels, where)
    if array.shape == (points, channels) or (channels == 1 and array.shape == (points,)):
        return array.reshape(1, points, channels)
    if array.ndim == 3 and array.shape[1:] != (points, channels):
        if array.shape[1:] == (channels, points):
            raise _other_order("NCT", array, where)
        if (array.shape[0], array.shape[2]) == (points, channels):
            raise _other_order("TNC", array, where)
    return array


def _unknown_length(array: NDArray[Any], channels: int, where: str) -> NDArray[Any]:
    """Return signals of any number of points in time, or a single one of several channels."""
    if array.ndim in (2, 3) and array.shape[-1] == channels > 1:
        return array.reshape(-1, *array.shape[-2:])
    if channels > 1 or (array.ndim == 3 and array.shape[-1] != channels):
        expected = f"(example, time, channel) or (time, channel) with {channels} channels"
        raise _other_shape("such signals", expected, "NCT", array, where)
    return array


def _other_shape(
    kind: str, expected: str, layout: str, array: NDArray[Any], where: str
) -> DataError:
    return DataError(
        f"the array does not have the shape of {kind}", where=where, expected=expected,
        found=f"the shape {array.shape}",
        hint=f"Name the axes, in another order, with layout, such as layout={layout!r}",
    )  # fmt: skip


def _other_order(layout: str, array: NDArray[Any], where: str) -> DataError:
    return DataError(
        f"the axes seem to be in the order {layout}", where=where,
        expected="(channel, y, x) or (time, channel) at the end", found=f"the shape {array.shape}",
        hint=f"Say so with layout={layout!r}, or reorder them",
    )  # fmt: skip
