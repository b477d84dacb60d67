"""Conversion of arrays, tensors, files and data sets to `Data`."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from bioae.checks import number, whole
from bioae.datasets.array_files import ARRAY_FILES, Check, holds_data_set
from bioae.datasets.arrays import ZippedArray, array_names, read_array
from bioae.datasets.catalogue import DATA_SETS
from bioae.datasets.checks import FileArray, as_array, check_positions
from bioae.datasets.data import Data, Known
from bioae.datasets.forms import (
    BYTES,
    as_numpy,
    example_numbers,
    example_of,
    in_order,
    is_data_set,
    is_events,
    is_list,
    parts_of_tensors,
    refuse_near_misses,
    sensor_of,
    stack,
)
from bioae.datasets.layouts import arranged, as_batch
from bioae.datasets.loading import BOTH, first, load
from bioae.datasets.pictures import is_picture, pixels_of
from bioae.datasets.recordings import (
    RecordedUnit,
    events_of_monitor,
    events_of_neo,
    events_of_recordings,
    is_neo,
)
from bioae.datasets.store import Split
from bioae.errors import DataError, InputError, did_you_mean
from bioae.inputs import check_input

__all__ = ["DataOptions", "check_options", "convert"]

#: The name of arrays in errors.
_UNNAMED = "an array"


class DataOptions(TypedDict, total=False):
    """Facts that data do not state themselves, see `convert`."""

    labels: ArrayLike | None
    split: Split
    limit: int | None
    examples: ArrayLike | None
    layout: str | None
    white: float | None
    sensor: Sequence[int] | None
    time_unit: RecordedUnit | None


def check_options(
    options: Mapping[str, object],
    function: Callable[..., object],
    known: Iterable[str] = DataOptions.__annotations__,
) -> None:
    """Refuse a keyword that is neither an argument of a function nor an option of data.

    Raises
    ------
    InputError
        With the name of the function, which the user called, and a suggestion.
    """
    known = tuple(known)
    arguments = [
        name
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not Parameter.VAR_KEYWORD and name != "self"
    ]
    for name in options:
        if name not in known:
            raise InputError(
                f"{function.__name__}() has no argument {name!r}",
                hint=did_you_mean(name, [*arguments, *known])
                or f"Its arguments are {', '.join([*arguments, *known])}",
            )


def convert(
    source: Any,
    shape: Sequence[int] | None = None,
    *,
    points: int | None = None,
    labels: ArrayLike | None = None,
    split: Split | None = None,
    limit: int | None = None,
    examples: ArrayLike | None = None,
    layout: str | None = None,
    white: float | None = None,
    sensor: Sequence[int] | None = None,
    time_unit: RecordedUnit | None = None,
    check: Check | None = None,
) -> Data:
    """Return data in any of the forms of `docs/data.md` as `Data`.

    Parameters
    ----------
    source
        `Data`; the name of a data set, or a path; an array, a tensor, or
        bytes; an image of Pillow; a data set of PyTorch, torchvision or tonic; structured arrays of
        events; a recording of Neo; or a `SpikeMonitor` of Brian2.
    shape
        The shape of an image, (channel, y, x), or of a signal at one time, (channel,), as in the
        network's ``input_shape``. Flat and single images, signals in arrays, and recordings without
        a sensor need it.
    points
        The number of points in time of a signal, to recognise single ones.
    labels
        The class of each example (example), in place of those that the data have: of all examples,
        or of the first `limit`.
    split
        The split of a named data set or a path; ``"test"`` by default.
    limit
        Use the first `limit` examples.
    examples
        Use the examples at these positions, in this order; not together with `limit`.
    layout
        The axes of an array in order, such as ``"NHWC"`` or ``"NCT"``: N examples, C channels, H
        rows, W columns, T points in time.
    white
        The value of a pixel of full intensity, such as 255 for bytes in another type; they are
        divided by it.
    sensor
        The numbers of columns, rows and polarities of events with the fields x, y and p; by default
        the ``sensor_size`` of their data set.
    time_unit
        The unit of the times of such events: ``"us"``, the default, ``"ms"``, ``"s"`` or
        ``"step"``.
    check
        As for `load`.

    Raises
    ------
    DataError
        If the form is not known, the data do not fit it, or an option does not apply.
    """
    limit = None if limit is None else whole(limit, "limit", least=1, error=DataError)
    if limit is not None and examples is not None:
        raise DataError("limit and examples exclude each other", hint="Give one of the two")
    white = None if white is None else number(white, "white", above=0, error=DataError)
    form = None if shape is None else tuple(shape)
    classes = None if labels is None else as_numpy(labels, "labels")
    # Labels of more examples than the first ones are checked against all.
    early = limit if classes is None or classes.shape == (limit,) else None
    options = (split, early, layout, white, sensor, time_unit)
    data = _Conversion(form, points, labels is not None, *options, check).of(source)
    data = data if early is None else first(data, early)
    if classes is not None:
        data = data.assign(labels=classes)
    if examples is not None:
        return data[check_positions(examples, len(data))]
    return data if limit is None else first(data, limit)


@dataclass
class _Conversion:
    """A conversion with its options; one that has no effect on the form of the data is refused."""

    shape: tuple[int, ...] | None
    points: int | None
    labelled: bool  # by the caller, in place of the data's own labels
    split: Split | None
    limit: int | None
    layout: str | None
    white: float | None
    sensor: Sequence[int] | None
    time_unit: RecordedUnit | None
    check: Check | None
    name: str = _UNNAMED

    def of(self, source: Any) -> Data:
        """Convert a source of any form."""
        if isinstance(source, Data):
            self._refuse("split", "layout", "white", "sensor", "time_unit")
            return source
        if isinstance(source, str | os.PathLike):
            return self._of_path(source)
        self._refuse("split")
        if is_events(source) or is_list(source, is_events):
            return self._of_recordings([source] if is_events(source) else source)
        if is_neo(source) or is_list(source, is_neo):
            self._refuse("layout", "white", "sensor", "time_unit")
            return events_of_neo(source, labelled=self.labelled)
        if all(hasattr(source, name) for name in ("i", "t", "source")):
            self._refuse("layout", "white", "sensor", "time_unit")
            return events_of_monitor(source)
        if is_picture(source) or is_list(source, is_picture):
            return self._of_pictures([source] if is_picture(source) else source)
        if is_data_set(source):
            return self._of_data_set(source)
        numbers = example_numbers(source)
        source = in_order(source)
        refuse_near_misses(source, self.name)
        data = self._of_array(source)
        return data if numbers is None else data.assign(indices=numbers)

    def _of_path(self, source: str | os.PathLike[str]) -> Data:
        split, self.split = self.split or "test", None  # which an array in a file does not have
        named = isinstance(source, str) and source in DATA_SETS
        path = Path(source) if named else check_input(source, DataError, "data set")
        if not named and path.suffix == ".npy" and path.is_file():
            self.name = str(path)
            return self.of(read_array(path))
        if not named and path.suffix == ".npz" and path.is_file():
            names = array_names(path)
            if {"t", "x"} <= set(names) and not holds_data_set(names):
                self.name = str(path)
                fields = [name for name in ("t", "x", "y", "p") if name in names]
                return self.of({name: np.asarray(ZippedArray.of(path, name)) for name in fields})
        if path.suffix in ARRAY_FILES and (self.layout or self.white):
            raise DataError(
                "arrays in a file with names have the order of axes and the range of the format",
                where=str(path),
                hint="Read the array and give it, for instance numpy.load(path)['images']",
            )
        self._refuse("layout", "white", "sensor", "time_unit")
        return load(str(source) if named else path, split, self.limit, check=self.check)

    def _of_recordings(self, source: Iterable[Any]) -> Data:
        self._refuse("layout", "white")
        channels = self.shape[0] if self.shape is not None and len(self.shape) == 1 else None
        return events_of_recordings(
            list(source), sensor=self.sensor, channels=channels, unit=self.time_unit or "us",
            **self._source,
        )  # fmt: skip

    def _of_pictures(self, source: Iterable[Any]) -> Data:
        self._refuse("layout", "white", "sensor", "time_unit")
        pixels = [pixels_of(each, self.name) for each in source]
        return self._images(stack(pixels, self.name))

    def _of_array(self, source: Any) -> Data:
        self._refuse("sensor", "time_unit")
        in_time = self.shape is not None and len(self.shape) == 1
        in_time = in_time or "T" in (self.layout or "")
        if isinstance(source, FileArray):  # only its parts are read
            self._refuse("layout", "white")
            return self._signals(source) if in_time else self._images(source)
        array = as_numpy(source, self.name)
        pixels = 0 if self.shape is None else math.prod(self.shape)
        if isinstance(source, BYTES) and not in_time and pixels and array.size % pixels == 0:
            array = array.reshape(-1, pixels)
        if self.layout is not None:
            array = arranged(array, self.layout, self.name)
        elif self.shape is not None:
            array = as_batch(array, self.shape, self.points, self.name)
        if in_time:
            self._refuse("white")
            return self._signals(array)
        return self._images(array)

    def _of_data_set(self, source: Any) -> Data:
        """Convert a data set of PyTorch: tensors, or items of an example and its label."""
        self.name = type(source).__name__
        if hasattr(source, "tensors"):
            values, known = parts_of_tensors(source.tensors, self.name)
            return self._with_known(self._of_array(values), known)
        count = len(source)
        count = count if self.limit is None else min(count, self.limit)
        items = [example_of(source[place], self.name) for place in range(count)]
        if not items:
            raise DataError("there are no examples", where=self.name)
        values = [value for value, _ in items]
        known = [known for _, known in items]
        if is_events(values[0]):
            self.sensor = self.sensor or sensor_of(source)
            return self._with_known(self._of_recordings(values), known)
        if is_picture(values[0]):
            return self._with_known(self._of_pictures(values), known)
        arrays = [as_numpy(value, self.name) for value in values]
        return self._with_known(self._of_array(stack(arrays, self.name)), known)

    def _with_known(self, data: Data, known: Any) -> Data:
        """Add labels, whole numbers, or targets, other numbers, if all examples have them."""
        if known is None or any(each is None for each in known):
            return data
        answers = as_array([as_numpy(each, self.name) for each in known], f"{self.name}: labels")
        if answers.ndim == 1 and answers.dtype.kind != "f":
            if self.labelled:
                return data
            return data.assign(labels=answers)
        return data.assign(targets=answers)

    def _images(self, array: ArrayLike | FileArray) -> Data:
        return Data.of_images(array, white=self.white, **self._source)

    def _signals(self, array: ArrayLike | FileArray) -> Data:
        return Data.of_signals(array, **self._source)

    @property
    def _source(self) -> Known:
        return {} if self.name == _UNNAMED else {"name": self.name, "split": BOTH}

    def _refuse(self, *options: str) -> None:
        """Refuse options that the form of the data leaves without effect."""
        for name in options:
            value = getattr(self, name)
            if value is not None:
                raise DataError(
                    f"{name} has no effect on data of this form",
                    where=name,
                    found=repr(value),
                    hint="Leave it out",
                )
