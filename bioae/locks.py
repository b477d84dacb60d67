"""Locks between processes that work on the same run; file systems without locks have none."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bioae.errors import OutputError

__all__ = ["alone", "locked", "present"]


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
                mend="Wait until it has finished, or end it first",
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
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            with suppress(NotImplementedError):
                stack.enter_context(filelock.FileLock(path, timeout=-1 if wait else 0))
        except filelock.Timeout:
            yield False
        else:
            yield True


@contextmanager
def present(path: Path, *, alone: bool) -> Iterator[None]:
    """Share a run with other processes, or refuse to be there with another one.

    Parameters
    ----------
    path
        The file of the lock, in a folder of that of the run.
    alone
        Whether no other process may be there.

    Raises
    ------
    OutputError
        If another process is there, and either of them has to be alone.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                "another process works on these rows",
                where=str(path.parents[1]),
                mend="Share its work with --resume, or end it first",
            ) from None
        except OSError:
            pass
        yield
