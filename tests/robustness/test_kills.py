"""Commands that are killed at any moment, again and again: nothing finished is lost."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from robustness.forked import Command

Start = Callable[..., Command]
KILLS = pytest.mark.parametrize(
    "kills", [2, pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)


def kill_often(kills: int, start: Callable[[], Command], check: Callable[[], None]) -> None:
    """Kill a command at random moments, and run it to its end."""
    seconds = start().wait(120).seconds
    moments = random.Random(kills)
    killed = 0
    while killed < kills:
        command = start()
        command.process.join(moments.uniform(0, seconds))
        if command.kill():
            killed += 1
        else:
            assert command.process.exitcode == 0
        assert command.left() == []
        check()
    done = start().wait(120)
    assert done.status == 0, done


@KILLS
def test_training(kills: int, config: str, here: Path, start: Start) -> None:
    often = config.replace("epochs = 2", "epochs = 10\ncheckpoint_seconds = 0.01")
    (here / "run.toml").write_text(often)
    assert start("train", "run.toml", "--out", "straight").wait(120).status == 0
    weights = "model/weights.safetensors"

    def again() -> Command:
        if (here / "out" / weights).exists():
            check()
            shutil.rmtree(here / "out")
        resumed = (here / "out/checkpoint.safetensors").exists()
        option = "--resume" if resumed else "--overwrite"
        return start("train", "run.toml", "--out", "out", option)

    def check() -> None:
        if (here / "out" / weights).exists():
            one, other = ((here / out / weights).read_bytes() for out in ("out", "straight"))
            assert one == other

    kill_often(kills, again, check)
    check()
    assert not list(here.rglob("*.part"))


@KILLS
def test_simulation(kills: int, model: Path, here: Path, start: Start) -> None:
    command = ["simulate", model, "--target", "numpy", "--limit", 12]
    assert start(*command, "--out", "straight.nc").wait(120).status == 0
    finished: dict[str, bytes] = {}
    chunks = {"EXAMPLE_PER_CHUNK": "1"}

    def again() -> Command:
        if (here / "r.nc").exists():
            check()
            (here / "r.nc").unlink()
            shutil.rmtree(here / "r.nc.parts", ignore_errors=True)
            finished.clear()
        return start(*command, "--out", "r.nc", "--resume", "--workers", 2, **chunks)

    def check() -> None:
        if (here / "r.nc").exists():
            assert (here / "r.nc").read_bytes() == (here / "straight.nc").read_bytes()
        else:
            parts = (here / "r.nc.parts").glob("*.safetensors")
            kept = {file.name: file.read_bytes() for file in parts}
            assert finished.items() <= kept.items()
            finished.update(kept)

    kill_often(kills, again, check)
    check()
    assert {path.name for path in here.iterdir()} == {"r.nc", "straight.nc"}


@pytest.mark.slow
def test_analysis(model: Path, here: Path, start: Start) -> None:
    options = ["--limit", 2, "--target", "numpy", "--out", "r.nc"]
    assert start("simulate", model, *options).wait(60).status == 0

    def contents() -> dict[str, bytes]:
        files = (path for path in (here / "out").rglob("*") if path.is_file())
        return {str(path.relative_to(here)): path.read_bytes() for path in files}

    whole: dict[str, bytes] = {}

    def check() -> None:
        whole.update(whole or contents())
        assert contents() == whole
        assert len(whole) > 5

    kill_often(20, lambda: start("analyze", "r.nc", "--out", "out", "--overwrite"), check)
    assert {path.name for path in here.iterdir()} == {"r.nc", "out"}
