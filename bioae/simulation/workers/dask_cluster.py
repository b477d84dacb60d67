"""Run chunks on a Dask cluster: every worker builds the network once, and keeps it."""

from __future__ import annotations

import atexit
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.errors import BioaeError, TargetError
from bioae.simulation.objects.reading import Chunk
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.result import versions
from bioae.simulation.workers.chunk_runners import Runner
from bioae.simulation.workers.job import Finished, Job

__all__ = ["Cluster", "connected"]

#: How long to wait for the scheduler, and for a worker where there is none.
PATIENCE_SECONDS = 30.0

_POLL_SECONDS = 1.0

#: Parts that wait at a worker, so that it never waits for one.
_AHEAD = 2


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a Dask cluster for the length of a block.

    Parameters
    ----------
    address
        Of its scheduler, such as ``tcp://127.0.0.1:8786``.

    Raises
    ------
    TargetError
        If Dask is not installed, nothing answers at the address, or there are no workers.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise TargetError(
            "a cluster needs Dask, which is not installed",
            mend="pip install 'bioae[distributed]', here and on the cluster; or use --workers",
        ) from error
    # A network is sent along with the work, whatever its size.
    quiet = {"distributed.admin.large-graph-warning-threshold": "1TB"}
    with dask.config.set(quiet), ExitStack() as stack:
        try:
            client = Client(address, timeout=PATIENCE_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise TargetError(
                f"no Dask cluster answers: {error}",
                where=address,
                mend="Start one with dask scheduler and dask worker --nthreads 1, "
                "and give the address that the scheduler prints",
            ) from error
        stack.enter_context(client)
        cluster = Cluster(client, address)
        cluster.wait_for_workers()
        yield cluster


@dataclass(frozen=True, eq=False)
class Cluster:
    """The workers of a Dask cluster.

    Attributes
    ----------
    client
        A `distributed.Client`.
    address
        Of its scheduler.
    """

    client: Any
    address: str

    @property
    def workers(self) -> int:
        """How many work at a time: one chunk in a process, for Brian2 has one device in each."""
        return max(1, len(self.client.nthreads()))

    def wait_for_workers(self) -> None:
        """Wait until there is a worker.

        Raises
        ------
        TargetError
            If there is none for `PATIENCE_SECONDS`.
        """
        end = time.monotonic() + PATIENCE_SECONDS
        while not self.client.nthreads():
            if time.monotonic() > end:
                raise TargetError(
                    "the Dask cluster has no workers",
                    where=self.address,
                    mend="Start some: dask worker --nthreads 1 ADDRESS",
                )
            time.sleep(_POLL_SECONDS / 10)

    def run(self, job: Job, shown: Presentations, parts: Sequence[slice]) -> Finished:
        """Yield each part of the images with what the network did, as they are done.

        Dask gives the work of a worker that dies to another, as often as its configuration allows
        (``distributed.scheduler.allowed-failures``).

        Raises
        ------
        TargetError
            If the workers cannot run the network, die of it, or are no longer there.
        """
        from distributed import Future

        order = _Order(uuid.uuid4().hex, job, versions())
        waiting = list(reversed(parts))
        running: dict[Future, slice] = {}
        # Not scattered: what a scheduler can compute again survives the worker that holds it.
        ordered = self.client.submit(_same, order, pure=False)
        try:
            while waiting or running:
                while waiting and len(running) < _AHEAD * self.workers:
                    part = waiting.pop()
                    drawn = (shown.pixels[part], shown.examples[part], shown.seed)
                    future = self.client.submit(_work, ordered, *drawn, pure=False)
                    running[future] = part
                for future in self._finished(running):
                    yield running.pop(future), self._result(future)
        finally:
            with suppress(Exception):
                self.client.cancel([ordered, *running])
                self.client.run(_release, order.name, on_error="ignore")

    def _finished(self, running: Mapping[Any, slice]) -> list[Any]:
        from distributed import wait

        try:
            with self.client.as_current():
                wait(list(running), timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED")
        except TimeoutError:
            self.wait_for_workers()
        return [future for future in running if future.done()]

    def _result(self, future: Any) -> Chunk:
        from distributed import CancelledError, KilledWorker

        try:
            return self._gathered(future)
        except BioaeError:
            raise
        except KilledWorker as error:
            raise TargetError(
                "the workers that took the same images died, one after another",
                where=self.address,
                mend="If memory ran out, give the workers more, or use smaller chunks",
            ) from error
        except CancelledError as error:
            raise TargetError(
                "the connection to the Dask cluster was lost", where=self.address
            ) from error
        except Exception as error:
            raise TargetError(
                f"a worker of the Dask cluster failed: {type(error).__name__}: {error}",
                where=self.address,
                mend="Check that the same bioae is installed on the scheduler and all workers",
            ) from error

    def _gathered(self, future: Any) -> Chunk:
        """Fetch what is done; if its worker left with it, once another one has done it again."""
        patience = _POLL_SECONDS
        while True:
            try:
                chunk: Chunk = future.result(timeout=patience)
            except TimeoutError:
                self.wait_for_workers()
                patience *= 2  # it may only take long to send
            else:
                return chunk


@dataclass(frozen=True, eq=False)
class _Order:
    """A job with a name of its own, and the versions that it has to be run by."""

    name: str
    job: Job
    versions: Mapping[str, str]


def _same(order: _Order) -> _Order:
    return order


def _work(order: _Order, pixels: NDArray[Any], examples: NDArray[np.int64], seed: int) -> Chunk:
    """Run a chunk in a worker."""
    shown = Presentations(order.job.network.config, pixels, examples, None, seed)
    return _bench.run(order, shown)


def _release(name: str) -> None:
    _bench.release(name)


class _Bench:
    """The network that this process has built last, kept for its next chunk.

    Brian2 has one active device in a process: threads take turns.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._built = ExitStack()
        self._name: str | None = None
        self._runner: Runner | None = None
        self._released: set[str] = set()

    def run(self, order: _Order, shown: Presentations) -> Chunk:
        with self._turn:
            if self._name != order.name:
                self._clear()
                _check_versions(order.versions)
                self._runner = self._built.enter_context(order.job.runner())
                self._name = order.name
            assert self._runner is not None
            try:
                return self._runner(shown, slice(0, len(shown)))
            finally:
                if order.name in self._released:
                    self._clear()

    def release(self, name: str) -> None:
        """Let go of a network, at once or when what it runs now is done."""
        self._released.add(name)
        if not self._turn.acquire(blocking=False):
            return
        try:
            self._released.discard(name)
            if self._name == name:
                self._clear()
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let go of whatever was built."""
        with self._turn:
            self._clear()

    def _clear(self) -> None:
        self._name = self._runner = None
        self._released.clear()
        self._built.close()


_bench = _Bench()
atexit.register(_bench.close)  # while Python can still remove what was built


def _check_versions(expected: Mapping[str, str]) -> None:
    found = versions()
    for package, version in expected.items():
        if found[package] != version:
            raise TargetError(
                f"a worker of the Dask cluster has another version of {package}",
                expected=version,
                found=found[package],
                mend="Install the same versions on all of them",
            )
