"""Guard of HDF5 files from strangers: a file is inspected before the library reads it here.

What this process wrote itself, and what it has inspected, is not inspected again while the file
stays the same.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import h5netcdf
import h5py

from bioae.errors import InputError, ResultError, shortened
from bioae.hdf5.inspection import time_limit

__all__ = ["Refusal", "begin_inspection", "inspected", "open_inspected", "trust"]

Identity: TypeAlias = tuple[int, ...]

_START_SECONDS = 30  # of Python and its libraries, on a busy machine
_SCRIPT = Path(__file__).with_name("inspection.py")
_SAFE: set[Identity] = set()
_BEGUN: dict[Identity, Future[subprocess.CompletedProcess[str]]] = {}
_MOST_BEGUN = 2**24  # bytes of a file: a command that fails waits for the inspection's end


class Refusal:
    """The error that refuses a file.

    Parameters
    ----------
    kind
        Its class.
    what, parts
        Its text, as in `bioae.errors.BioaeError`; the reason is what was found.
    """

    def __init__(self, kind: type[InputError], what: str, **parts: str) -> None:
        self._kind, self._what, self._parts = kind, what, parts

    def error(self, reason: str) -> InputError:
        """Return the error that gives a reason."""
        return self._kind(self._what, found=reason, **self._parts)

    def changed(self) -> InputError:
        """Return the error of a file that another process writes."""
        where = self._parts["where"]
        return self._kind("the file changes while it is read", where=where, hint="Read it later")


def trust(path: Path) -> None:
    """Declare that a file is safe to read as it is now: this process wrote it."""
    _SAFE.add(_identity(path))


def begin_inspection(path: Path) -> None:
    """Inspect a small file in the background: the next to open it waits for less.

    Parameters
    ----------
    path
        The file. If there is none, it is for the next to open it to say so.
    """
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= _MOST_BEGUN:
            background = ThreadPoolExecutor(1)
            _BEGUN[_identity(path)] = background.submit(_run, str(path.absolute()))
            background.shutdown(wait=False)


def open_inspected(path: str, mode: str, *, where: str, **options: Any) -> h5netcdf.File:
    """Open a netCDF file for reading, after inspection.

    xarray calls it again when it opens the file again, here or in another process.

    Parameters
    ----------
    path, mode, options
        As for `h5netcdf.File`; only for reading.
    where
        The path that an error names.

    Raises
    ------
    ResultError
        If the file is not safe to read, or changes meanwhile.
    OSError, ValueError
        If it cannot be read.
    """
    refusal = Refusal(
        ResultError,
        "the file cannot be read as netCDF4; it is truncated or of another kind",
        where=where,
        expected="the result of a simulation",
        hint="Simulate again, or name another file",
    )
    with ExitStack() as opened:
        with inspected(Path(path), refusal):
            file = opened.enter_context(h5netcdf.File(path, mode, **options))
            with h5py.File(path) as stored:
                _check_axes(file, stored)
        opened.pop_all()
    return file


@contextmanager
def inspected(path: Path, refusal: Refusal, *, texts: bool = False) -> Iterator[None]:
    """Inspect a file before the block, which opens it, and check afterwards that it is the same.

    Parameters
    ----------
    path
        The file.
    refusal
        The error that refuses it.
    texts
        Whether arrays of texts are allowed in addition to those of numbers.

    Raises
    ------
    InputError
        If the file is not safe to read, or changes meanwhile.
    OSError
        If there is none.
    """
    before = _identity(path)
    checked = (*before, texts)
    if checked not in _SAFE and before not in _SAFE:
        _inspect(str(path), refusal, texts=texts)
    yield
    if _identity(path) != before:
        raise refusal.changed()
    _SAFE.add(checked if texts else before)


def _check_axes(group: Any, stored: h5py.Group) -> None:
    """Refuse variables whose dimensions have other lengths: a lazy one would be read wrongly."""
    for name, found in stored.items():
        if isinstance(found, h5py.Group):
            _check_axes(group.groups[name], found)
            continue
        # The library's prefix tells a variable from a dimension of the same name.
        variable = group.variables.get(name.replace("_nc4_non_coord_", ""))
        if variable is not None and variable.shape != found.shape:
            raise ValueError(
                f"{name} has axes of {found.shape}, and dimensions of {variable.shape}"
            )


def _identity(path: Path) -> Identity:
    status = path.stat()
    # The time of the last change, unlike that of the last write, cannot be set.
    return (
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )  # fmt: skip


def _run(path: str, *, texts: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(_SCRIPT), path, *(["texts"] if texts else [])]
    # Threads of a library for linear algebra would take memory, and nothing needs them.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, check=False,
            timeout=_START_SECONDS + time_limit(Path(path)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -signal.SIGALRM, "", "")


def _inspect(path: str, refusal: Refusal, *, texts: bool) -> None:
    begun = None if texts else _BEGUN.pop(_identity(Path(path)), None)
    done = begun.result() if begun else _run(path, texts=texts)
    if done.returncode:
        raise refusal.error(_reason(done))


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == -signal.SIGALRM:
        return "arrays that are not read in time"
    if done.returncode < 0:
        return f"a structure on which the HDF5 library fails (signal {-done.returncode})"
    return shortened(done.stdout.strip(), 300) or "a structure that takes too much memory"
