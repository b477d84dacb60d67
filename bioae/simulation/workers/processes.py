"""Run chunks in processes of this machine, and run the chunk of a killed process again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from bioae.errors import TargetError
from bioae.simulation.presentations import Presentations
from bioae.simulation.workers.runner import Build, Finished

__all__ = ["TRIES", "run_in_processes", "shared"]

Work = TypeVar("Work")
Done = TypeVar("Done")

#: The number of times that a piece of work is tried: processes may be killed for memory.
TRIES = 3


def run_in_processes(
    build: Build, images: Presentations, parts: Sequence[slice], workers: int
) -> Finished:
    """Yield parts of the images and the network's activity, as they are finished.

    Parameters
    ----------
    build
        Builds the network, once for all processes.
    images, parts
        The images, and the parts to run.
    workers
        The number of processes; 1 is this one.

    Raises
    ------
    TargetError
        As `shared`; or if the network cannot be built or run.
    """
    if not parts:
        return
    with build() as runner:
        for place, ran in shared(partial(runner.run, images), parts, workers):
            yield parts[place], runner.read(ran, parts[place])


def shared(
    function: Callable[[Work], Done], work: Sequence[Work], workers: int
) -> Iterator[tuple[int, Done]]:
    """Yield the position of each piece of work and the function's value, as they are finished.

    Parameters
    ----------
    function
        The function; it may close over anything.
    work
        The pieces.
    workers
        The number of processes; 1 is this one.

    Raises
    ------
    TargetError
        If the processes that took a piece were killed, one after another.
    """
    workers = min(workers, len(work))
    if workers <= 1:
        yield from ((place, function(piece)) for place, piece in enumerate(work))
        return
    pool = _ForkedPool(function)
    try:
        yield from pool.run(work, workers)
    finally:
        pool.end()


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    connection: Connection[Any, Any]
    place: int

    def end(self) -> None:
        """End the process and its children."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):  # it has no process group yet
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()


class _ForkedPool:
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._workers: list[_Worker] = []

    def run(self, work: Sequence[Any], workers: int) -> Iterator[tuple[int, Any]]:
        waiting = deque(range(len(work)))
        tries: Counter[int] = Counter()
        while waiting or self._workers:
            while waiting and len(self._workers) < workers:
                self._start(waiting.popleft(), work)
            for worker in self._ready():
                try:
                    succeeded, value = worker.connection.recv()
                except (EOFError, OSError):
                    self._workers.remove(worker)
                    worker.end()
                    tries[worker.place] += 1
                    _check_tries(tries[worker.place])
                    waiting.appendleft(worker.place)
                    continue
                if not succeeded:
                    raise value
                place = worker.place
                if waiting:
                    self._give(worker, waiting.popleft(), work)
                else:
                    self._workers.remove(worker)
                    worker.end()
                yield place, value

    def end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _ready(self) -> list[_Worker]:
        ready = wait([worker.connection for worker in self._workers])
        return [worker for worker in self._workers if worker.connection in ready]

    def _start(self, place: int, work: Sequence[Any]) -> None:
        context = multiprocessing.get_context("fork")  # so that it may close over anything
        parent, child = context.Pipe()
        # Copies of our ends in it would keep the others from noticing our end.
        closed = [parent, *(worker.connection for worker in self._workers)]
        process = context.Process(target=_serve, args=(self._function, child, closed), daemon=True)
        process.start()
        child.close()
        worker = _Worker(process, parent, place)
        self._workers.append(worker)
        self._give(worker, place, work)

    def _give(self, worker: _Worker, place: int, work: Sequence[Any]) -> None:
        worker.place = place
        with suppress(OSError):  # it is dead already, which `run` notices
            worker.connection.send(work[place])


def _check_tries(tries: int) -> None:
    if tries >= TRIES:
        raise TargetError(
            f"a worker process was killed, and so were {tries - 1} more that repeated its work",
            mend="If memory ran out, use fewer workers or smaller chunks",
        )


def _serve(
    function: Callable[[Any], Any], connection: Connection[Any, Any], closed: Iterable[Any]
) -> None:
    """Work through the pieces that a connection brings, until it closes."""
    os.setpgid(0, 0)  # Ctrl-C is left to the parent, which ends this process and its children
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for other in closed:
        other.close()
    with suppress(EOFError, OSError):
        while True:
            connection.send(_attempt(function, connection.recv()))


def _attempt(function: Callable[[Any], Any], piece: Any) -> tuple[bool, Any]:
    try:
        return True, function(piece)
    except Exception as error:  # noqa: BLE001
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        return False, error
