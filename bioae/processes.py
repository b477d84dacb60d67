"""Work in forked processes of this machine; the work of a killed process is done again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, TypeVar

from bioae.errors import TargetError

__all__ = ["TRIES", "begun", "shared"]

Work = TypeVar("Work")
Done = TypeVar("Done")

#: The number of times that a piece of work is tried: processes may be killed for memory.
TRIES = 3


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
    pool = _ForkedPool(function, work, workers)
    try:
        yield from pool.run()
    finally:
        pool.end()


@contextmanager
def begun(
    function: Callable[[Work], Done], work: Sequence[Work]
) -> Iterator[Callable[[], list[Done]]]:
    """Start a process for each piece of work, and yield a function that waits for the values.

    This process is free meanwhile. At the end of the block the others are ended.

    Parameters
    ----------
    function
        The function; it may close over anything.
    work
        The pieces, a few. The values are in their order.

    Raises
    ------
    TargetError
        As `shared`, from the function that waits.
    """
    pool = _ForkedPool(function, work, len(work))

    def values() -> list[Done]:
        done = dict(pool.run())
        return [done[place] for place in range(len(work))]

    try:
        pool.start()
        yield values
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
    def __init__(self, function: Callable[[Any], Any], work: Sequence[Any], processes: int) -> None:
        self._function = function
        self._work = work
        self._processes = processes
        self._waiting = deque(range(len(work)))
        self._workers: list[_Worker] = []

    def start(self) -> None:
        """Start the processes that are missing, as far as there is work."""
        while self._waiting and len(self._workers) < self._processes:
            self._start(self._waiting.popleft())

    def run(self) -> Iterator[tuple[int, Any]]:
        waiting = self._waiting
        tries: Counter[int] = Counter()
        while waiting or self._workers:
            self.start()
            for worker in self._ready():
                try:
                    message = worker.connection.recv_bytes()
                except (EOFError, OSError):
                    self._workers.remove(worker)
                    worker.end()
                    tries[worker.place] += 1
                    _check_tries(tries[worker.place])
                    waiting.appendleft(worker.place)
                    continue
                succeeded, value = ForkingPickler.loads(message)
                del message  # as large as the value
                if not succeeded:
                    raise value
                place = worker.place
                if waiting:
                    self._give(worker, waiting.popleft())
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

    def _start(self, place: int) -> None:
        context = multiprocessing.get_context("fork")  # so that it may close over anything
        parent, child = context.Pipe()
        # Copies of our ends in it would keep the others from noticing our end.
        closed = [parent, *(worker.connection for worker in self._workers)]
        process = context.Process(target=_serve, args=(self._function, child, closed), daemon=True)
        process.start()
        child.close()
        worker = _Worker(process, parent, place)
        self._workers.append(worker)
        self._give(worker, place)

    def _give(self, worker: _Worker, place: int) -> None:
        worker.place = place
        with suppress(OSError):  # it is dead already, which `run` notices
            worker.connection.send(self._work[place])


def _check_tries(tries: int) -> None:
    if tries >= TRIES:
        raise TargetError(
            f"a worker process was killed, and so were {tries - 1} more that repeated its work",
            hint="If memory ran out, use fewer workers (or smaller chunks, in Python)",
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
            connection.send_bytes(_attempt(function, connection.recv()))


def _attempt(function: Callable[[Any], Any], piece: Any) -> memoryview:
    """Return the message about a piece: its value or the error, which the parent can read."""
    try:
        return ForkingPickler.dumps((True, function(piece)))
    except Exception as error:  # noqa: BLE001
        text = f"In a worker process:\n{traceback.format_exc()}"
        error.add_note(text)
        try:
            message = ForkingPickler.dumps((False, error))
            ForkingPickler.loads(message)
        except Exception:  # noqa: BLE001
            return ForkingPickler.dumps((False, RuntimeError(text)))
        return message
