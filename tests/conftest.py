"""Fixtures of all tests: no network, no cache of the user, the same examples in every run.

Three speeds: unmarked tests compile nothing and start no process (`make test-fast`), those marked
`medium` also run in `make test`, and those marked `slow` in `make test-all` only. Tests of a target
that compiles, and those of robustness, are marked here; in `make test-fast`, any other test that
starts a process fails.
"""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

gc.disable()  # until the tests are collected
os.environ.setdefault("MPLBACKEND", "Agg")

# Examples of properties: few and fixed, or, if BIOAE_HYPOTHESIS=random, which `make test-all` sets,
# more and random.
for profile, examples in (("fixed", 40), ("random", 100)):
    settings.register_profile(
        profile,
        deadline=None,
        derandomize=profile == "fixed",
        max_examples=examples,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],  # of the machine, not of the test
    )
settings.load_profile(os.environ.get("BIOAE_HYPOTHESIS", "fixed"))

#: Targets that compile, and fixtures that start processes.
_COMPILED = {"cython", "cpp_standalone", "cuda_standalone"}
_STARTING = {"quick_compiler", "start"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of targets that compile, and of robustness."""
    for item in items:
        assert isinstance(item, pytest.Function)
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        named = {value for value in parameters if isinstance(value, str)}
        if named & _COMPILED or _STARTING & {*item.fixturenames}:
            item.add_marker("medium")
        if "robustness" in item.path.parts:
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Leave what was imported out of the garbage collection with which Brian2 begins each run."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let no test start a process where those marked medium are left out."""

    import brian2  # noqa: F401 - these ask for the system or the processor in a process
    import h5py  # noqa: F401
    import numpy.testing  # noqa: F401

    def refuse(*arguments: Any, **options: Any) -> None:
        pytest.fail(f"this test starts a process: mark it medium or slow ({arguments[1:]})")

    with pytest.MonkeyPatch.context() as patch:
        if "not medium" in request.config.option.markexpr:
            patch.setenv("CXX", "none")  # so that mirrors are not compiled
            for owner, name in _PROCESSES:
                patch.setattr(owner, name, refuse)
        yield


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reject every connection that leaves this machine."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in _LOCAL:
            raise OSError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Lengthen limits of time, so that no outcome depends on the load of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bioae.equations.lowering.exact.LIMIT", 600.0)
        patch.setattr("bioae.simulation.workers.dask_cluster.CONNECT_SECONDS", 60.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_collection() -> Iterator[None]:
    """Let Brian2 collect young garbage only before each run, not that of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("brian2.core.network.gc", SimpleNamespace(collect=lambda: gc.collect(1)))
        yield


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the compiled networks of a session in one folder, shared by all processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOAE_CACHE", str(folder / "bioae-cache"))
        yield


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty cache folder, and no folder of data sets."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("BIOAE_DATA", raising=False)
    monkeypatch.delenv("BIOAE_CACHE")
    return cache


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def cuda_emulator() -> ModuleType:
    """Emulator of CUDA kernels for any machine: `simulation/targets/cuda/emulator/emulator.py`."""
    name = "bioae_cuda_emulator"
    if name not in sys.modules:
        file = Path(__file__).parent / "simulation/targets/cuda/emulator/emulator.py"
        spec = spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="module")
def quick_compiler() -> Iterator[None]:
    """Compile without optimisation, which is quicker; the arithmetic is the same at every level."""
    from bioae.simulation.targets import activation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activation, "IEEE_FLAGS", ["-w", "-O0", "-ffp-contract=off"])
        yield


_LOCAL = ("127.0.0.1", "::1", "localhost")
_PROCESSES: tuple[tuple[Any, str], ...] = (
    (subprocess.Popen, "__init__"), (BaseProcess, "start"), (os, "fork"), (os, "posix_spawn"),
    (os, "system"),
)  # fmt: skip
