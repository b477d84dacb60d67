"""Data sets as files of arrays, which `load` reads by their path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.conversion import check_data
from bioae.datasets.data import Data
from bioae.datasets.events import Addresses
from bioae.datasets.forms.registry import BOTH
from bioae.errors import DataError
from bioae.files import atomic_output, check_output


def save(
    path: Path | str, train: Data, test: Data | None = None, *, overwrite: bool = False
) -> Path:
    """Write a data set as an ``.npz`` file, which `load` reads by its path.

    Parameters
    ----------
    path
        The file, with the suffix ``.npz``.
    train
        The examples of the training split; of both splits if there is no `test`.
    test
        The examples of the test split, of the same kind and shapes.
    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the suffix differs, a set is not `Data`, or the two do not fit together.
    OutputError
        If the file exists and `overwrite` is not set, or it cannot be written.
    """
    path = check_output(path, overwrite=overwrite, kind="file")
    if path.suffix != ".npz":
        raise DataError("the file has another suffix", where=str(path), expected=".npz")
    sets = {BOTH: train} if test is None else {"train": train, "test": test}
    for split, data in sets.items():
        check_data(data, "test" if split == "test" else "train")
    if test is not None and (one := _kind(train)) != (other := _kind(test)):
        what, expected, found = "the test set does not fit", str(one), str(other)
        raise DataError(what, where="test", expected=expected, found=found)
    arrays = {
        name if split == BOTH else f"{name}_{split}": array
        for split, data in sets.items()
        for name, array in _arrays(data).items()
    }
    with atomic_output(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # NumPy's stubs
    return path


def _kind(data: Data) -> tuple[object, ...]:
    """Return properties that the sets of a file share: kind, shapes, and known answers."""
    unit = data.values.unit if isinstance(data.values, Addresses) else None
    targets = "no targets" if data.targets is None else f"targets {data.targets.shape[1:]}"
    labels = "no labels" if data.labels is None else "labels"
    return data.kind, data.shape, data.points, unit, labels, targets


def _arrays(data: Data) -> dict[str, NDArray[Any]]:
    events = data.values
    if isinstance(events, Addresses):
        arrays: dict[str, NDArray[Any]] = {
            "event_example": events.example,
            "event_time_ms" if events.unit == "ms" else "event_step": events.time,
            "event_channel": events.channel,
            "channels": np.array(events.channels),
            "examples": np.array(len(data)),
        }
    else:
        arrays = {data.kind: np.asarray(events)}
    known = {"labels": data.labels, "targets": data.targets}
    if not np.array_equal(data.indices, np.arange(len(data))):
        known["indices"] = data.indices  # on which random input depends
    return arrays | {name: array for name, array in known.items() if array is not None}
