"""The folder of a run: the names of its files, and the lock that excludes other processes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bioae.errors import OutputError
from bioae.files import check_output, remove
from bioae.inputs import as_path

CONFIG = "config.toml"
CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"
TEST = "test.json"

#: The artefact of the trained network; that of the network from which a run starts, if it does;
#: and figures of what was learned by rules.
MODEL = "model"
START = "start"
FIGURES = "fields.svg", "weights.svg"

_LOCK = ".lock"
#: The files of a trained network and of a baseline.
_NETWORK = {"network.toml", "weights.safetensors", CONFIG}


def check_folder(out: Path | str, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Return the folder of a run, which is empty or missing, or whose run is resumed or replaced.

    Raises `OutputError` if it holds something else, or what a run would replace is not of a run, or
    it cannot be written.
    """
    out = as_path(out, OutputError, "output")
    empty = out.is_dir() and all(path.name == _LOCK for path in out.iterdir())
    out = check_output(out, overwrite=resume or overwrite or empty, kind="folder")
    if resume:  # which removes nothing
        return out
    is_run = any((out / name).is_file() for name in (CONFIG, _LOCK))
    for name in (MODEL, START, CHECKPOINT, METRICS, TEST, *FIGURES):
        foreign = _foreign(out / name, is_run=is_run)
        if foreign is not None:
            raise OutputError(
                "the folder holds something that is not of a run and was kept", where=str(out),
                found=str(foreign.relative_to(out)),
                hint="Choose another folder, or move it elsewhere",
            )  # fmt: skip
    return out


def _foreign(path: Path, *, is_run: bool) -> Path | None:
    """Return a file that no run wrote, or one in the folder of a network; None without one.

    Hidden files are those of a desktop.
    """
    if not os.path.lexists(path):
        return None
    if path.name not in (MODEL, START):
        return None if path.is_file() and is_run else path
    if not path.is_dir():
        return path
    others = (each for each in path.iterdir() if not each.name.startswith("."))
    return next((each for each in others if each.name not in _NETWORK), None)


def clear(out: Path, keep: Collection[str] = ()) -> None:
    """Delete a previous run's files except `keep`."""
    for name in (MODEL, TEST, METRICS, CHECKPOINT, *FIGURES):
        if name not in keep:
            remove(out / name)


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made if there is none.

    Raises `OutputError`, on entry, if another process trains there.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / _LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise OutputError(
            "another process trains in this folder", where=str(out),
            hint="Wait until it has finished, or end it first",
        ) from None  # fmt: skip
    try:
        yield
    finally:
        lock.release()
