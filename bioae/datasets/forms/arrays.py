"""Arrays, tensors, nested lists and bytes: the form of everything that no other form recognises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.checks import BYTES, as_array
from bioae.datasets.data import Data, Known
from bioae.datasets.forms.layouts import arranged, as_batch
from bioae.datasets.forms.registry import Request, form
from bioae.errors import DataError

#: The dimensions of images and signals in order.
_DIMENSIONS = ("example", "time", "channel", "y", "x")


@form(lambda _: True, "layout", "white")
def arrays(source: Any, request: Request) -> Data:
    """Return images, or signals where the network's input or the layout has time."""
    where = request.name or "an array"
    numbers = _example_numbers(source)
    source = _in_order(source)
    if "example" in tuple(getattr(source, "dims", ()))[1:]:
        hint = "Give its transpose('example', ...)"
        raise DataError("the examples are not the first dimension", where=where, hint=hint)
    array = as_array(source, where)
    shape = request.shape
    pixels = 0 if shape is None or request.in_time else math.prod(shape)
    if isinstance(source, BYTES) and pixels and array.size % pixels == 0:
        array = array.reshape(-1, pixels)
    if request.layout is not None:
        array = arranged(array, request.layout, where)
    elif shape is not None:
        array = as_batch(array, shape, request.points)
    known: Known = {**request.source, "indices": numbers}
    if request.in_time:
        request.refuse("white")
        data = Data.of_signals(array, **known)
    else:
        data = Data.of_images(array, white=request.white, **known)
    if shape is not None and data.shape != shape:
        layout = "NCT" if request.in_time else "NHWC"
        other = request.layout is None and {*shape} <= {*array.shape}
        raise DataError(
            "the array does not have the shape of the examples", where=where,
            expected=f"examples of the shape {shape}",
            found=f"the shape {array.shape}, examples of the shape {data.shape}",
            hint=f"Name the order of the axes, such as layout={layout!r}" if other else None,
        )  # fmt: skip
    return data


def _is_pair(source: Any) -> bool:
    """Return whether these may be examples, and a number or an array for each of them."""
    if not isinstance(source, tuple) or len(source) != 2 or _axes(source[1]) < 1:
        return False
    axes, of_y = _axes(source[0]), np.shape(source[1])
    if isinstance(source[0], list) and axes < 2 and not all(map(np.isscalar, source[0])):
        return bool(len(source[0]) == of_y[0])  # of objects, or ragged
    return axes > 1


@form(_is_pair, "layout", "white", "sensor", "time_unit")
def pairs(source: Any, request: Request) -> Data:
    """Return examples with their labels or targets, as the task or else the type requires.

    Two arrays of one shape are two examples, unless the task has targets.
    """
    same_shape = _axes(source[0]) > 0 and np.shape(source[0]) == np.shape(source[1])
    if same_shape and request.target != "targets":
        return arrays(source, request)
    data, answers = request.convert(source[0]), as_array(source[1], "y")
    by_type = "targets" if answers.dtype.kind == "f" or answers.ndim > 1 else "labels"
    key = request.target or by_type
    if key in request.known:
        raise DataError(f"{key} are given twice", where=key, hint=f"Leave out y, or {key}=")
    known: Known = {"targets": answers} if key == "targets" else {"labels": answers}
    return data.assign(**known)


def _in_order(source: Any) -> Any:
    """Return an array of xarray whose dimensions have bioae's names in bioae's order."""
    dims = getattr(source, "dims", ())
    if not isinstance(dims, tuple) or not dims or not set(dims) <= set(_DIMENSIONS):
        return source
    return source.transpose(*(name for name in _DIMENSIONS if name in dims))


def _example_numbers(source: Any) -> NDArray[np.int64] | None:
    """Return the coordinate `example` of an array of xarray; None unless it numbers examples."""
    if "example" not in getattr(source, "dims", ()) or "example" not in source.coords:
        return None
    numbers = np.asarray(source.coords["example"])
    usable = numbers.dtype.kind in "iu" and numbers.size and numbers.min() >= 0
    distinct = usable and len(np.unique(numbers)) == numbers.size
    return numbers.astype(np.int64) if distinct else None


def _axes(values: Any) -> int:
    """Return the number of axes of an array or of nested lists, of ragged ones 0."""
    try:
        return np.ndim(values)
    except ValueError:
        return 0
