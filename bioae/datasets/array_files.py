"""Data sets in files of named arrays, ``.npz`` or HDF5; the names tell images from signals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, get_args

import numpy as np

from bioae.datasets.arrays import ZippedArray, array_names
from bioae.datasets.checks import FileArray, check_image_shape, check_signal_shape
from bioae.datasets.data import Data, Declared, Kind, Known
from bioae.datasets.store import Split
from bioae.datasets.stored import StoredArray, stored_names
from bioae.errors import DataError, shortened

__all__ = ["ARRAY_FILES", "BOTH", "ArrayFile", "Check", "holds_data_set"]

#: Refuses the kind and the shapes that a file declares, by raising an error.
Check: TypeAlias = Callable[[Declared], None]

#: The suffixes of such files.
ARRAY_FILES = (".npz", ".h5", ".hdf5")

#: The split of the examples of a file with a single set, which is that of both splits.
BOTH = "all"

#: The arrays that tell the kind of a file.
_KINDS = ("images", "signals", "event_example")
#: The names that Keras gives to arrays of both splits.
_KERAS = {"images": "x", "labels": "y"}


def holds_data_set(names: Sequence[str]) -> bool:
    """Return whether arrays of these names are a data set, of one set of examples or of splits."""
    return any(_named(names, kind, each) for kind in _KINDS for each in get_args(Split))


@dataclass(frozen=True)
class ArrayFile:
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
    names: Sequence[str]
    read: Callable[[Path, str], FileArray]

    @classmethod
    def of(cls, path: Path, split: Split) -> ArrayFile:
        """Open a file with one of the suffixes `ARRAY_FILES`.

        Raises
        ------
        DataError
            If it is damaged, or not safe to read.
        """
        if path.suffix == ".npz":
            return cls(path, split, array_names(path), ZippedArray.of)
        return cls(path, split, stored_names(path), StoredArray.of)

    def load(self, check: Check | None = None) -> Data:
        """Return the data set.

        All shapes are compared before a large array is read, since a small compressed file may
        declare gigabytes.

        Parameters
        ----------
        check
            Called with the kind and the shapes that the file declares; raises an error to refuse
            them.

        Raises
        ------
        DataError
            If there is none, or several; or if its arrays do not fit.
        """
        found = [kind for kind in _KINDS if self._name(kind) is not None]
        if len(found) != 1:
            raise DataError(
                "there are several data sets in the file"
                if found
                else "there are no images, signals or events in the file",
                where=str(self.path),
                expected=f"an array named images or x_{self.split}, signals or "
                f"signals_{self.split}, or event_example or event_example_{self.split}",
                found=shortened(", ".join(self.names), 200) or "no array",
            )
        if found == ["event_example"]:
            self._check_events()
        if check is not None:
            check(self._declared(found[0]))
        if found == ["images"]:
            return Data.of_images(self._array("images"), **self._known())
        if found == ["signals"]:
            return Data.of_signals(self._array("signals"), **self._known())
        return self._events()

    def _declared(self, key: str) -> Declared:
        """Return the kind and the shapes of the data set, whose large arrays are not read."""
        points, targets = None, self._optional("targets")
        kind: Kind
        if key == "images":
            kind, shape = "images", check_image_shape(self._array(key).shape, self._where(key))
        elif key == "signals":
            points, channels = check_signal_shape(self._array(key).shape, self._where(key))
            kind, shape = "signals", (channels,)
        else:
            kind, shape = "events", (self._number("channels"),)
        outputs = None if targets is None else targets.shape[1:] or (1,)
        return Declared(kind, shape, str(self.path), self.split, points, outputs)

    def _check_events(self) -> None:
        """Check that the file has the arrays of events, and their times once."""
        milliseconds = self._name("event_time_ms") is not None
        if milliseconds and self._name("event_step") is not None:
            raise DataError(
                "the times of the events are given twice",
                where=str(self.path),
                expected="event_time_ms or event_step",
                found=f"{self._name('event_time_ms')} and {self._name('event_step')}",
            )
        time = "event_time_ms" if milliseconds else "event_step"
        missing = [key for key in (time, "event_channel", "channels") if self._name(key) is None]
        if missing:
            raise DataError(
                f"the array {missing[0]} of the events is missing",
                where=str(self.path),
                expected="event_example, event_time_ms or event_step, event_channel and channels",
                found=shortened(", ".join(self.names), 200),
            )

    def _events(self) -> Data:
        milliseconds = self._name("event_time_ms") is not None
        time = self._array("event_time_ms" if milliseconds else "event_step")
        return Data.of_events(
            self._array("event_example"), time, self._array("event_channel"),
            channels=self._number("channels"),
            unit="ms" if milliseconds else "step",
            examples=None if self._name("examples") is None else self._number("examples"),
            **self._known(),
        )  # fmt: skip

    def _known(self) -> Known:
        """Return the labels, targets and indices in the file, and its name."""
        single = any(kind in self.names for kind in _KINDS)
        return {
            "labels": self._optional("labels"),
            "targets": self._optional("targets"),
            "indices": self._optional("indices"),
            "name": str(self.path),
            "split": BOTH if single else self.split,
        }

    def _optional(self, key: str) -> FileArray | None:
        return None if self._name(key) is None else self._array(key)

    def _name(self, key: str) -> str | None:
        return _named(self.names, key, self.split)

    def _where(self, key: str) -> str:
        return f"{self.path}: {self._name(key)}"

    def _array(self, key: str) -> FileArray:
        name = self._name(key)
        assert name is not None
        return self.read(self.path, name)

    def _number(self, key: str) -> int:
        array = self._array(key)
        if math.prod(array.shape) != 1 or array.dtype.kind not in "iu":
            raise DataError(
                f"{key} is no number",
                where=str(self.path),
                expected="one whole number",
                found=f"the type {array.dtype}, shape {array.shape}",
            )
        return int(np.asarray(array).reshape(()))


def _named(names: Sequence[str], key: str, split: Split) -> str | None:
    """Return the name of an array in a file, that of both splits first."""
    known = [key, f"{key}_{split}"]
    known += [f"{_KERAS[key]}_{split}"] if key in _KERAS else []
    return next((name for name in known if name in names), None)
