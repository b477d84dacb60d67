"""Data in files of named arrays, ``.npz`` or HDF5; the names distinguish images from signals."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from bioae.datasets.checks import FileArray, check_image_shape, check_signal_shape, misfit
from bioae.datasets.data import Data, Declared, Known, Split
from bioae.datasets.forms.registry import BOTH, Request
from bioae.datasets.hdf5_files import StoredArray, stored_names
from bioae.datasets.numpy_files import ZippedArray, array_names
from bioae.errors import DataError, shortened

__all__ = ["ARRAY_FILES", "holds_data_set", "load_arrays"]

#: The suffixes of such files.
ARRAY_FILES = (".npz", ".h5", ".hdf5")

#: The arrays that tell the kind of a file.
_KINDS = ("images", "signals", "event_example")
#: The names that Keras gives to arrays of both splits.
_KERAS = {"images": "x", "labels": "y"}


def holds_data_set(names: Collection[str]) -> bool:
    """Return whether arrays of these names are a data set, of one set of examples or of splits."""
    return any(_name_of(kind, names, each) for kind in _KINDS for each in get_args(Split))


def load_arrays(path: Path, request: Request) -> Data:
    """Load the images, signals or events in a file, or raise DataError.

    All shapes are compared before a large array is read, since a small compressed file may
    declare gigabytes.
    """
    zipped = path.suffix == ".npz"
    names = array_names(path) if zipped else stored_names(path)
    read = ZippedArray.of if zipped else StoredArray.of
    split = request.split or "test"
    file = _ArrayFile(path, split, names, read)
    kinds = [kind for kind in _KINDS if file.name_of(kind) is not None]
    if len(kinds) != 1:
        raise DataError(
            "there are several data sets in the file"
            if kinds
            else "there are no images, signals or events in the file",
            where=str(path),
            expected=f"an array named images or x_{split}, signals or signals_{split}, or "
            f"event_example or event_example_{split}",
            found=shortened(", ".join(names), 200) or "no array",
        )
    declared = file.declared(kinds[0])
    if request.check is not None:
        request.check(declared)
    if declared.kind == "events":
        return file.events()
    make = Data.of_images if declared.kind == "images" else Data.of_signals
    return make(file.array(kinds[0]), **file.known())


@dataclass(frozen=True)
class _ArrayFile:
    """A file of arrays: of one set of examples, or of both splits, whose names end with the split.

    Parameters
    ----------
    path
        The file.
    split
        The split to load.
    names
        The names of its arrays.
    read
        Opens one: its shape and type are known, and its values are read where they are used.
    """

    path: Path
    split: Split
    names: Collection[str]
    read: Callable[[Path, str], FileArray]

    def name_of(self, key: str) -> str | None:
        """Return the name of an array, None if it is not there."""
        return _name_of(key, self.names, self.split)

    def array(self, key: str) -> FileArray:
        """Return an array that is there."""
        name = self.name_of(key)
        assert name is not None
        return self.read(self.path, name)

    def optional(self, key: str) -> FileArray | None:
        """Return an array, None if it is not there."""
        return None if self.name_of(key) is None else self.array(key)

    def known(self) -> Known:
        """Return the labels, targets and indices in the file, and its name."""
        single = any(kind in self.names for kind in _KINDS)
        return {
            "labels": self.optional("labels"),
            "targets": self.optional("targets"),
            "indices": self.optional("indices"),
            "name": str(self.path),
            "split": BOTH if single else self.split,
        }

    def declared(self, key: str) -> Declared:
        """Return the kind and the shapes of the data set, whose large arrays are not read."""
        targets, points = self.optional("targets"), None
        outputs = None if targets is None else targets.shape[1:] or (1,)
        if key == "event_example":
            self._check_events()
            shape: tuple[int, ...] = (self._number("channels"),)
            return Declared("events", shape, str(self.path), self.split, targets=outputs)
        where, stored = f"{self.path}: {self.name_of(key)}", self.array(key).shape
        if key == "images":
            shape = check_image_shape(stored, where)
            return Declared("images", shape, str(self.path), self.split, targets=outputs)
        points, channels = check_signal_shape(stored, where)
        return Declared("signals", (channels,), str(self.path), self.split, points, outputs)

    def events(self) -> Data:
        """Return the events of the file."""
        milliseconds = self.name_of("event_time_ms") is not None
        return Data.of_events(
            self.array("event_example"),
            self.array("event_time_ms" if milliseconds else "event_step"),
            self.array("event_channel"),
            channels=self._number("channels"),
            unit="ms" if milliseconds else "step",
            examples=None if self.name_of("examples") is None else self._number("examples"),
            **self.known(),
        )

    def _check_events(self) -> None:
        """Check that the file has the arrays of events, and their times once."""
        times = [key for key in ("event_time_ms", "event_step") if self.name_of(key) is not None]
        needed = [*(times or ["event_step"]), "event_channel", "channels"]
        missing = [key for key in needed if self.name_of(key) is None]
        if missing or len(times) == 2:
            raise DataError(
                f"the array {missing[0]} of the events is missing"
                if missing
                else "the times of the events are given twice",
                where=str(self.path),
                expected="event_example, event_time_ms or event_step, event_channel and channels",
                found=shortened(", ".join(self.names), 200),
            )

    def _number(self, key: str) -> int:
        array = self.array(key)
        if math.prod(array.shape) != 1 or array.dtype.kind not in "iu":
            raise misfit(f"{key} is no number", str(self.path), "one whole number", array)
        return int(np.asarray(array).reshape(()))


def _name_of(key: str, names: Collection[str], split: Split) -> str | None:
    """Return the name of an array in a file, that of both splits first."""
    known = [key, f"{key}_{split}"]
    known += [f"{_KERAS[key]}_{split}"] if key in _KERAS else []
    return next((name for name in known if name in names), None)
