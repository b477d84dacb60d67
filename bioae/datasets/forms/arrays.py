"""Arrays, tensors, nested lists and bytes: the form of everything that no other form recognises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
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
    _refuse_near_misses(source, where)
    array = as_array(source, where)
    shape = request.shape
    pixels = 0 if shape is None or request.in_time else math.prod(shape)
    if isinstance(source, BYTES) and pixels and array.size % pixels == 0:
        array = array.reshape(-1, pixels)
    if request.layout is not None:
        array = arranged(array, request.layout, where)
    elif shape is not None:
        array = as_batch(array, shape, request.points, where)
    known: Known = {**request.source, "indices": numbers}
    if request.in_time:
        request.refuse("white")
        return Data.of_signals(array, **known)
    return Data.of_images(array, white=request.white, **known)


def _is_pair(source: Any) -> bool:
    """Return whether these are examples, and a number or an array for each of them."""
    if not isinstance(source, tuple) or len(source) != 2 or min(map(_axes, source)) < 1:
        return False
    of_x, of_y = map(np.shape, source)
    return len(of_x) > 1 and (len(of_y) == 1 or (of_x[0] == of_y[0] and of_x != of_y))


@form(_is_pair, "layout", "white")
def pairs(source: Any, request: Request) -> Data:
    """Return an array with its labels or its targets, as the task or else the type requires."""
    data, answers = arrays(source[0], request), as_array(source[1], "y")
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


def _refuse_near_misses(source: Any, where: str) -> None:
    """Reject forms that people try, with the form that they need."""
    misses = {
        "a mapping holds several arrays": (
            isinstance(source, Mapping),
            "Give one of them; spikes are Data.of_trains(trains), or the fields t and x",
        ),
        "this is a sparse matrix": (
            hasattr(source, "nnz") and hasattr(source, "toarray"),
            "Give its toarray()",
        ),
        "the examples are not the first dimension": (
            "example" in tuple(getattr(source, "dims", ()))[1:],
            "Give its transpose('example', ...)",
        ),
        "an iterator can be read only once": (isinstance(source, Iterator), "Make a list of it"),
        "these are lists of unequal lengths": (
            isinstance(source, list) and len(source) > 0 and all(map(_is_ragged, source)),
            "Spike times are Data.of_trains(trains)",
        ),
    }
    for what, (applies, hint) in misses.items():
        if applies:
            raise DataError(what, where=where, found=type(source).__name__, hint=hint)


def _axes(values: Any) -> int:
    """Return the number of axes of an array or of nested lists, of ragged ones 0."""
    try:
        return np.ndim(values)
    except ValueError:
        return 0


def _is_ragged(rows: Any) -> bool:
    """Return whether these are lists, not all of the same length."""
    return (
        isinstance(rows, list | tuple)
        and all(hasattr(row, "__len__") for row in rows)
        and len({len(row) for row in rows}) > 1
    )
