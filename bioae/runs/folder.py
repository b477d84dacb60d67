"""The folder of a run: the names of its files, and the lock that excludes other processes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bioae.errors import OutputError
from bioae.files import check_only, check_output, remove
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

#: The files of a run that another one replaces.
_FILES = TEST, METRICS, CHECKPOINT, *FIGURES

_LOCK = ".lock"
#: The files of a trained network and of a baseline.
_NETWORK = ("network.toml", "weights.safetensors", CONFIG)


def check_folder(out: Path | str, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Return the folder of a run, which is empty or missing, or whose run is resumed or replaced.

    Raises `OutputError` if it holds no run but something else, also in the folder of a network, or
    it cannot be written.
    """
    out = as_path(out, OutputError, "output")
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    new = not out.is_file() and all(name.startswith(".") for name in names)
    out = check_output(out, overwrite=resume or overwrite or new, kind="folder")
    if new or resume:  # which removes nothing
        return out
    folders = [name for name in _FILES if (out / name).is_dir()]
    if folders or names.isdisjoint({CONFIG, _LOCK}):
        raise OutputError(
            "the folder is not that of a run and was kept", where=str(out),
            expected=f"a folder with {CONFIG}", found=min(folders or names),
            hint="Choose another folder",
        )  # fmt: skip
    for name in (MODEL, START):
        check_only(out / name, *_NETWORK)
    return out


def clear(out: Path, keep: Collection[str] = ()) -> None:
    """Delete a previous run's files except `keep`."""
    for name in (MODEL, *_FILES):
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
