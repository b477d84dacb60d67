"""Run chunks on a Dask cluster: every worker builds the network once, and keeps it."""

from __future__ import annotations

import atexit
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bioae.datasets import Data
from bioae.errors import BioaeError, TargetError
from bioae.extras import installing
from bioae.provenance import versions
from bioae.simulation.engine import Build, Finished, Runner
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk

if TYPE_CHECKING:
    from distributed import Client, Future

#: Time to wait for the scheduler, which a wrong address never reaches.
CONNECT_SECONDS = 2.0

#: Time to wait for a worker if there is none.
PATIENCE_SECONDS = 30.0

_POLL_SECONDS = 1.0

#: Parts per worker that are submitted at a time, so that no worker waits for one.
_AHEAD = 2


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """Connect to the scheduler of a Dask cluster for the length of a block.

    Raises a TargetError if Dask is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise TargetError(
            "a cluster needs Dask, which is not installed",
            hint=f"{installing('distributed')}, here and on the cluster; or use --workers",
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except Exception as error:  # an address that cannot be read raises many kinds
        raise TargetError(
            f"no Dask cluster answers: {str(error) or f'silence for {CONNECT_SECONDS:g} s'}",
            where=repr(address),
            hint="Start one with dask scheduler and dask worker --nthreads 1, "
            "and give the address that the scheduler prints",
        ) from error
    with client:
        yield client


def count_workers(client: Client) -> int:
    """Return the number of workers; raise a TargetError if none comes for `PATIENCE_SECONDS`.

    Threads of a worker do not count: Brian2 has one device per process.
    """
    if client.status != "running":
        raise TargetError(
            "the client is not connected to a Dask cluster", found=f"status {client.status!r}"
        )
    try:
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
    except TimeoutError as error:
        raise TargetError(
            "the Dask cluster has no workers", where=str(client.scheduler.address),
            hint="Start some: dask worker --nthreads 1 ADDRESS",
        ) from error  # fmt: skip
    return max(1, len(client.nthreads()))


def run_on_cluster(
    build: Build, presented: Presentations, parts: Sequence[slice], client: Client
) -> Finished:
    """Yield parts of the presentations and the network's activity, as they are finished.

    The network is built once per worker. Dask gives the work of a worker that dies to another, as
    often as its configuration allows (``distributed.scheduler.allowed-failures``). Raises a
    TargetError if the workers cannot run the network, are killed, or are no longer there.
    """
    import dask
    from distributed import wait

    order = _Order(uuid.uuid4().hex, build, presented[:0], versions())
    waiting = list(reversed(parts))
    running: dict[Future, slice] = {}
    # A network is sent along with the work, whatever its size.
    quiet = {"distributed.admin.large-graph-warning-threshold": "1TB"}
    with dask.config.set(quiet):
        # Not scattered: a result that can be computed again survives the worker that holds it.
        ordered = client.submit(_same, order, pure=False)
    try:
        while waiting or running:
            # Not across a yield, where the caller would meet the settings and the client.
            with dask.config.set(quiet), client.as_current():
                workers = max(1, len(client.nthreads()))
                while waiting and len(running) < _AHEAD * workers:
                    part = waiting.pop()
                    sent = presented[part].in_memory()
                    future = client.submit(_work, ordered, sent.data, sent.cut, pure=False)
                    running[future] = part
                try:
                    wait(list(running), timeout=_POLL_SECONDS, return_when="FIRST_COMPLETED")
                except TimeoutError:
                    count_workers(client)
            for future in [future for future in running if future.done()]:
                yield running.pop(future), _result(client, future)
    finally:
        with suppress(Exception):
            client.cancel([ordered, *running])
            released = [
                client.submit(_release, order.name, workers=[each]) for each in client.nthreads()
            ]
            wait(released, timeout=PATIENCE_SECONDS)


def _result(client: Client, future: Future) -> Chunk:
    """Fetch a finished chunk, waiting for its repetition if a worker left with it."""
    timeout = _POLL_SECONDS
    while True:
        try:
            chunk: Chunk = future.result(timeout=timeout)
        except TimeoutError:
            count_workers(client)
            timeout *= 2  # a large chunk may take long to send
        except BioaeError:
            raise
        except Exception as error:
            raise TargetError(
                f"a worker of the Dask cluster failed: {type(error).__name__}: {error}",
                where=str(client.scheduler.address),
                hint="Check that the same bioae is installed on the scheduler and all workers, "
                "and that they have enough memory",
            ) from error
        else:
            return chunk


@dataclass(frozen=True, eq=False)
class _Order:
    """A build with a unique name, and the versions that it must run with."""

    name: str
    build: Build
    empty: Presentations
    versions: Mapping[str, str]


# Functions that run in a worker.


def _same(order: _Order) -> _Order:
    return order


def _work(order: _Order, data: Data, cut: tuple[int, int]) -> Chunk:
    images = replace(order.empty, data=data, cut=cut)
    with _Bench.turn:
        if _Bench.name != order.name:
            _Bench.clear()
            _check_versions(order.versions)
            _Bench.runner = _Bench.built.enter_context(order.build())
            _Bench.name = order.name
        return _Bench.runner(images, slice(0, len(images)))


def _release(name: str) -> None:
    with _Bench.turn:
        if _Bench.name == name:
            _Bench.clear()


class _Bench:
    """The last network that this process built, kept for its next chunk.

    Brian2 has one active device in a process: threads take turns.
    """

    turn = threading.Lock()
    name: str | None = None
    runner: Runner
    built = ExitStack()

    @classmethod
    def clear(cls) -> None:
        cls.name = None
        cls.built.close()


atexit.register(_Bench.clear)  # while Python can still remove the build


def _check_versions(expected: Mapping[str, str]) -> None:
    installed = versions()
    for package, version in expected.items():
        if installed[package] != version:
            raise TargetError(
                f"a worker of the Dask cluster has another version of {package}", expected=version,
                found=installed[package], hint="Install the same versions on all of them",
            )  # fmt: skip
