"""A Dask cluster: the same results, workers that die, schedulers that do not answer."""

from __future__ import annotations

import builtins
import os
import signal
import socket
from collections.abc import Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2.devices.device import get_device
from builders import result_bytes, three_layers
from numpy.typing import NDArray
from refusals import refused

from bioae import simulate, simulate_to
from bioae.errors import TargetError
from bioae.networks import Network
from bioae.simulation.backend import Backend, Target
from bioae.simulation.workers import dask_cluster as module
from bioae.simulation.workers.job import Brian2Engine

distributed = pytest.importorskip("distributed")
dask = pytest.importorskip("dask")

Images = NDArray[np.float64]


@pytest.fixture(scope="module")
def network() -> Network:
    return three_layers(neuron="noisy_lif").with_delay("1*ms")


@pytest.fixture(scope="module")
def threads() -> Iterator[Any]:
    """Return the client of a cluster of two workers in this process."""
    with (
        started(n_workers=2, threads_per_worker=2, processes=False) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def started(**options: Any) -> Any:
    return distributed.LocalCluster(
        protocol="tcp://", host="127.0.0.1", dashboard_address="127.0.0.1:0", **options
    )


@pytest.mark.medium
@pytest.mark.parametrize(
    "options",
    [{"chunk": 2, "repeats": 3}, pytest.param({"chunk": 1}, marks=pytest.mark.slow)],
    ids=str,
)
def test_the_same_bytes(
    options: dict[str, Any], threads: Any, network: Network, images: Images, tmp_path: Path
) -> None:
    device = get_device()
    repeats = options.get("repeats", 1)
    expected = result_bytes(tmp_path / "alone.nc", network, images, "numpy", repeats=repeats)
    backend = Backend("numpy", chunk=options["chunk"], workers=threads)
    assert result_bytes(tmp_path / "r.nc", network, images, backend, repeats=repeats) == expected
    assert get_device() is device  # workers let go of their builds
    assert module._Bench.name is None


@pytest.mark.medium
def test_finished_chunks_are_stored_by_the_client(
    threads: Any, network: Network, images: Images, tmp_path: Path
) -> None:
    path, stored = tmp_path / "r.nc", []

    def count(*_: int) -> None:
        stored.append(len(list(tmp_path.glob("r.nc.parts/*.safetensors"))))

    simulate_to(path, network, images, Backend("numpy", chunk=2, workers=threads), progress=count)
    assert stored == [1, 2, 3, 4]


@pytest.mark.medium
def test_a_worker_builds_once(
    threads: Any, network: Network, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    runner = Brian2Engine.runner

    @wraps(runner)  # it is sent by its name
    def counted(job: Any, size: int) -> Any:
        built.append(job)
        return runner(job, size)

    monkeypatch.setattr(Brian2Engine, "runner", counted)
    simulate(network, images, Backend("numpy", chunk=1, workers=threads))
    assert len(built) == 1  # both workers are this process


def test_an_error_of_a_worker_is_raised(
    threads: Any, network: Network, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    with refused(TargetError, "cpp_standalone", "g++"):
        simulate(network, images, Backend(workers=threads))
    assert module._Bench.name is None


def test_other_versions_are_refused(
    threads: Any, network: Network, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = module.versions()
    calls = iter([{**ours, "brian2": "0.1"}])
    monkeypatch.setattr(module, "versions", lambda: next(calls, ours))
    with refused(TargetError, "brian2", expected="0.1"):
        simulate(network, images, Backend("numpy", workers=threads))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "nonsense://x", ""])
def test_nobody_answers(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = address.format(port=held.getsockname()[1])
        with refused(TargetError, where=repr(address)) as caught, module.connected(address):
            pass
    assert "\n" not in str(caught.value)


def test_no_workers(
    threads: Any, network: Network, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.5)
    with (
        # distributed waits 10 seconds for a loop to start, which a busy machine may need longer for
        started(n_workers=0, processes=False, loop=threads.loop) as empty,
        distributed.Client(empty, set_as_default=False) as client,
        refused(TargetError, where=str(empty.scheduler_address)),
    ):
        simulate(network, images, Backend("numpy", workers=client))


@pytest.mark.medium
def test_a_cluster_that_loses_all_workers_is_an_error(
    network: Network, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.5)
    with (
        started(n_workers=1, processes=False) as left,
        module.connected(left.scheduler_address) as client,
    ):

        def leave(*_: int) -> None:
            left.scale(0)

        with refused(TargetError, where=str(left.scheduler_address)):
            simulate(network, images, Backend("numpy", chunk=1, workers=client), progress=leave)
    module._Bench.clear()  # its worker was this process


@pytest.mark.slow  # processes that import everything
@pytest.mark.parametrize("target", ["numpy", "cpp_standalone"])
def test_a_worker_is_killed(
    target: Target, network: Network, images: Images, tmp_path: Path
) -> None:
    expected = result_bytes(tmp_path / "alone.nc", network, images, target)
    with started(n_workers=2, threads_per_worker=1) as cluster:
        with distributed.Client(cluster, set_as_default=False) as client:
            pids = list(client.run(os.getpid).values())
        assert len(set(pids)) == 2

        def kill(done: int, of: int) -> None:
            if pids and done < of:
                os.kill(pids.pop(), signal.SIGKILL)
                pids.clear()

        path = tmp_path / "r.nc"
        with module.connected(cluster.scheduler_address) as client:
            backend = Backend(target, chunk=1, workers=client)
            assert result_bytes(path, network, images, backend, progress=kill) == expected
        assert not pids


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.partition(".")[0] in {"dask", "distributed"}:
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        refused(TargetError, "pip install '.[distributed]'"),
        module.connected("tcp://127.0.0.1:8786"),
    ):
        pass
