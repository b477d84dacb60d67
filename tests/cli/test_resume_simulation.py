"""Interrupted simulations: resumed to the same bytes."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bioae.simulation import BrianNetwork
from bioae.simulation.workers import job as runners

Run = Callable[..., Any]
Start = Callable[..., Any]


@pytest.fixture
def interrupted(tiny_model: Path, run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Interrupt a command after two of its chunks, and return its message."""
    left, read = [None, None], BrianNetwork.read

    def read_some(*arguments: Any) -> Any:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return read(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(runners, "_CHUNK_BYTES", 1)  # an image per chunk
        patch.setattr(BrianNetwork, "read", read_some)
        done = run(*command(tiny_model))
    assert (done.status, done.out) == (130, "")
    assert sorted(path.name for path in here.iterdir()) == ["r.nc.parts"]
    return str(done.err)


def command(model: Path, limit: int = 5) -> list[object]:
    return ["simulate", model, "--target", "numpy", "--limit", limit, "--out", "r.nc"]


@pytest.mark.medium
@pytest.mark.parametrize("options", [["--resume"], ["--resume", "--workers", 2], ["--overwrite"]])
def test_the_same_bytes(
    options: list[object], interrupted: str, run: Run, tiny_model: Path, here: Path
) -> None:
    done = run(*command(tiny_model), *options)
    assert (done.status, done.out, done.err) == (0, "r.nc\n", "")
    resumed = (here / "r.nc").read_bytes()
    assert [path.name for path in here.iterdir()] == ["r.nc"]
    assert run(*command(tiny_model), "--overwrite").status == 0
    assert (here / "r.nc").read_bytes() == resumed


@pytest.mark.medium
def test_finished_chunks_are_kept(
    interrupted: str, refused: Callable[..., str], tiny_model: Path
) -> None:
    assert interrupted == "bioae: interrupted; continue with the same command and --resume\n"
    line = refused(*command(tiny_model))
    assert "r.nc.parts" in line
    assert "--resume" in line
    line = refused(*command(tiny_model), "--resume", "--seed", 4)
    assert line.startswith("r.nc.parts: ")
    assert "seed" in line


def test_another_folder_is_never_removed(
    refused: Callable[..., str], tiny_model: Path, here: Path
) -> None:
    (here / "r.nc.parts").mkdir()
    (here / "r.nc.parts" / "precious").touch()
    for option in ("--resume", "--overwrite"):
        assert "r.nc.parts" in refused(*command(tiny_model), option)


@pytest.mark.medium
def test_nothing_to_resume(run: Run, tiny_model: Path, here: Path) -> None:
    done = run(*command(tiny_model), "--resume")
    assert (done.status, done.out, done.err) == (0, "r.nc\n", "")
    assert [path.name for path in here.iterdir()] == ["r.nc"]


@pytest.mark.medium
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_signals(number: signal.Signals, start: Start, here: Path, tiny_model: Path) -> None:
    first = "from bioae.simulation.workers import job; job._CHUNK_BYTES = 1"
    session = start(*command(tiny_model, 20), "--workers", 2, "--steps", 400, first=first)
    session.wait_for(lambda: list(here.glob("r.nc.parts/*.safetensors")))
    done = session.interrupt(number)
    assert done == (130, "", "bioae: interrupted; continue with the same command and --resume\n")
    assert session.running() == []


@pytest.mark.slow
def test_a_killed_simulation_goes_on(start: Start, run: Run, here: Path, tiny_model: Path) -> None:
    first = "from bioae.simulation.workers import job; job._CHUNK_BYTES = 1"
    options = (*command(tiny_model, 20), "--steps", 400)
    session = start(*options, first=first)
    session.wait_for(lambda: list(here.glob("r.nc.parts/*.safetensors")))
    assert session.interrupt(signal.SIGKILL).status == -signal.SIGKILL
    assert run(*options, "--resume").status == 0
    resumed = (here / "r.nc").read_bytes()
    assert not list(here.glob("r.nc.*"))
    assert run(*options, "--overwrite").status == 0
    assert (here / "r.nc").read_bytes() == resumed


@pytest.mark.medium
def test_cluster(run: Run, tiny_model: Path, here: Path) -> None:
    distributed = pytest.importorskip("distributed")
    assert run(*command(tiny_model)).status == 0
    expected = (here / "r.nc").read_bytes()
    with distributed.LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    ) as cluster:  # fmt: skip
        address = cluster.scheduler_address
        done = run(*command(tiny_model), "--overwrite", "--cluster", address)
    assert (done.status, done.out, done.err) == (0, "r.nc\n", "")
    assert (here / "r.nc").read_bytes() == expected


def test_cluster_and_workers(refused: Callable[..., str], tiny_model: Path) -> None:
    options = ("--workers", 2, "--cluster", "tcp://127.0.0.1:1")
    assert "cluster" in refused(*command(tiny_model), *options)
