"""Run chunks in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
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
    """
    if not parts:
        return
    with build() as runner:
        for place, chunk in shared(partial(runner, presented), parts, workers):
            yield parts[place], chunk


def shared(
    function: Callable[[Work], Done], work: Sequence[Work], workers: int
) -> Iterator[tuple[int, Done]]:
    """Yield the position of each piece of work and the function's value, as they are finished.

    Processes inherit the function: it may hold a built network. One worker is this process. Raises
    a TargetError if a process is killed.
    """
    workers = min(workers, len(work))
    if workers <= 1:
        yield from ((place, function(piece)) for place, piece in enumerate(work))
        return
    waiting = iter(enumerate(work))
    # A pipe each: in a common queue a process that is killed as it sends leaves half a message.
    processes: dict[Any, BaseProcess] = {}
    running: dict[Any, int] = {}
    try:
        for _ in range(workers):
            here: Any
            here, processes[here] = _start(function)
            _give(here, waiting, running)
        while running:
            for here in wait(running):
                with _alive():
                    done, failed = here.recv()
                if failed:
                    raise done
                place = running.pop(here)
                _give(here, waiting, running)
                yield place, done
    finally:
        for here, process in processes.items():
            for kill in (os.killpg, os.kill):  # it may not have its group yet
                with suppress(ProcessLookupError):
                    kill(process.pid or 0, signal.SIGKILL)
            process.join()
            here.close()


def _start(function: Callable[[Any], Any]) -> tuple[Connection, BaseProcess]:
    """Start a process that runs a function, and return the end of its pipe."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(function, there, os.getpid()), daemon=True)
    process.start()
    there.close()
    return here, process


def _give(here: Connection, waiting: Iterator[tuple[int, Any]], running: dict[Any, int]) -> None:
    """Give a process the next piece of work, if there is one."""
    for place, piece in islice(waiting, 1):
        with _alive():
            here.send(piece)
        running[here] = place


@contextmanager
def _alive() -> Iterator[None]:
    """Turn the end of a pipe into the error that its process was killed."""
    try:
        yield
    except (EOFError, OSError) as error:  # before a message, and within one
        raise TargetError(
            "a worker process was killed",
            hint="If memory ran out, use fewer workers (or smaller chunks, in Python); "
            "finished chunks of a file are kept for --resume",
        ) from error


# Functions that run in a process.


def _work(function: Callable[[Any], Any], there: Connection, parent: int) -> None:
    os.setpgid(0, 0)  # Ctrl-C is left to the parent, which ends this process and its children
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    while True:
        piece = there.recv()
        try:
            there.send((function(piece), False))
        except Exception as error:  # noqa: BLE001 - raised again in the parent
            error.add_note(traceback.format_exc())
            there.send((_sendable(error), True))


def _sendable(error: Exception) -> Exception:
    """Return the error, or its text if it cannot be sent."""
    try:
        ForkingPickler.loads(ForkingPickler.dumps(error))
    except Exception:  # noqa: BLE001 - of any kind
        return TargetError(f"a worker process failed: {type(error).__name__}: {error}")
    return error


def _end_after(parent: int) -> None:
    """End this process and its children once its parent was killed, which cannot end them."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.killpg(0, signal.SIGKILL)
