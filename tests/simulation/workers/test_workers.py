"""Results do not depend on the number of workers or the size of chunks."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae import simulate
from bioae.errors import InputError, TargetError
from bioae.networks import Artefact, Network
from bioae.processes import TRIES, shared
from bioae.simulation import write_result
from bioae.simulation.backend import Backend, Target
from bioae.simulation.presentations import Presentations

Images = NDArray[np.float64]


def stored(
    network: Network, images: Images, folder: Path, *, target: Target, **options: Any
) -> bytes:
    """Return the bytes of a result's file."""
    result = simulate(network, images, Backend(target, record=["v"], **options), seed=3)
    assert int(result["/layers/output/spike_count"].sum()) > 0
    path = folder / f"{len(list(folder.iterdir()))}.nc"
    write_result(result, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def expected(small: Network, images: Images, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The result of one process that runs all images at once."""
    return stored(small, images, tmp_path_factory.mktemp("expected"), target="numpy")


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 2},
        {"workers": 50},
        {"chunk": 3},
        {"chunk": 2, "workers": 3},
        pytest.param({"workers": 3}, marks=pytest.mark.slow),
        pytest.param({"chunk": 1}, marks=pytest.mark.slow),
        pytest.param({"chunk": 50}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_numpy(
    options: dict[str, int], expected: bytes, small: Network, images: Images, tmp_path: Path
) -> None:
    assert stored(small, images, tmp_path, target="numpy", **options) == expected


@pytest.mark.slow  # each needs a build
@pytest.mark.parametrize("options", [{"workers": 2}, {"workers": 3, "chunk": 1}], ids=str)
def test_cpp(options: dict[str, int], small: Network, images: Images, tmp_path: Path) -> None:
    expected = stored(small, images, tmp_path, target="cpp_standalone")
    assert stored(small, images, tmp_path, target="cpp_standalone", **options) == expected


def test_an_example_does_not_depend_on_the_others(small: Network, images: Images) -> None:
    every = simulate(small, images, "numpy", seed=3)
    expected = simulate(small, images, "numpy", seed=3, examples=[4])
    for layer in ("first", "second", "output"):
        counts = every[f"/layers/{layer}/spike_count"].sel(example=[4])
        assert int(counts.sum()) > 0
        np.testing.assert_array_equal(counts, expected[f"/layers/{layer}/spike_count"])


@pytest.mark.parametrize(("name", "value"), [("workers", 0), ("workers", -1), ("chunk", 0)])
def test_too_few_workers_or_images(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name}.*expected 1 or more; found {value}"):
        Backend("numpy", **{name: value})


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"workers": "2"}, "workers does not fit; expected a whole number or a distributed.Client"),
        (
            {"workers": None},
            "workers does not fit; expected a whole number or a distributed.Client",
        ),
        ({"workers": np.int64(0)}, "workers does not fit; expected 1 or more; found 0"),
        ({"chunk": np.int64(-1)}, "chunk does not fit; expected 1 or more; found -1"),
        ({"chunk": 1.5}, "chunk does not fit; expected a whole number, 1 or more; found 1.5"),
        (
            {"record": ["u"]},
            "no layer has a variable 'u'; expected one of",
        ),
    ],
    ids=str,
)
def test_options_that_cannot_work(
    options: dict[str, Any], line: str, small: Network, images: Images
) -> None:
    with pytest.raises(InputError, match=line):
        simulate(small, images, Backend("numpy", **options))


def test_numbers_of_numpy_are_numbers(small: Network, images: Images) -> None:
    counted = simulate(small, images[:3], Backend("numpy", chunk=np.int64(2), workers=np.int64(1)))
    assert counted.equals(simulate(small, images[:3], "numpy"))


def test_an_artefact_does_for_its_network(small: Network, images: Images) -> None:
    result = simulate(Artefact(small), images[:3], "numpy")
    assert result.equals(simulate(small, images[:3], "numpy"))
    with pytest.raises(InputError, match="not a network"):
        simulate(42, images[:3], "numpy")  # type: ignore[arg-type]


@given(work=st.lists(st.integers()), workers=st.integers(1, 3))
def test_all_work_is_done_once(work: list[int], workers: int) -> None:
    offset = 7  # the closure of the function reaches the workers
    done = list(shared(lambda piece: piece + offset, work, workers))
    assert sorted(done) == [(place, piece + 7) for place, piece in enumerate(work)]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_worker_is_raised(workers: int) -> None:
    def fail(piece: int) -> int:
        if piece == 2:
            raise InputError("this piece is bad", where="piece 2", found="2")
        return piece

    done: list[tuple[int, int]] = []
    with pytest.raises(InputError, match="this piece is bad"):
        done.extend(each for each in shared(fail, [0, 1, 2, 3], workers))
    assert set(done) <= {(0, 0), (1, 1), (3, 3)}
    assert not multiprocessing.active_children()


class RewordedError(Exception):
    """An error that another process cannot make again from its message."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(f"{message}, {code}")


def test_what_cannot_be_sent_from_a_worker_is_named() -> None:
    with pytest.raises(Exception, match=r"cannot pickle|[Cc]an't (pickle|get)"):
        list(shared(lambda piece: lambda: piece, [0, 1], 2))

    def fail(piece: int) -> int:
        if piece == 0:
            raise ValueError("the real reason", lambda: piece)
        raise RewordedError("the real reason", code=piece)

    for piece in (0, 1):
        with pytest.raises((RuntimeError, RewordedError), match="the real reason"):
            list(shared(fail, [piece, piece], 2))
    assert not multiprocessing.active_children()


def die_once(marker: Path) -> None:
    """Kill this process, unless another one was killed here before."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_work_of_a_killed_worker_is_done_again(tmp_path: Path) -> None:
    def double(piece: int) -> int:
        if piece in {1, 4}:
            die_once(tmp_path / str(piece))
        return 2 * piece

    assert sorted(shared(double, range(6), 2)) == [(n, 2 * n) for n in range(6)]
    assert {path.name for path in tmp_path.iterdir()} == {"1", "4"}
    assert not multiprocessing.active_children()


def test_a_worker_that_is_killed_every_time_is_an_error(tmp_path: Path) -> None:
    def die(piece: int) -> int:
        if piece == 1:
            (tmp_path / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return piece

    with pytest.raises(TargetError, match="a worker process was killed, and so were 2 more"):
        list(shared(die, range(3), 2))
    assert len(list(tmp_path.iterdir())) == TRIES == 3
    assert not multiprocessing.active_children()


def test_children_of_a_killed_worker_are_ended(tmp_path: Path) -> None:
    def sleep(piece: int) -> int:
        child = tmp_path / "child"
        if piece == 0 and not child.exists():
            child.write_text(str(subprocess.Popen(["sleep", "1000"]).pid))
            os.kill(os.getpid(), signal.SIGKILL)
        return int(child.read_text()) if piece == 0 else 0

    child = dict(shared(sleep, [0, 1], 2))[0]
    assert child > 0
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)]
)
def test_a_result_after_a_worker_was_killed(
    target: str, small: Network, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    folder = tmp_path / "results"
    folder.mkdir()
    expected = stored(small, images, folder, target=target)

    held = Presentations.held

    def held_or_die(*arguments: Any) -> Any:
        die_once(marker)
        return held(*arguments)

    monkeypatch.setattr(Presentations, "held", held_or_die)
    assert stored(small, images, folder, target=target, chunk=2, workers=2) == expected
    assert marker.exists()
