"""Run chunks in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from bioae.errors import TargetError
from bioae.simulation.engine import Build, Finished
from bioae.simulation.presentations import Presentations

Work = TypeVar("Work")
Done = TypeVar("Done")


def run_in_processes(
    build: Build, presented: Presentations, parts: Sequence[slice], workers: int
) -> Finished:
    """Yield parts of the presentations and the network's activity, as they are finished.

    The network is built once for all processes; see `shared`.

    Raises
    ------
    TargetError
        If a process is killed, or the network cannot be built or run.
    """
    if not parts:
        return
    with build() as runner:
        for place, ran in shared(partial(runner.run, presented), parts, workers):
            yield parts[place], runner.read(ran, parts[place])


def shared(
    function: Callable[[Work], Done], work: Sequence[Work], workers: int
) -> Iterator[tuple[int, Done]]:
    """Yield the position of each piece of work and the function's value, as they are finished.

    Processes inherit the function: it may hold a built network. One worker is this process.

    Raises
    ------
    TargetError
        If a process is killed.
    """
    workers = min(workers, len(work))
    if workers <= 1:
        yield from ((place, function(piece)) for place, piece in enumerate(work))
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("fork"),
        initializer=_begin,
        initargs=(function, os.getpid()),
    )
    waiting = iter(enumerate(work))
    running: dict[Future[Done], int] = {}
    processes: set[int] = set()
    try:
        while True:
            # Few at a time, so that finished pieces do not fill the memory.
            for place, piece in islice(waiting, workers - len(running)):
                running[pool.submit(_work, piece)] = place
            processes = processes or {
                each.pid or 0 for each in {*multiprocessing.active_children()} - others
            }
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
    except BaseException as error:
        for process in processes:
            for kill in (os.killpg, os.kill):  # it may not have its group yet
                with suppress(ProcessLookupError):
                    kill(process, signal.SIGKILL)
        if isinstance(error, BrokenProcessPool):
            raise TargetError(
                "a worker process was killed",
                hint="If memory ran out, use fewer workers (or smaller chunks, in Python); "
                "finished chunks of a file are kept for --resume",
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)


# Functions that run in a process.

_function: Callable[[Any], Any]


def _begin(function: Callable[[Any], Any], parent: int) -> None:
    global _function  # noqa: PLW0603 - one per process
    _function = function
    os.setpgid(0, 0)  # Ctrl-C is left to the parent, which ends this process and its children
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    """End this process and its children once its parent was killed, which cannot end them."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)


def _work(piece: Any) -> Any:
    return _function(piece)
