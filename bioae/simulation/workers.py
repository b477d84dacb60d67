"""Share work among processes; results come in the order of the work, whoever did it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

__all__ = ["shared"]

Work = TypeVar("Work")
Done = TypeVar("Done")

# Forked processes find the function here: what it closes over cannot be sent to them.
_function: Callable[[Any], Any] | None = None


def shared(function: Callable[[Work], Done], work: Sequence[Work], workers: int) -> Iterator[Done]:
    """Yield the function's value of each piece of work, in order.

    Parameters
    ----------
    function
        What to do; it may close over anything.
    work
        The pieces.
    workers
        How many processes; 1 is this one.
    """
    global _function  # noqa: PLW0603
    workers = min(workers, len(work))
    if workers <= 1:
        yield from map(function, work)
        return
    _function = function
    try:
        with multiprocessing.get_context("fork").Pool(workers, _apart) as pool:
            yield from pool.imap(_call, work)
    finally:
        _function = None


def _apart() -> None:
    """Leave Ctrl-C to the parent, and take along what runs here when that ends the worker."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))


def _call(piece: Any) -> Any:
    assert _function is not None
    return _function(piece)
