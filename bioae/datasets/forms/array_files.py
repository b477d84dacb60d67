"""Data in files of named arrays, ``.npz`` or HDF5; the names distinguish images from signals."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.checks import misfit
from bioae.datasets.data import Data, Known, Split
from bioae.datasets.forms.registry import BOTH, Request
from bioae.datasets.hdf5_files import StoredArray, stored_names
from bioae.datasets.numpy_files import array_names, read_array
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
    """Load the images, signals or events in a file, or raise DataError."""
    zipped = path.suffix == ".npz"
    names = array_names(path) if zipped else stored_names(path)
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
    arrays: dict[str, Any] = {
        key: read_array(path, name) if zipped else StoredArray.of(path, name)
        for key, name in present.items()
        if name is not None
    }
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
    _check_events(arrays, path)
    milliseconds = "event_time_ms" in arrays
    return Data.of_events(
        arrays[kind],
        arrays["event_time_ms" if milliseconds else "event_step"],
        arrays["event_channel"],
        channels=_number(np.asarray(arrays["channels"]), "channels", path),
        unit="ms" if milliseconds else "step",
        examples=_number(np.asarray(arrays["examples"]), "examples", path)
        if "examples" in arrays
        else None,
        **known,
    )


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


def _number(array: NDArray[Any], name: str, path: Path) -> int:
    if array.size != 1 or array.dtype.kind not in "iu":
        raise misfit(f"{name} is not a number", str(path), "one whole number", array)
    return int(array.reshape(()))


def _name_of(key: str, names: Collection[str], split: Split) -> str | None:
    """Return the name of an array in a file, that of both splits first."""
    known = [key, f"{key}_{split}"]
    known += [f"{_KERAS[key]}_{split}"] if key in _KERAS else []
    return next((name for name in known if name in names), None)
