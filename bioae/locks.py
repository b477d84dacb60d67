"""Locks between processes that work on the same run; file systems without locks have none."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bioae.errors import OutputError

__all__ = ["alone", "flock", "locked", "present"]


@contextmanager
def alone(path: Path, *, what: str, where: Path) -> Iterator[None]:
    """Hold a lock until the block or the process ends, or refuse to wait for another process.

    Parameters
    ----------
    path
        The file of the lock, which is made, and never removed.
    what, where
        What the other process does, and the folder in which it does so, named in errors.

    Raises
    ------
    OutputError
        If another process holds it.
    """
    with locked(path, wait=False) as mine:
        if not mine:
            raise OutputError(
                f"another process {what} in this folder",
                where=str(where),
                hint="Wait until it has finished, or end it first",
            )
        yield


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock, and tell whether this process has it.

    Parameters
    ----------
    path
        The file of the lock, which is made, and never removed.
    wait
        Whether to wait for a process that holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        mine = flock(file, shared=False, wait=wait)
        try:
            yield mine is not False
        finally:
            _unlock(file, mine)


@contextmanager
def present(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Share a run with other processes, or refuse to be there with another one.

    Parameters
    ----------
    path
        The file of the lock, in a folder of that of the run.
    exclusive
        Whether no other process may be there.

    Raises
    ------
    OutputError
        If another process is there, and either of them has to be alone.
    """
    with path.open("ab") as file:
        mine = flock(file, shared=not exclusive, wait=False)
        if mine is False:
            raise OutputError(
                "another process works on these rows",
                where=str(path.parents[1]),
                hint="Share its work with --resume, or end it first",
            )
        try:
            yield
        finally:
            _unlock(file, mine)


def _unlock(file: IO[bytes], mine: bool | None) -> None:
    if mine:  # a process that was forked meanwhile would keep it
        fcntl.flock(file, fcntl.LOCK_UN)


def flock(file: IO[bytes] | int, *, shared: bool, wait: bool) -> bool | None:
    """Lock an open file or folder until it is closed.

    Parameters
    ----------
    file
        The file, or the descriptor of a folder.
    shared
        Whether other processes may share the lock.
    wait
        Whether to wait for a process that holds it.

    Returns
    -------
    bool or None
        Whether this process has the lock; None where there are no locks.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has none
        return None
    return True
