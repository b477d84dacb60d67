"""Results do not depend on who computed them: the number of workers, the size of the chunks."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae.errors import InputError, TargetError
from bioae.network import Network
from bioae.simulation import simulate, write_result
from bioae.simulation.workers import shared

Images = NDArray[np.float64]


def stored(network: Network, images: Images, folder: Path, **options: Any) -> bytes:
    """Return the bytes of a result's file."""
    result = simulate(network, images, record=["v"], seed=3, **options)
    assert int(result["/layers/output/spike_count"].sum()) > 0
    path = folder / f"{len(list(folder.iterdir()))}.nc"
    write_result(result, path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 2},
        {"workers": 3},
        {"workers": 50},
        {"chunk": 1},
        {"chunk": 3},
        {"chunk": 50},
        {"chunk": 2, "workers": 3},
    ],
    ids=str,
)
def test_numpy(options: dict[str, int], small: Network, images: Images, tmp_path: Path) -> None:
    alone = stored(small, images, tmp_path, target="numpy")
    assert stored(small, images, tmp_path, target="numpy", **options) == alone


@pytest.mark.slow  # each is a build of its own
@pytest.mark.parametrize("options", [{"workers": 2}, {"workers": 3, "chunk": 1}], ids=str)
def test_cpp(options: dict[str, int], small: Network, images: Images, tmp_path: Path) -> None:
    alone = stored(small, images, tmp_path, target="cpp_standalone")
    assert stored(small, images, tmp_path, target="cpp_standalone", **options) == alone


def test_an_example_does_not_depend_on_its_company(small: Network, images: Images) -> None:
    every = simulate(small, images, target="numpy", seed=3)
    alone = simulate(small, images[4:5], target="numpy", seed=3, examples=[4])
    for layer in ("first", "second", "output"):
        counts = every[f"/layers/{layer}/spike_count"].sel(example=[4])
        assert int(counts.sum()) > 0
        np.testing.assert_array_equal(counts, alone[f"/layers/{layer}/spike_count"])


@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("workers", -1), ("chunk", 0)])
def test_too_few(name: str, value: int, small: Network, images: Images) -> None:
    with pytest.raises(InputError, match=f"{name}.*expected 1 or more; found {value}"):
        simulate(small, images, target="numpy", **{name: value})


@given(work=st.lists(st.integers()), workers=st.integers(1, 3))
def test_shared_work_comes_in_order(work: list[int], workers: int) -> None:
    offset = 7  # what the function closes over reaches the workers
    assert list(shared(lambda piece: piece + offset, work, workers)) == [n + 7 for n in work]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_is_the_caller_s(workers: int) -> None:
    def fail(piece: int) -> int:
        if piece == 2:
            raise InputError("this piece is bad", where="piece 2", found="2")
        return piece

    done: list[int] = []

    def results() -> Iterator[int]:
        yield from shared(fail, [0, 1, 2, 3], workers)

    with pytest.raises(InputError, match="this piece is bad"):
        done.extend(result for result in results())
    assert done in ([], [0, 1])


def test_a_killed_worker_is_said_and_hangs_nothing() -> None:
    def die(piece: int) -> int:
        if piece == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    with pytest.raises(TargetError, match="a worker process was killed"):
        list(shared(die, range(3), 2))
    assert not multiprocessing.active_children()
