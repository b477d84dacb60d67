"""Data sets of PyTorch's form, torchvision's and tonic's among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bioae.datasets.checks import BYTES, as_array, stack
from bioae.datasets.data import Data
from bioae.datasets.forms.registry import Request, form, is_picture, is_recording
from bioae.errors import DataError


def _is_data_set(source: Any) -> bool:
    """Return whether this has a length and items, and is not an array, list or mapping."""
    if isinstance(source, (list, tuple, Mapping, str, *BYTES)):
        return False
    arraylike = any(hasattr(source, name) for name in ("__array__", "dtype", "detach"))
    return not arraylike and all(hasattr(source, name) for name in ("__getitem__", "__len__"))


@form(_is_data_set, "layout", "white", "sensor", "time_unit")
def data_sets(source: Any, request: Request) -> Data:
    """Return the items, as the data set's transforms hand them out, with their labels."""
    name = type(source).__name__
    request = request.named(name)
    if hasattr(source, "tensors"):
        if len(source.tensors) not in (1, 2):
            what = "the data set does not have the form of examples with labels"
            expected, found = "one or two tensors", str(len(source.tensors))
            raise DataError(what, where=name, expected=expected, found=found)
        values, *known = source.tensors
        labels = as_array(known[0], name) if known else None
        return _with_known(request.convert(values), labels, request)
    count = len(source) if request.limit is None else min(len(source), request.limit)
    items = [_example_of(source[place], name) for place in range(count)]
    if not items:
        raise DataError("there are no examples", where=name)
    values, known = ([each[part] for each in items] for part in (0, 1))
    if is_recording(values[0]):
        request = replace(request, sensor=request.sensor or _sensor_of(source))
    elif not is_picture(values[0]):
        values = stack([as_array(value, name) for value in values], name)
    return _with_known(request.convert(values), known, request)


@form(lambda source: hasattr(source, "dataset") and hasattr(source, "batch_size"))
def loaders(source: Any, _: Request) -> Data:
    """Reject loaders of batches."""
    raise DataError(
        "a loader of batches may draw them in random order", where=type(source).__name__,
        hint="Give its data set, loader.dataset",
    )  # fmt: skip


def _example_of(item: Any, where: str) -> tuple[Any, Any]:
    """Return an example and its label, None if it has none."""
    if isinstance(item, Mapping) and not is_recording(item):
        value = next((item[name] for name in ("image", "pixel_values", "x") if name in item), None)
        if value is not None:
            return value, item.get("label")
    elif not isinstance(item, tuple | list):
        return item, None
    elif len(item) in (1, 2):
        return item[0], item[1] if len(item) == 2 else None
    raise DataError(
        "an item of the data set does not have the form of an example with its label", where=where,
        expected="(example, label)", found=f"{type(item).__name__} of {len(item)}",
    )  # fmt: skip


def _with_known(data: Data, known: Any, request: Request) -> Data:
    """Add labels, whole numbers, or targets, other numbers, if all examples have them."""
    if known is None or any(each is None for each in known):
        return data
    answers = as_array(known, f"{data.name}: labels")
    if answers.ndim != 1 or answers.dtype.kind == "f":
        return data.assign(targets=answers)
    return data if "labels" in request.known else data.assign(labels=answers)


def _sensor_of(source: Any) -> Any:
    """Return the size of the sensor of a data set, or of the one of which it is a part."""
    while not hasattr(source, "sensor_size") and hasattr(source, "dataset"):
        source = source.dataset
    return getattr(source, "sensor_size", None)
