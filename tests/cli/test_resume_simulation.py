"""Interrupted commands: they end at once, and are resumed to the same bytes."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

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
        done = run(*command(tiny_model), "--overwrite", "--cluster", cluster.scheduler_address)
    assert (done.status, done.out, done.err) == (0, "r.nc\n", "")
    assert (here / "r.nc").read_bytes() == expected


def test_cluster_and_workers(refused: Callable[..., str], tiny_model: Path) -> None:
    options = ("--workers", 2, "--cluster", "tcp://127.0.0.1:1")
    assert "cluster" in refused(*command(tiny_model), *options)


ENDED = "bioae: interrupted\n"


def assert_ended(session: Any, done: Any, line: str = ENDED) -> None:
    # Of code that libraries execute from a string, Python ends by the signal: 130 to a shell.
    assert done.status in (130, -signal.SIGINT)
    # The line of an epoch comes on a slow machine only.
    progress = re.compile("^(baseline|epoch) .*\n", re.MULTILINE)
    assert (done.out, progress.sub("", done.err)) == ("", line)
    assert (session.running(), list(session.temporary.glob("bioae-*"))) == ([], [])


@pytest.mark.medium
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_training_is_resumed_to_the_same_weights(
    number: signal.Signals, start: Start, run: Run, here: Path, tiny_text: str
) -> None:
    config = here / "my run.toml"
    # As long as it takes to be interrupted, and no batch between two checkpoints.
    config.write_text(tiny_text.replace("epochs = 2", "epochs = 100_000\ncheckpoint_seconds = 1e6"))
    session = start("train", config.name, "--out", "out")
    metrics = here / "out" / "metrics.jsonl"
    session.wait_for(lambda: metrics.is_file() and metrics.stat().st_size)
    again = "bioae train 'my run.toml' --out out --resume"
    assert_ended(
        session, session.interrupt(number), f"bioae: interrupted; continue with: {again}\n"
    )

    epochs = len(metrics.read_text().splitlines())
    assert epochs >= 1
    config.write_text(tiny_text.replace("epochs = 2", f"epochs = {epochs + 1}"))
    assert run("train", config.name, "--out", "out", "--resume").status == 0
    assert run("train", config.name, "--out", "straight").status == 0
    resumed, straight = (
        load_file(here / out / "model" / "weights.safetensors") for out in ("out", "straight")
    )
    assert resumed.keys() == straight.keys() != set()
    assert all(resumed[name].tobytes() == straight[name].tobytes() for name in straight)


@pytest.mark.slow
def test_before_the_first_checkpoint(start: Start, here: Path, tiny_text: str) -> None:
    (here / "run.toml").write_text(tiny_text)
    session = start("train", "run.toml", "--out", "out")
    session.wait_for(session.loading("torch"))
    assert_ended(session, session.interrupt())
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("options", "running"),
    [
        pytest.param(("--limit", 1), ("cc1plus", 1), marks=pytest.mark.medium),
        *(
            pytest.param(("--steps", 2000, "--workers", n), ("./main", n), marks=pytest.mark.slow)
            for n in (1, 2)
        ),
        pytest.param(
            ("--steps", 400, "--workers", 2, "--target", "numpy"), ("bioae", 3),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["the compiler", "the compiled network", "two compiled networks", "workers"],
)  # fmt: skip
def test_processes_of_a_simulation(
    options: tuple[object, ...], running: tuple[str, int], start: Start, here: Path,
    tiny_model: Path,
) -> None:  # fmt: skip
    program, count = running
    session = start("simulate", tiny_model, "--out", "r.nc", *options)
    session.wait_for(lambda: sum(program in line for line in session.running()) >= count)
    assert_ended(session, session.interrupt())
    assert not (here / "r.nc").exists()


Limited = Callable[..., str]


@pytest.fixture
def limited(here: Path) -> Limited:
    """Run a command that may write so many bytes to a file, and return its line."""

    def limited(most: int, *arguments: object) -> str:
        command = [sys.executable, "-m", "bioae", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=here, capture_output=True, text=True, timeout=600, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert done.stderr.startswith("bioae: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    return limited


@pytest.mark.medium
def test_a_result(limited: Limited, here: Path, tiny_model: Path) -> None:
    mine = b"\x89HDF\r\n\x1a\n network_sha256"  # only results are replaced
    (here / "r.nc").write_bytes(mine)
    command = ("simulate", tiny_model, "--limit", 1, "--target", "numpy", "--overwrite")
    line = limited(4096, *command, "--out", "r.nc")
    assert "r.nc: writing failed: File too large. Free some space" in line
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {"r.nc": mine}
