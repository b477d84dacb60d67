"""Share work among processes; results come in the order of the work, whoever did it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from bioae.errors import TargetError

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

    Raises
    ------
    TargetError
        If a process was killed.
    """
    global _function  # noqa: PLW0603
    workers = min(workers, len(work))
    if workers <= 1:
        yield from map(function, work)
        return
    _function = function
    others = multiprocessing.active_children()
    context = multiprocessing.get_context("fork")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_apart)
    try:
        yield from executor.map(_call, work)
    except BaseException as error:
        _kill(child for child in multiprocessing.active_children() if child not in others)
        if isinstance(error, BrokenProcessPool):
            raise TargetError(
                "a worker process was killed",
                mend="If memory ran out, use fewer workers or smaller chunks",
            ) from error
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        _function = None


def _apart() -> None:
    """Leave Ctrl-C to the parent, which ends this process and whatever it runs."""
    os.setpgid(0, 0)


def _kill(children: Iterable[BaseProcess]) -> None:
    for child in children:
        assert child.pid is not None
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not come to be apart yet
            child.kill()


def _call(piece: Any) -> Any:
    assert _function is not None
    return _function(piece)
