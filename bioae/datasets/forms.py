"""Objects of other libraries, recognised by their form, so that none of these is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.checks import as_array
from bioae.errors import DataError, shortened

__all__ = [
    "BYTES",
    "as_numpy",
    "example_numbers",
    "example_of",
    "in_order",
    "is_data_set",
    "is_events",
    "is_list",
    "parts_of_tensors",
    "refuse_near_misses",
    "sensor_of",
    "stack",
]

BYTES = (bytes, bytearray, memoryview)

#: The dimensions of images and signals in order.
_DIMENSIONS = ("example", "time", "channel", "y", "x")


def as_numpy(source: Any, where: str) -> NDArray[Any]:
    """Return an array of NumPy, of tensors too, which may be on a device or have a gradient."""
    if isinstance(source, memoryview):
        return np.asarray(source)
    if isinstance(source, BYTES):
        return np.frombuffer(source, np.uint8)
    if isinstance(source, list | tuple) and len(source) and hasattr(source[0], "detach"):
        return stack([as_numpy(each, where) for each in source], where)
    if hasattr(source, "detach") and hasattr(source, "cpu"):
        source = source.detach().cpu()
    try:
        return as_array(source, where)
    except (TypeError, RuntimeError) as error:
        raise DataError(
            "this cannot be read as an array",
            where=where,
            found=f"{type(source).__name__}: {shortened(str(error))}",
        ) from error


def stack(arrays: Sequence[NDArray[Any]], where: str) -> NDArray[Any]:
    """Return arrays of one shape as one array."""
    shapes = list(dict.fromkeys(each.shape for each in arrays))
    if len(shapes) > 1:
        raise DataError(
            "the examples differ in shape",
            where=where,
            expected=f"{shapes[0]}, as of the first",
            found=f"{shapes[1]}",
        )
    return np.stack(arrays)


def in_order(source: Any) -> Any:
    """Return an array of xarray whose dimensions have bioae's names in bioae's order."""
    dims = getattr(source, "dims", ())
    if not isinstance(dims, tuple) or not dims or not set(dims) <= set(_DIMENSIONS):
        return source
    return source.transpose(*(name for name in _DIMENSIONS if name in dims))


def example_numbers(source: Any) -> NDArray[np.int64] | None:
    """Return the coordinate `example` of an array of xarray; None unless it numbers examples."""
    if "example" not in getattr(source, "dims", ()) or "example" not in source.coords:
        return None
    numbers = np.asarray(source.coords["example"])
    usable = numbers.dtype.kind in "iu" and numbers.size and numbers.min() >= 0
    distinct = usable and len(np.unique(numbers)) == numbers.size
    return numbers.astype(np.int64) if distinct else None


def refuse_near_misses(source: Any, where: str) -> None:
    """Refuse forms that people try, with the form that they need."""
    pair = isinstance(source, tuple) and len(source) == 2
    if pair and _axes(source[1]) == 1 and _axes(source[0]) > 1:
        what, hint = "this is a pair of data and labels", "Give the labels as labels="
    elif isinstance(source, Mapping):
        what = "a mapping holds several arrays"
        hint = "Give one of them; spikes are Data.of_trains(trains), or the fields t and x"
    elif hasattr(source, "nnz") and hasattr(source, "toarray"):
        what, hint = "this is a sparse matrix", "Give its toarray()"
    elif "example" in getattr(source, "dims", ())[1:]:
        what, hint = (
            "the examples are not the first dimension",
            "Give its transpose('example', ...)",
        )
    elif isinstance(source, Iterator):
        what, hint = "an iterator can be read only once", "Make a list of it"
    elif isinstance(source, list) and is_list(source, _is_ragged):
        what = "these are lists of unequal lengths"
        hint = "Spike times are Data.of_trains(trains)"
    else:
        return
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


def is_events(source: Any) -> bool:
    """Return whether this is a recording of events: a structured array, or a mapping of arrays."""
    if isinstance(source, Mapping):
        return "t" in source and "x" in source
    return getattr(getattr(source, "dtype", None), "names", None) is not None


def is_list(source: Any, kind: Any) -> bool:
    """Return whether this is a list, not empty, whose items are all of a kind."""
    return isinstance(source, list | tuple) and len(source) > 0 and all(map(kind, source))


def is_data_set(source: Any) -> bool:
    """Return whether this is a data set of PyTorch's form.

    Raises
    ------
    DataError
        If it is a loader, whose order may be random.
    """
    if hasattr(source, "dataset") and hasattr(source, "batch_size"):
        raise DataError(
            "a loader of batches may draw them in random order",
            where=type(source).__name__,
            hint="Give its data set, loader.dataset",
        )
    if isinstance(source, (list, tuple, Mapping, *BYTES)):
        return False
    arraylike = any(hasattr(source, name) for name in ("__array__", "dtype", "detach"))
    return not arraylike and all(hasattr(source, name) for name in ("__getitem__", "__len__"))


def parts_of_tensors(tensors: Sequence[Any], where: str) -> tuple[Any, Any]:
    """Return the examples and the labels or targets of a `TensorDataset`."""
    if len(tensors) not in (1, 2):
        raise DataError(
            "the data set does not have the form of examples with labels",
            where=where,
            expected="one or two tensors",
            found=str(len(tensors)),
        )
    return tensors[0], None if len(tensors) == 1 else as_numpy(tensors[1], where)


def example_of(item: Any, where: str) -> tuple[Any, Any]:
    """Return an example and its label, None if it has none."""
    if isinstance(item, Mapping) and not is_events(item):
        value = next((item[name] for name in ("image", "pixel_values", "x") if name in item), None)
        if value is not None:
            return value, item.get("label")
    elif not isinstance(item, tuple | list):
        return item, None
    elif len(item) in (1, 2):
        return item[0], item[1] if len(item) == 2 else None
    raise DataError(
        "an item of the data set does not have the form of an example with its label",
        where=where,
        expected="(example, label)",
        found=f"{type(item).__name__} of {len(item)}",
    )


def sensor_of(source: Any) -> Sequence[int] | None:
    """Return the size of the sensor of a data set, or of the one of which it is a part."""
    while not hasattr(source, "sensor_size") and hasattr(source, "dataset"):
        source = source.dataset
    size: Sequence[int] | None = getattr(source, "sensor_size", None)
    return size
