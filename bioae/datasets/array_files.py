"""Data sets in files of named arrays, ``.npz`` or HDF5; the names tell images from signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.arrays import array_names, read_array
from bioae.datasets.events import Events
from bioae.datasets.examples import check_known
from bioae.datasets.images import Images, check_images
from bioae.datasets.signals import Signals
from bioae.datasets.store import Split
from bioae.datasets.stored import StoredArray, stored_names
from bioae.errors import DataError, shortened

__all__ = ["ARRAY_FILES", "BOTH", "ArrayFile"]

#: The suffixes of such files.
ARRAY_FILES = (".npz", ".h5", ".hdf5")

#: The split of the examples of a file with a single set, which is that of both splits.
BOTH = "all"

#: The arrays that tell the kind of a file.
_KINDS = ("images", "signals", "event_example")
#: The names that Keras gives to arrays of both splits.
_KERAS = {"images": "x", "labels": "y"}


class _Answers(TypedDict):
    """Known labels and targets of examples, and the name of their data set."""

    labels: NDArray[Any] | None
    targets: NDArray[Any] | None
    name: str
    split: str


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
        Reads one; arrays of HDF5 files are read where they are used.
    """

    path: Path
    split: Split
    names: Sequence[str]
    read: Callable[[Path, str], NDArray[Any] | StoredArray]

    @classmethod
    def of(cls, path: Path, split: Split) -> ArrayFile:
        """Open a file with one of the suffixes `ARRAY_FILES`.

        Raises
        ------
        DataError
            If it is damaged, or not safe to read.
        """
        if path.suffix == ".npz":
            return cls(path, split, array_names(path), read_array)
        return cls(path, split, stored_names(path), StoredArray.of)

    def load(self) -> Images | Signals | Events:
        """Return the data set.

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
        if found == ["images"]:
            return self._images()
        return self._signals() if found == ["signals"] else self._events()

    def _images(self) -> Images:
        pixels = check_images(self._array("images"), where=self._where("images"))
        answers = self._answers()
        count, where = len(pixels), str(self.path)
        labels, targets = check_known(
            answers["labels"], answers["targets"], examples=count, where=where, kind="images"
        )
        return Images(pixels, labels, where, answers["split"], np.arange(count), targets)

    def _signals(self) -> Signals:
        name = self._name("signals")
        assert name is not None
        return Signals.of(self.read(self.path, name), **self._answers())

    def _events(self) -> Events:
        milliseconds = self._name("event_time_ms") is not None
        time = "event_time_ms" if milliseconds else "event_step"
        missing = [key for key in (time, "event_channel", "channels") if self._name(key) is None]
        if missing:
            raise DataError(
                f"the array {missing[0]} of the events is missing",
                where=str(self.path),
                expected="event_example, event_time_ms or event_step, event_channel and channels",
                found=shortened(", ".join(self.names), 200),
            )
        return Events.of(
            self._array("event_example"), self._array(time), self._array("event_channel"),
            channels=self._number("channels"),
            unit="ms" if milliseconds else "step",
            examples=None if self._name("examples") is None else self._number("examples"),
            **self._answers(),
        )  # fmt: skip

    def _answers(self) -> _Answers:
        labels, targets = (
            None if self._name(key) is None else self._array(key) for key in ("labels", "targets")
        )
        single = any(kind in self.names for kind in _KINDS)
        return {
            "labels": labels,
            "targets": targets,
            "name": str(self.path),
            "split": BOTH if single else self.split,
        }

    def _name(self, key: str) -> str | None:
        """Return the name of an array in the file, that of both splits first."""
        names = [key, f"{key}_{self.split}"]
        names += [f"{_KERAS[key]}_{self.split}"] if key in _KERAS else []
        return next((name for name in names if name in self.names), None)

    def _where(self, key: str) -> str:
        return f"{self.path}: {self._name(key)}"

    def _array(self, key: str) -> NDArray[Any]:
        name = self._name(key)
        assert name is not None
        return np.asarray(self.read(self.path, name))

    def _number(self, key: str) -> int:
        values = self._array(key)
        if values.size != 1 or values.dtype.kind not in "iu":
            raise DataError(
                f"{key} is no number",
                where=str(self.path),
                expected="one whole number",
                found=f"the type {values.dtype}, shape {values.shape}",
            )
        return int(values.reshape(()))
