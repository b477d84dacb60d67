"""Commands that are killed at any moment, again and again: nothing finished is lost."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from robustness.forked import Command
from safetensors import safe_open

from bioae.simulation.targets.build_cache import BuildCache

FULL = pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])

#: What a killed command must have left, asked after each kill.
Check = Callable[[], None]


class Killer:
    """Kills a command at random moments, until it was killed often enough.

    Parameters
    ----------
    start
        Starts the command, from where the last one was killed.
    check
        Asked after each kill.
    restart
        Called when the command was quicker: removes its output, so that it has work again.
    seconds
        The time that the command takes at first.
    patience
        The time that the processes it started get to end by themselves.
    """

    def __init__(
        self,
        start: Callable[[], Command],
        check: Check,
        restart: Check,
        seconds: float,
        patience: float = 10.0,
    ) -> None:
        self.start, self.check, self.restart, self.seconds = start, check, restart, seconds
        self.patience = patience
        self.kills = self.completed = self.left = 0

    def run(self, kills: int) -> None:
        moments = random.Random(kills)
        while self.kills < kills:
            command = self.start()
            begin = time.monotonic()
            command.process.join(moments.uniform(0, self.seconds))
            if command.kill():
                self.kills += 1
            else:
                assert command.process.exitcode == 0
                self.completed += 1
                self.seconds = time.monotonic() - begin  # it depends on the machine's load
            self.left += len(command.left(self.patience))
            self.check()
            if command.process.exitcode == 0:
                self.restart()


def timed(command: Command) -> float:
    done = command.wait(120)
    assert done.status == 0, done
    return done.seconds


@pytest.mark.parametrize("kills", [2, FULL])
def test_training(
    kills: int,
    config: str,
    here: Path,
    start: Callable[..., Command],
    figures: Callable[..., None],
) -> None:
    often = config.replace("epochs = 2", "epochs = 20\ncheckpoint_seconds = 0.01")
    (here / "run.toml").write_text(often)
    timed(start("train", "run.toml", "--out", "straight"))
    seconds = timed(start("train", "run.toml", "--out", "straight", "--overwrite"))
    out, progress = here / "out", [0]

    def again() -> Command:
        option = ["--resume"] if (out / "checkpoint.safetensors").exists() else ["--overwrite"]
        return start("train", "run.toml", "--out", "out", *option)

    def check() -> None:
        if (out / "checkpoint.safetensors").exists():
            with safe_open(out / "checkpoint.safetensors", framework="numpy") as file:
                position = json.loads(file.metadata()["bioae"])["position"]
            reached = 4 * position["epoch"] + position["batch"]
            assert reached >= progress[-1]
            progress.append(reached)
        else:
            assert progress == [0]
        if (out / "metrics.jsonl").exists():
            for line in (out / "metrics.jsonl").read_text().splitlines():
                json.loads(line)

    def restart() -> None:
        assert weights(out) == weights(here / "straight")
        shutil.rmtree(out)
        progress[:] = [0]

    killer = Killer(again, check, restart, seconds)
    killer.run(kills)
    timed(again())
    assert weights(out) == weights(here / "straight")
    assert not list(here.rglob("*.part"))
    figures("kills of train", kills=killer.kills, completed=killer.completed, left=killer.left)


def weights(out: Path) -> bytes:
    content = (out / "model" / "weights.safetensors").read_bytes()
    assert content
    return content


@pytest.mark.parametrize("kills", [2, FULL])
def test_simulation(
    kills: int,
    model: Path,
    here: Path,
    start: Callable[..., Command],
    figures: Callable[..., None],
) -> None:
    command = ["simulate", model, "--target", "numpy", "--limit", 12]
    timed(start(*command, "--out", "straight.nc"))
    chunks = {"IMAGE_PER_CHUNK": "1"}
    seconds = timed(start(*command, "--out", "straight.nc", "--overwrite", **chunks))
    parts, finished = here / "r.nc.parts", dict[str, bytes]()

    def check() -> None:
        if parts.exists():
            kept = {file.name: file.read_bytes() for file in parts.glob("*.safetensors")}
            assert finished.items() <= kept.items()
            finished.update(kept)
        else:
            assert not finished or (here / "r.nc").exists()

    def restart() -> None:
        assert (here / "r.nc").read_bytes() == (here / "straight.nc").read_bytes()
        (here / "r.nc").unlink()
        finished.clear()

    def again() -> Command:
        if (here / "r.nc").exists():  # killed when its result was in place
            restart()
            shutil.rmtree(parts, ignore_errors=True)
        return start(*command, "--out", "r.nc", "--resume", "--workers", 2, **chunks)

    killer = Killer(again, check, restart, seconds)
    killer.run(kills)
    if not (here / "r.nc").exists():
        timed(again())
    assert (here / "r.nc").read_bytes() == (here / "straight.nc").read_bytes()
    assert {path.name for path in here.iterdir()} == {"r.nc", "straight.nc"}
    assert killer.left == 0
    figures("kills of simulate", kills=killer.kills, completed=killer.completed, left=killer.left)


@pytest.mark.parametrize("kills", [FULL])
def test_builds(
    kills: int, model: Path, here: Path, start: Callable[..., Command], figures: Callable[..., None]
) -> None:
    command = ["simulate", model, "--target", "cpp_standalone", "--limit", 1]
    caches = {name: {"BIOAE_CACHE": str(here / name)} for name in ("straight", "cache")}
    seconds = timed(start(*command, "--out", "straight.nc", **caches["straight"]))
    builds = BuildCache(here / "cache" / "builds")

    def check() -> None:
        for build in builds.kept():
            assert (builds.folder / build.key).read_bytes()

    def restart() -> None:
        assert len(builds.kept()) == 1
        shutil.rmtree(here / "cache")

    def again() -> Command:
        return start(*command, "--out", "r.nc", "--overwrite", **caches["cache"])

    # A compiler ends with its file: it is killed too, as by a batch system.
    killer = Killer(again, check, restart, seconds, patience=0.1)
    killer.run(kills)
    timed(again())
    assert (here / "r.nc").read_bytes() == (here / "straight.nc").read_bytes()
    assert {path.name for path in builds.folder.iterdir()} == {builds.kept()[0].key, ".locks"}
    assert {path.name for path in here.iterdir()} == {"r.nc", "straight.nc", "straight", "cache"}
    figures("kills of builds", kills=killer.kills, completed=killer.completed)


@pytest.mark.parametrize("kills", [FULL])
def test_analysis(
    kills: int, model: Path, here: Path, start: Callable[..., Command], figures: Callable[..., None]
) -> None:
    whole, seconds = {}, 0.0
    for seed in (0, 1):
        images = ["--limit", 2, "--target", "numpy"]
        timed(start("simulate", model, *images, "--seed", seed, "--out", f"{seed}.nc"))
        # statistics.json names the folder.
        seconds = timed(start("analyze", f"{seed}.nc", "--out", "out"))
        (here / "out").rename(here / f"{seed}")
        whole[seed] = contents(here / f"{seed}")
    assert whole[0] != whole[1]
    analysed = [0]

    def again() -> Command:
        analysed.append(1 - analysed[-1])
        return start("analyze", f"{analysed[-1]}.nc", "--out", "out", "--overwrite")

    def check() -> None:
        for name in ("report.html", "statistics.nc", "statistics.json", "tables", "figures"):
            if (here / "out" / name).exists():
                entry = contents(here / "out" / name)
                assert entry in [contents(here / f"{seed}" / name) for seed in whole]

    killer = Killer(again, check, lambda: None, seconds)
    killer.run(kills)
    timed(again())
    assert contents(here / "out").keys() == whole[analysed[-1]].keys()
    check()
    assert {path.name for path in here.iterdir()} == {"0", "0.nc", "1", "1.nc", "out"}
    figures("kills of analyze", kills=killer.kills, completed=killer.completed, left=killer.left)


def contents(folder: Path) -> dict[str, bytes]:
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder, *folder.rglob("*"))
        if path.is_file()
    }
    assert found
    return found
