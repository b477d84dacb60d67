"""The folder of a run: the names of its files, and what keeps runs apart.

This file imports no PyTorch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bioae.errors import DataError, NetworkError, OutputError, key_path
from bioae.files import check_output, remove, write_text
from bioae.inputs import as_path

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "FIGURES",
    "LEARNING",
    "METRICS",
    "MODEL",
    "MOMENTS",
    "START",
    "TEST",
    "UNFINISHED",
    "alone_in",
    "check_config",
    "check_data",
    "check_folder",
    "clear",
    "write_metrics",
]

CHECKPOINT = "checkpoint.safetensors"

#: The network as it learns by rules, an artefact, and figures of what it learned.
LEARNING = "checkpoint"
FIGURES = "fields.svg", "weights.svg"

#: The state of the optimiser of such a run, with its position in the name.
MOMENTS = "moments-*.safetensors"

#: All from which a run continues.
UNFINISHED = CHECKPOINT, LEARNING, MOMENTS

CONFIG = "config.toml"
METRICS = "metrics.jsonl"
MODEL = "model"

#: The artefact of the trained network from which a run starts, if it does.
START = "start"

TEST = "test.json"
_LOCK = ".lock"

#: The files of a trained network and of a baseline.
_NETWORK = {"network.toml", "weights.safetensors", CONFIG}


def check_folder(out: Path | str, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Return the folder of a run, which is empty or missing, or whose run is resumed or replaced.

    Raises
    ------
    OutputError
        If it holds something else, or what a run would replace is not of a run, or it cannot be
        written.
    """
    out = as_path(out, OutputError, "output")
    empty = out.is_dir() and all(path.name == _LOCK for path in out.iterdir())
    out = check_output(out, overwrite=resume or overwrite or empty, kind="folder")
    if resume:  # which removes nothing
        return out
    is_run = any((out / name).is_file() for name in (CONFIG, _LOCK))
    for name in (MODEL, START, LEARNING, CHECKPOINT, METRICS, TEST, *FIGURES):
        foreign = _foreign(out / name, is_run=is_run)
        if foreign is not None:
            raise OutputError(
                "the folder holds something that is not of a run and was kept",
                where=str(out),
                found=str(foreign.relative_to(out)),
                hint="Choose another folder, or move it elsewhere",
            )
    return out


def _foreign(path: Path, *, is_run: bool) -> Path | None:
    """Return what no run wrote: a file, or one in the folder of a network; None if all is a run's.

    Hidden files are those of a desktop.
    """
    if not os.path.lexists(path):
        return None
    if path.name not in (MODEL, START, LEARNING):
        return None if path.is_file() and is_run else path
    if not path.is_dir():
        return path
    others = (each for each in path.iterdir() if not each.name.startswith("."))
    return next((each for each in others if each.name not in _NETWORK), None)


def clear(out: Path, keep: Collection[str] = ()) -> None:
    """Remove what a run that is replaced has left: the files of runs of any kind, but for some."""
    for name in (MODEL, TEST, METRICS, CHECKPOINT, LEARNING, *FIGURES):
        if name not in keep:
            remove(out / name)
    if LEARNING not in keep:
        for path in out.glob(MOMENTS):
            remove(path)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made if there is none.

    Raises
    ------
    OutputError
        On entry, if another process trains there.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise OutputError(
            "another process trains in this folder",
            where=str(out),
            hint="Wait until it has finished, or end it first",
        ) from None
    try:
        yield
    finally:
        lock.release()


def write_metrics(path: Path, history: Iterable[Mapping[str, Any]]) -> None:
    """Write one line of JSON per epoch, atomically.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file is then unchanged.
    """
    lines = "".join(json.dumps(epoch, allow_nan=False) + "\n" for epoch in history)
    write_text(path, lines, overwrite=True)


def check_config(
    stored: Mapping[str, Any], current: Mapping[str, Any], where: str, free: Collection[str]
) -> None:
    """Reject to resume a run with another configuration than it was started with.

    Parameters
    ----------
    stored, current
        The configurations, as plain data.
    where
        The checkpoint, named in errors.
    free
        The keys that may differ, because the finished part of the run does not depend on them.

    Raises
    ------
    NetworkError
        Naming the first key that differs.
    """
    before, now = dict(_flat(stored)), dict(_flat(current))
    # The start is named before the network that follows from it.
    for key in sorted((*before, *now), key=lambda key: not key.startswith("training.init")):
        if key not in free and before.get(key) != now.get(key):
            raise NetworkError(
                f"the run was started with another {key}",
                where=where,
                expected=repr(before.get(key)),
                found=repr(now.get(key)),
                hint="Resume with the configuration of the run, or start a new one elsewhere",
            )


def check_data(stored: Mapping[str, str], current: Mapping[str, str], where: str) -> None:
    """Reject to resume a run with other data than it was started with.

    Parameters
    ----------
    stored, current
        The hashes of the data, by the name of their part.
    where
        The checkpoint, named in errors.

    Raises
    ------
    DataError
        Naming the first part that differs.
    """
    for part, digest in current.items():
        before = stored.get(part, "none")
        if before != digest:
            raise DataError(
                f"the {part} data are not those that the run was started with",
                where=where,
                expected=f"the SHA-256 {before[:12]}",
                found=digest[:12],
                hint="Resume with the data of the run, or start a new one elsewhere",
            )


def _flat(
    mapping: Mapping[str, Any], prefix: str = "", *, in_list: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the paths of keys and their values; in lists of tables, of empty tables too.

    A stage without a table takes that of the run, and one with an empty table does not.
    """
    for key, value in mapping.items():
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            yield f"{prefix}{key}", f"{len(value)} tables"
            numbered = {key_path(place): each for place, each in enumerate(value)}
            yield from _flat(numbered, f"{prefix}{key}.", in_list=True)
        elif isinstance(value, Mapping) and (value or not in_list):
            yield from _flat(value, f"{prefix}{key}.", in_list=in_list)
        else:
            yield f"{prefix}{key}", value
