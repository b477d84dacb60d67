"""Data in files of named arrays, ``.npz`` or HDF5; the names distinguish images from signals."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

import numpy as np

from bioae.datasets.checks import FileArray, check_image_shape, check_signal_shape, misfit
from bioae.datasets.data import Data, Declared, Known, Split
from bioae.datasets.forms.registry import BOTH, Request
from bioae.datasets.hdf5_files import StoredArray, stored_names
from bioae.datasets.numpy_files import ZippedArray, array_names
from bioae.errors import DataError, shortened

#: The suffixes of such files.
ARRAY_FILES = (".npz", ".h5", ".hdf5")

#: The arrays that show the kind of a file, and the others.
_KINDS = ("images", "signals", "event_example")
_OTHERS = (
    "event_time_ms", "event_step", "event_channel", "channels", "examples",
    "labels", "targets", "indices",
)  # fmt: skip
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
    present = {key: _name_of(key, names, split) for key in (*_KINDS, *_OTHERS)}
    kinds = [kind for kind in _KINDS if present[kind] is not None]
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
    (kind,) = kinds
    arrays = {key: read(path, name) for key, name in present.items() if name is not None}
    if kind == "event_example":
        _check_events(arrays, path)
    declared = _declared(kind, arrays, path, split)
    if request.check is not None:
        request.check(declared)
    known: Known = {
        "labels": arrays.get("labels"),
        "targets": arrays.get("targets"),
        "indices": arrays.get("indices"),
        "name": str(path),
        "split": BOTH if any(each in names for each in _KINDS) else split,
    }
    if kind == "images":
        return Data.of_images(arrays[kind], **known)
    if kind == "signals":
        return Data.of_signals(arrays[kind], **known)
    milliseconds = "event_time_ms" in arrays
    return Data.of_events(
        arrays[kind],
        arrays["event_time_ms" if milliseconds else "event_step"],
        arrays["event_channel"],
        channels=declared.shape[0],
        unit="ms" if milliseconds else "step",
        examples=_number(arrays["examples"]) if "examples" in arrays else None,
        **known,
    )


def _declared(kind: str, arrays: Mapping[str, FileArray], path: Path, split: Split) -> Declared:
    """Return the kind and the shapes of a data set, whose large arrays are not read."""
    stored, where = arrays[kind].shape, f"{path}: {arrays[kind].name}"
    outputs = arrays["targets"].shape[1:] or (1,) if "targets" in arrays else None
    if kind == "event_example":
        channels = _number(arrays["channels"])
        return Declared("events", (channels,), str(path), split, targets=outputs)
    if kind == "images":
        shape = check_image_shape(stored, where)
        return Declared("images", shape, str(path), split, targets=outputs)
    points, channels = check_signal_shape(stored, where)
    return Declared("signals", (channels,), str(path), split, points, outputs)


def _check_events(arrays: Collection[str], path: Path) -> None:
    """Check that a file has the arrays of events, and their times once."""
    times = [key for key in ("event_time_ms", "event_step") if key in arrays]
    needed = [*(times or ["event_step"]), "event_channel", "channels"]
    missing = [key for key in needed if key not in arrays]
    if missing or len(times) == 2:
        raise DataError(
            f"the array {missing[0]} of the events is missing"
            if missing
            else "the times of the events are given twice",
            where=str(path),
            expected="event_example, event_time_ms or event_step, event_channel and channels",
            found=shortened(", ".join(arrays), 200),
        )


def _number(array: FileArray) -> int:
    if math.prod(array.shape) != 1 or array.dtype.kind not in "iu":
        raise misfit(f"{array.name} is not a number", str(array.path), "one whole number", array)
    return int(np.asarray(array).reshape(()))


def _name_of(key: str, names: Collection[str], split: Split) -> str | None:
    """Return the name of an array in a file, that of both splits first."""
    known = [key, f"{key}_{split}"]
    known += [f"{_KERAS[key]}_{split}"] if key in _KERAS else []
    return next((name for name in known if name in names), None)
