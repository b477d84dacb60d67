"""Results do not depend on the number of workers or the size of chunks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import result_bytes
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refused

from bioae import simulate, simulate_to
from bioae.errors import InputError, TargetError
from bioae.networks import Network
from bioae.simulation.backend import Backend
from bioae.simulation.presentations import Presentations
from bioae.simulation.workers.processes import shared

Images = NDArray[np.float64]
RECORDING = Backend("numpy", record=["v"])


@pytest.fixture(scope="module")
def expected(small: Network, images: Images, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The result of one process that runs all images at once."""
    return result_bytes(tmp_path_factory.mktemp("expected") / "r.nc", small, images, RECORDING)


@pytest.mark.medium
@pytest.mark.parametrize(
    "options", [{"chunk": 2, "workers": 3}, pytest.param({"workers": 50}, marks=pytest.mark.slow)]
)
def test_numpy(
    options: dict[str, int], expected: bytes, small: Network, images: Images, tmp_path: Path
) -> None:
    backend = replace(RECORDING, **options)  # type: ignore[arg-type]
    assert result_bytes(tmp_path / "r.nc", small, images, backend) == expected


@pytest.mark.slow  # each needs a build
@pytest.mark.parametrize("options", [{"workers": 2}, {"workers": 3, "chunk": 1}], ids=str)
def test_cpp(options: dict[str, int], small: Network, images: Images, tmp_path: Path) -> None:
    plain, path = Backend("cpp_standalone"), tmp_path / "r.nc"
    expected = result_bytes(path, small, images, plain)
    assert result_bytes(path, small, images, replace(plain, **options)) == expected  # type: ignore[arg-type]


@pytest.mark.medium
def test_numbers_of_numpy_are_numbers(small: Network, images: Images) -> None:
    counted = simulate(small, images[:3], Backend("numpy", chunk=np.int64(2), workers=np.int64(1)))
    assert counted.equals(simulate(small, images[:3], "numpy"))


@pytest.mark.medium
@given(work=st.lists(st.integers()), workers=st.integers(1, 3))
def test_all_work_is_done_once(work: list[int], workers: int) -> None:
    offset = 7  # the closure of the function reaches the workers
    done = list(shared(lambda piece: piece + offset, work, workers))
    assert sorted(done) == [(place, piece + 7) for place, piece in enumerate(work)]


@pytest.mark.medium
@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_is_raised(workers: int) -> None:
    def fail(piece: int) -> int:
        if piece == 2:
            raise InputError("this piece is bad", where="piece 2", found="2")
        return piece

    done: list[tuple[int, int]] = []
    with refused(InputError, where="piece 2"):
        done.extend(each for each in shared(fail, [0, 1, 2, 3], workers))
    assert set(done) <= {(0, 0), (1, 1), (3, 3)}
    assert not multiprocessing.active_children()


@pytest.mark.medium
@pytest.mark.parametrize("raised", [True, False])
def test_what_cannot_be_sent_is_an_error(raised: bool) -> None:
    class OddError(Exception):
        def __init__(self, number: int, text: str) -> None:
            super().__init__(f"{text} {number}")

    def odd(_: int) -> Any:
        if raised:
            raise OddError(3, "odd")
        return lambda: None

    with pytest.raises(TargetError if raised else AttributeError, match="odd"):
        list(shared(odd, range(2), 2))


@pytest.mark.medium
def test_a_killed_worker_is_an_error_and_so_are_its_children_ended(tmp_path: Path) -> None:
    def die(piece: int) -> int:
        if piece == 1:
            (tmp_path / "child").write_text(str(subprocess.Popen(["sleep", "1000"]).pid))
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1000)
        return piece

    with refused(TargetError):
        list(shared(die, range(3), 2))
    assert not multiprocessing.active_children()


@pytest.mark.medium
def test_work_that_is_left_ends_its_processes() -> None:
    def sleep(piece: int) -> int:
        time.sleep(1000 * piece)
        return piece

    working = shared(sleep, range(3), 2)
    assert next(working) == (0, 0)
    working.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


@pytest.mark.medium
def test_a_run_is_resumed_after_a_worker_was_killed(
    small: Network, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_to(tmp_path / "whole.nc", small, images, "numpy")
    run = Presentations.held

    def die_later(presented: Presentations, part: slice) -> Any:
        if part.start >= 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(presented, part)

    path = tmp_path / "killed.nc"
    with monkeypatch.context() as patch:
        patch.setattr(Presentations, "held", die_later)
        with refused(TargetError):
            simulate_to(path, small, images, Backend("numpy", chunk=2, workers=2))
    assert not path.exists()
    simulate_to(path, small, images, Backend("numpy", chunk=2, workers=2), resume=True)
    assert path.read_bytes() == (tmp_path / "whole.nc").read_bytes()


@pytest.mark.medium
def test_a_worker_that_is_killed_as_it_sends_leaves_nothing_waiting(tmp_path: Path) -> None:
    def send(piece: int) -> bytes:
        while piece == 1 and not (tmp_path / "first").exists():
            time.sleep(0.01)
        if piece == 1:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return bytes(piece * 2**26)  # more than a pipe holds

    working = shared(send, range(2), 2)
    assert next(working) == (0, b"")
    (tmp_path / "first").touch()
    while len(multiprocessing.active_children()) == 2:
        time.sleep(0.01)
    with refused(TargetError):
        next(working)
    assert not multiprocessing.active_children()
