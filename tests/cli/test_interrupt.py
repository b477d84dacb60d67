"""Ctrl-C and a full disk end a command at once, and leave no part of a file."""

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

Start = Callable[..., Any]
Run = Callable[..., Any]

ENDED = "bioae: interrupted\n"


def assert_ended(session: Any, done: Any, line: str = ENDED) -> None:
    # Of code that libraries execute from a string, Python ends by the signal: 130 to a shell.
    assert done.status in (130, -signal.SIGINT)
    assert (done.out, re.sub("^to beat .*\n", "", done.err)) == ("", line)
    assert session.running() == []
    assert list(session.temporary.glob("bioae-*")) == []


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


RUNNING = """
import os, signal, sys, threading, time
from bioae.cli import main
from brian2 import Network

def interrupt():
    while not Network._globally_running:
        time.sleep(0.001)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_simulation_within_its_steps(here: Path, tiny_model: Path) -> None:
    options = ("--target", "numpy", "--out", "r.nc", "--steps", "3000", "--limit", "5")
    command = [sys.executable, "-c", RUNNING, "simulate", str(tiny_model), *options]
    done = subprocess.run(
        command, cwd=here, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", ENDED)
    assert not (here / "r.nc").exists()


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


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.medium
def test_a_result(limited: Limited, here: Path, tiny_model: Path) -> None:
    mine = b"\x89HDF\r\n\x1a\n network_sha256"  # only results are replaced
    (here / "r.nc").write_bytes(mine)
    command = ("simulate", tiny_model, "--limit", 1, "--target", "numpy", "--overwrite")
    line = limited(4096, *command, "--out", "r.nc")
    assert "r.nc: writing failed: File too large. Free some space" in line
    assert files(here) == {"r.nc": mine}
