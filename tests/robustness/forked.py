"""The command line in processes that start within milliseconds, ready to be killed.

They are forked from a server that has imported the libraries, each in a separate session, so that
processes they leave behind can be found.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ["Command", "Done"]

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "bioae.cli.main",
        "bioae.analysis.report.pipeline",
        "bioae.networks.artefact",
        "bioae.simulation.run",
        "bioae.trainers.parity.networks",
        "bioae.trainers.training.training",
        "matplotlib.pyplot",
    ]
)


class Done(NamedTuple):
    """How a command ended: its exit status, or minus the signal that killed it."""

    status: int
    out: str
    err: str
    seconds: float


class Command:
    """A command of the command line that is running.

    Parameters
    ----------
    arguments
        The words after ``bioae``.
    folder
        Its working directory.
    logs
        The folder of its standard output and error.
    environment
        Further variables of its environment. ``EXAMPLE_PER_CHUNK`` simulates an example per chunk.
    """

    def __init__(
        self,
        *arguments: object,
        folder: Path,
        logs: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._files = logs / "stdout", logs / "stderr"
        self._begin = time.monotonic()
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        words = [str(argument) for argument in arguments]
        self.process = _SERVER.Process(
            target=_run, args=(words, folder, self._files, variables), daemon=False
        )
        self.process.start()

    def kill(self) -> bool:
        """Kill the process; return whether it was still running."""
        running = self.process.is_alive()
        self.process.kill()
        self.process.join()
        return running and self.process.exitcode == -signal.SIGKILL

    def wait(self, seconds: float) -> Done:
        """Wait for the end, at most so long: after that the process is killed."""
        self.process.join(seconds)
        self.kill()
        assert self.process.exitcode is not None
        out, err = (file.read_text(errors="replace") for file in self._files)
        return Done(self.process.exitcode, out, err, time.monotonic() - self._begin)

    def left(self, seconds: float = 10.0) -> list[int]:
        """Return the processes of its session that still run after a while, and end them."""
        end = time.monotonic() + seconds
        while (left := _session(self.process.pid)) and time.monotonic() < end:
            time.sleep(0.02)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left


def _run(
    words: list[str], folder: Path, files: tuple[Path, Path], variables: dict[str, str]
) -> None:
    os.setsid()
    for number, file in zip((1, 2), files, strict=True):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    from bioae.cli import main
    from bioae.simulation.workers import job

    if "EXAMPLE_PER_CHUNK" in variables:
        job._CHUNK_BYTES = 1
    sys.argv = ["bioae", *words]  # as in a separate process, which hushes libraries
    sys.exit(main())


def _session(pid: int | None) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError, ValueError):
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == pid and state != "Z":
                    found.append(int(folder.name))
    return found
