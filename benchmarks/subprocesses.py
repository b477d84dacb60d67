"""Work in separate processes, so that each has its own settings and peak memory."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_SAMPLE_SECONDS = 0.05
_KILOBYTES_PER_MEGABYTE = 1024


class Subprocess:
    """Work that is set up once in a new process, and runs there when called.

    Parameters
    ----------
    start
        Sets up, and returns the function to run; sent to the process, so it must be importable.
    program
        The name of a program that the work runs; its memory counts, not that of the process.
    """

    def __init__(
        self, start: Callable[[], Callable[[], object]], *, program: str | None = None
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, child = context.Pipe()
        self._process = context.Process(target=_serve, args=(start, program, child))
        self._process.start()
        child.close()
        self._receive()

    def __call__(self) -> Any:
        """Run the work, and return its result."""
        self._connection.send("run")
        return self._receive()

    @property
    def megabytes(self) -> float:
        """Peak resident memory so far."""
        self._connection.send("memory")
        return float(self._receive())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.join()

    def _receive(self) -> Any:
        succeeded, value = self._connection.recv()
        if not succeeded:
            raise value
        return value


def _serve(
    start: Callable[[], Callable[[], object]],
    program: str | None,
    connection: Connection[Any, Any],
) -> None:
    memory = _PeakMemory(program)
    try:
        work = start()
        connection.send((True, None))
        with suppress(EOFError):
            while True:
                if connection.recv() == "run":
                    with memory:
                        answer = work()
                else:
                    answer = memory.megabytes
                connection.send((True, answer))
    except Exception as error:  # noqa: BLE001
        connection.send((False, error))


class _PeakMemory:
    """Peak memory of this process, or of a program that it runs within a block.

    Sampling takes time from a core, so it is done rarely, and only within the block.
    """

    def __init__(self, program: str | None) -> None:
        self._most = 0.0
        self._program = program
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def megabytes(self) -> float:
        return self._most if self._program is not None else _peak(Path("/proc/self"))

    def __enter__(self) -> None:
        if self._program is not None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._ended.set()
            self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError, ValueError):
                    named = (process / "comm").read_text().strip() == self._program
                    if named and _is_descendant(int(process.name), os.getpid()):
                        self._most = max(self._most, _peak(process))


def _is_descendant(process: int, ancestor: int) -> bool:
    while process > 1 and process != ancestor:
        stat = Path(f"/proc/{process}/stat").read_text()
        process = int(stat.rpartition(")")[2].split()[1])
    return process == ancestor


def _peak(process: Path) -> float:
    # getrusage would include the memory of the process that started the program.
    for line in (process / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / _KILOBYTES_PER_MEGABYTE
    return 0.0
