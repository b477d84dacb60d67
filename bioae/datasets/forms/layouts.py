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


def as_batch(array: NDArray[Any], shape: tuple[int, ...], points: int | None) -> NDArray[Any]:
    """Return an array of examples of a known shape with an axis for each of their axes.

    Images have the shape (example, channel, y, x) or, of one channel, (example, y, x), or are flat,
    (example, pixel). Signals have the shape (example, time, channel) or, of one channel, (example,
    time). A single example has no axis of examples. Arrays of other shapes stay as they are.
    """
    if 0 in array.shape:
        return array  # refused by the checks of its kind
    if len(shape) == 1:
        return _signals(array, shape[0], points)
    one_image = array.shape == shape or (shape[0] == 1 and array.shape == shape[1:])
    if one_image or (array.ndim in (1, 2) and array.shape[-1] == math.prod(shape)):
        return array.reshape(-1, *shape)
    return array


def _signals(array: NDArray[Any], channels: int, points: int | None) -> NDArray[Any]:
    if array.ndim == 5 and math.prod(array.shape[2:]) == channels:
        return array.reshape(*array.shape[:2], channels)  # frames (example, time, C, y, x)
    if points is None and array.ndim == 2 and array.shape[-1] == channels > 1:
        return array[None]
    if array.shape == (points, channels) or (channels == 1 and array.shape == (points,)):
        return array.reshape(1, -1, channels)
    return array
