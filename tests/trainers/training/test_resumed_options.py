"""Schedules, stages, averages, selection and warm-ups resume with the same bits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from safetensors import safe_open

from bioae.errors import ArtefactError, NetworkError
from bioae.trainers.training import checkpoint as checkpoints
from bioae.trainers.training.folder import CHECKPOINT, METRICS, TEST
from bioae.trainers.training.loop import fit
from bioae.trainers.training.progress import Report

TIMES = ("seconds", "images_per_second")
STAGES: list[dict[str, Any]] = [
    {"epochs": 1, "trainable": [], "learning_rate": 1e-3},
    {
        "epochs": 1,
        "batch_size": 5,
        "frozen": ["hidden.weight"],
        "regularisers": {"lambda2": {"coefficient": 0.1, "warm_up": 0.5}},
        "schedule": {"name": "cosine", "warm_up": 0.5},
    },
    {"epochs": 1, "learning_rates": {"tau": 1e-2}},
]
WARM_UP = {
    "beta2": {"coefficient": 0.1, "warm_up": 2.5},
    "lambda1": {"coefficient": 0.1, "window": [0.1, 0.3], "over": "batch"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "cosine": {"schedule": {"name": "cosine", "warm_up": 1.5}},
    "step": {"schedule": {"name": "step", "every": 1, "factor": 0.5}},
    "stages": {"stages": STAGES},
    "average": {"average": 0.9},
    "last": {"select": "last"},
    "warm-up": {"regularisers": WARM_UP},
    # The error rises again, so that the best epoch is not the last one.
    "best": {"learning_rate": 0.1, "epochs": 4},
    "gradient descent": {"optimiser": "sgd", "learning_rate": 0.01},
    "momentum": {
        "optimiser": {"name": "sgd", "momentum": 0.9},
        "learning_rate": 0.01,
        "stages": STAGES,
    },
    "all": {
        "stages": STAGES,
        "average": 0.8,
        "regularisers": WARM_UP,
        "optimiser": {"name": "adamw", "weight_decay": 0.1},
        "learning_rate": 0.1,
        "evaluation_batch_size": 3,
    },
}


class StoppedError(Exception):
    """A run ends without a chance to save."""


def outcome(out: Path) -> tuple[dict[str, bytes], list[str], bytes]:
    """Return the tensors, the metrics without the times taken, and the test metrics."""
    with safe_open(out / CHECKPOINT, framework="np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
    epochs = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    assert all(time > 0 for epoch in epochs for time in (epoch.pop(name) for name in TIMES))
    return tensors, [json.dumps(epoch) for epoch in epochs], (out / TEST).read_bytes()


def stopped(small_run: ModuleType, options: dict[str, Any], out: Path, *, at: int) -> None:
    """Train until a number of batches is finished, of which the last is lost."""
    left = at

    def stop(_: Report) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise StoppedError

    problem, resume = small_run.problem(small_run.config(**options)), (out / CHECKPOINT).exists()
    with pytest.raises(StoppedError):
        fit(problem, out, resume=resume, progress=stop)


@pytest.mark.parametrize("name", OPTIONS)
def test_stopped_twice_and_resumed(small_run: ModuleType, tmp_path: Path, name: str) -> None:
    options = OPTIONS[name]
    problem = small_run.problem(small_run.config(**options))
    history, summary = fit(problem, tmp_path / "straight")
    weights = {key: weight.detach().clone() for key, weight in problem.mirror.weights.items()}
    for at in (3, 4):  # within the first epoch, and in the second
        stopped(small_run, options, tmp_path / "broken", at=at)
    problem = small_run.problem(small_run.config(**options))
    again, resumed = fit(problem, tmp_path / "broken", resume=True)
    assert outcome(tmp_path / "broken") == outcome(tmp_path / "straight")
    assert len(again) == len(history)
    assert {k: v for k, v in resumed.items() if k not in TIMES} == {
        k: v for k, v in summary.items() if k not in TIMES
    }
    assert all(weight.equal(weights[key]) for key, weight in problem.mirror.weights.items())
    if name == "best":
        assert summary["epoch"] < len(history)


def test_the_optimisers_arrays_of_older_checkpoints(small_run: ModuleType, tmp_path: Path) -> None:
    fit(small_run.problem(small_run.config()), tmp_path / "straight")
    stopped(small_run, {}, tmp_path / "broken", at=3)
    stored = checkpoints.load(tmp_path / "broken" / CHECKPOINT)
    renamed = {name.replace("optimiser/", "adam/"): each for name, each in stored.tensors.items()}
    assert renamed.keys() != stored.tensors.keys()
    stored.tensors = renamed
    checkpoints.save(tmp_path / "broken" / CHECKPOINT, stored)
    fit(small_run.problem(small_run.config()), tmp_path / "broken", resume=True)
    assert outcome(tmp_path / "broken") == outcome(tmp_path / "straight")


@pytest.mark.parametrize("batches", [6, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_and_resumed(small_run: ModuleType, tmp_path: Path, batches: int) -> None:
    options = OPTIONS["all"]
    fit(small_run.problem(small_run.config(**options)), tmp_path / "straight")
    script = str(Path(small_run.__file__ or ""))
    out = tmp_path / "broken"
    command = [sys.executable, script, str(out), str(batches), json.dumps(options)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    fit(small_run.problem(small_run.config(**options)), out, resume=True)
    assert outcome(out) == outcome(tmp_path / "straight")


def test_the_best_weights_survive_more_epochs(small_run: ModuleType, tmp_path: Path) -> None:
    """The run of more epochs keeps the best network of the first ones."""
    options = OPTIONS["best"]
    straight = fit(small_run.problem(small_run.config(**options)), tmp_path / "straight").summary
    fit(small_run.problem(small_run.config(**options | {"epochs": 3})), tmp_path / "longer")
    problem = small_run.problem(small_run.config(**options))
    longer = fit(problem, tmp_path / "longer", resume=True).summary
    assert longer["epoch"] == straight["epoch"] == 3
    assert outcome(tmp_path / "longer") == outcome(tmp_path / "straight")


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (OPTIONS["cosine"], {"epochs": 4}, "another training.epochs; expected 3; found 4"),
        (OPTIONS["step"], {"schedule": "constant"}, "another training.schedule.name"),
        (OPTIONS["average"], {"average": 0.8}, "another training.average"),
        (OPTIONS["average"], {"select": "last"}, "another training.select"),
        (
            OPTIONS["stages"],
            {"stages": [STAGES[0], STAGES[1] | {"batch_size": 4}, STAGES[2]]},
            "another training.stages.2nd.batch_size; expected 5; found 4",
        ),
        ({"stages": [{"epochs": 1}, {}]}, {"epochs": 9}, "another training.epochs"),
        (
            OPTIONS["warm-up"],
            {"regularisers": WARM_UP | {"beta2": {"coefficient": 0.1, "warm_up": 2.0}}},
            "another regularisers.beta2.warm_up",
        ),
    ],
)
def test_changed_options_are_refused_by_key(
    small_run: ModuleType, tmp_path: Path, before: dict[str, Any], after: dict[str, Any], line: str
) -> None:
    stopped(small_run, before, tmp_path, at=2)
    with pytest.raises(NetworkError, match=line):
        fit(small_run.problem(small_run.config(**before | after)), tmp_path, resume=True)


def test_a_checkpoint_without_its_average_is_refused(small_run: ModuleType, tmp_path: Path) -> None:
    options = OPTIONS["average"]
    stopped(small_run, options, tmp_path, at=2)
    stored = checkpoints.load(tmp_path / CHECKPOINT)
    stored.tensors = {n: t for n, t in stored.tensors.items() if not n.startswith("average/")}
    checkpoints.save(tmp_path / CHECKPOINT, stored)
    with pytest.raises(ArtefactError, match=r"for 'average' the arrays hidden.*; found none"):
        fit(small_run.problem(small_run.config(**options)), tmp_path, resume=True)
