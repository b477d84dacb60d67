"""A run that was stopped at any point, and resumed, ends with the same bits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from bioae.errors import ArtefactError, DataError, NetworkError, OutputError
from bioae.runs import Report
from bioae.runs import checkpoint as checkpoints
from bioae.runs.folder import CHECKPOINT, CONFIG, METRICS, TEST
from bioae.trainers.training.problem import Problem

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
    "plain": {},
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
        "variability": 0.1,
    },
}

Outcome = tuple[dict[str, bytes], list[str], bytes]


class StoppedError(Exception):
    """A run ends without a chance to save."""


def position(out: Path) -> tuple[int, int]:
    """Return the finished epochs and batches of a checkpoint."""
    stored, _ = checkpoints.load(out / CHECKPOINT)
    return stored.position["epoch"], stored.position["batch"]


def outcome(out: Path) -> Outcome:
    """Return the arrays, the metrics without the times taken, and the test metrics."""
    _, arrays = checkpoints.load(out / CHECKPOINT)
    epochs = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    assert all(time > 0 for epoch in epochs for time in (epoch.pop(name) for name in TIMES))
    lines = [json.dumps(epoch) for epoch in epochs]
    return {n: each.tobytes() for n, each in arrays.items()}, lines, (out / TEST).read_bytes()


def stop_at(presentations: int, error: type[BaseException]) -> Callable[[Report], None]:
    def stop(report: Report) -> None:
        if report.done == presentations:
            raise error

    return stop


@pytest.fixture(scope="module")
def runs(small_run: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of runs that nothing stopped, by the name of their options; made when used."""

    class Runs(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = tmp_path_factory.mktemp("straight")
            small_run.fit(problem_of(small_run, name), self[name])
            return self[name]

    return Runs()


def problem_of(small_run: ModuleType, name: str = "plain", **changes: Any) -> Problem:
    problem: Problem = small_run.problem(small_run.config(**OPTIONS[name] | changes))
    return problem


def test_training_moves_every_weight_and_lowers_the_loss(
    small_run: ModuleType, runs: dict[str, Path]
) -> None:
    start = problem_of(small_run).mirror.weights
    arrays, lines, _ = outcome(runs["plain"])
    for name, weight in start.items():
        assert weight.detach().numpy().tobytes() != arrays[f"weight/{name}"], name
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", OPTIONS)
def test_stopped_twice_and_resumed(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    problem = problem_of(small_run, name)
    second = 20 + (10 if "stages" in OPTIONS[name] else 12)
    for resume, at in ((False, 18), (True, second)):
        stop = stop_at(at, StoppedError)
        with pytest.raises(StoppedError):  # within the first epoch, and in the second
            small_run.fit(problem_of(small_run, name), tmp_path, resume=resume, progress=stop)
    result = small_run.fit(problem, tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs[name])
    if name == "best":
        assert result.summary["epoch"] < len(result.records)


@pytest.mark.parametrize("batches", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_and_resumed(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path, batches: int
) -> None:
    script = str(Path(small_run.__file__ or ""))
    command = [sys.executable, script, str(tmp_path), str(batches), json.dumps(OPTIONS["all"])]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    # The batch after which the kill came was not in a checkpoint yet.
    epoch, batch = position(tmp_path)
    assert epoch * 4 + batch == batches - 1
    small_run.fit(problem_of(small_run, "all"), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["all"])


def test_an_interrupted_run_keeps_its_progress(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path
) -> None:
    seldom = problem_of(small_run, checkpoint_seconds=1e6)
    with pytest.raises(KeyboardInterrupt):
        small_run.fit(seldom, tmp_path, progress=stop_at(38, KeyboardInterrupt))
    assert position(tmp_path) == (1, 3)
    small_run.fit(problem_of(small_run, checkpoint_seconds=1e6), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["plain"])


def test_an_interrupt_during_an_update_leaves_the_last_checkpoint(
    small_run: ModuleType,
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = problem_of(small_run)
    calls = 0

    def clamp() -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        type(problem.mirror).clamp_(problem.mirror)

    monkeypatch.setattr(problem.mirror, "clamp_", clamp)
    with pytest.raises(KeyboardInterrupt):
        small_run.fit(problem, tmp_path)
    assert position(tmp_path) == (1, 1)
    small_run.fit(problem_of(small_run), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["plain"])


def test_superseded_and_half_written_metrics_are_replaced(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path
) -> None:
    small_run.fit(problem_of(small_run, epochs=1), tmp_path)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 2, "loss": 1.0}\n{"epoch": 3, "lo')
    small_run.fit(problem_of(small_run), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["plain"])


def test_more_epochs_continue_a_finished_run_and_keep_its_best_network(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path
) -> None:
    small_run.fit(problem_of(small_run, "best", epochs=3), tmp_path)
    longer = small_run.fit(problem_of(small_run, "best"), tmp_path, resume=True)
    assert longer.summary["epoch"] == 3
    assert outcome(tmp_path) == outcome(runs["best"])
    assert "epochs = 4" in (tmp_path / CONFIG).read_text()
    with pytest.raises(NetworkError, match="begun more epochs than requested") as refused:
        small_run.fit(problem_of(small_run, "best", epochs=2), tmp_path, resume=True)
    assert (refused.value.expected, refused.value.found) == ("training.epochs of at least 4", "2")


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("plain", {"learning_rate": 1e-3}, "training.learning_rate"),
        ("plain", {"seed": 1}, "training.seed"),
        ("plain", {"derivative": "arctan"}, "training.derivative.name"),
        ("plain", {"gradient_clip": 0}, "training.gradient_clip"),
        ("cosine", {"epochs": 4}, "training.epochs"),
        ("step", {"schedule": "constant"}, "training.schedule.name"),
        ("average", {"average": 0.8}, "training.average"),
        ("average", {"select": "last"}, "training.select"),
        (
            "stages",
            {"stages": [STAGES[0], STAGES[1] | {"batch_size": 4}, STAGES[2]]},
            "training.stages.2nd.batch_size",
        ),
        (
            "warm-up",
            {"regularisers": WARM_UP | {"beta2": {"coefficient": 0.1, "warm_up": 2.0}}},
            "regularisers.beta2.warm_up",
        ),
    ],
)
def test_a_changed_configuration_is_refused_by_key(
    small_run: ModuleType, runs: dict[str, Path], name: str, change: dict[str, Any], key: str
) -> None:
    files = [runs[name] / each for each in (CHECKPOINT, CONFIG)]
    before = [file.read_bytes() for file in files]
    with pytest.raises(NetworkError, match=f"another {key};"):
        small_run.fit(problem_of(small_run, name, **change), runs[name], resume=True)
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_changed_data_are_refused_by_their_part(
    small_run: ModuleType, runs: dict[str, Path], part: str
) -> None:
    problem = problem_of(small_run)
    data = getattr(problem.data, part)
    changed = problem.data._replace(**{part: replace(data, values=255 - data.values)})
    with pytest.raises(DataError, match=f"the {part} data are not those") as refused:
        small_run.fit(replace(problem, data=changed), runs["plain"], resume=True)
    assert str(refused.value.where).endswith(CHECKPOINT)


def test_nothing_to_resume(small_run: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no checkpoint"):
        small_run.fit(problem_of(small_run), tmp_path, resume=True)
    with pytest.raises(ArtefactError, match="without a folder"):
        small_run.fit(problem_of(small_run), resume=True)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_damaged_checkpoint_is_refused(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path, kept: int
) -> None:
    (tmp_path / CHECKPOINT).write_bytes((runs["plain"] / CHECKPOINT).read_bytes()[:kept])
    with pytest.raises(ArtefactError, match="truncated or foreign"):
        small_run.fit(problem_of(small_run), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (None, "truncated or foreign"),
        ("no JSON", "this is not valid JSON"),
        ("{}", "another version of the format; expected 4; found None"),
        ('{"version": 3}', "another version of the format; expected 4; found 3"),
        ('{"version": 4, "kinds": 1}', "unknown key 'kinds'"),
        ('{"version": 4}', "the key 'kind' is missing"),
    ],
)
def test_a_foreign_checkpoint_is_refused(tmp_path: Path, header: str | None, line: str) -> None:
    metadata = None if header is None else {"bioae": header}
    save_file({"weight/a": np.zeros(1)}, tmp_path / CHECKPOINT, metadata=metadata)
    with pytest.raises(ArtefactError, match=line):
        checkpoints.load(tmp_path / CHECKPOINT)


def _without(prefix: str) -> Callable[[Any, dict[str, Any]], Any]:
    def change(stored: Any, arrays: dict[str, Any]) -> Any:
        for name in [name for name in arrays if name.startswith(prefix)]:
            del arrays[name]
        return stored

    return change


def _narrower(stored: Any, arrays: dict[str, Any]) -> Any:
    arrays["weight/hidden.weight"] = arrays["weight/hidden.weight"][:, 1:]
    return stored


def _changed(**fields: Any) -> Callable[[Any, dict[str, Any]], Any]:
    return lambda stored, _: stored.model_copy(update=fields)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (_narrower, r"'hidden.weight' does not fit; expected float32 of shape \(10, 36\)"),
        (_without("weight/"), "another network; expected .*hidden.tau.*; found none"),
        (_without("average/"), "another network; expected for 'average' the arrays hidden"),
        (_changed(position={"epok": 1}), "unknown key 'epok'"),
        (_changed(position={"epoch": 2}), "metrics of 2 epochs; found 3"),
        (_changed(records=[{"epoch": 1}] * 3), "the metrics of epoch 1 do not fit the run"),
        (_changed(position={"epoch": 2, "batch": 9}), "position of the checkpoint does not fit"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    small_run: ModuleType, runs: dict[str, Path], tmp_path: Path, change: Any, line: str
) -> None:
    stored, arrays = checkpoints.load(runs["average"] / CHECKPOINT)
    checkpoints.save(tmp_path / CHECKPOINT, change(stored, arrays), arrays)
    with pytest.raises(ArtefactError, match=line) as refused:
        small_run.fit(problem_of(small_run, "average"), tmp_path, resume=True)
    assert str(refused.value.where).endswith(CHECKPOINT)


def test_a_full_disk_keeps_the_last_checkpoint(
    small_run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_run.fit(problem_of(small_run, epochs=1), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        small_run.fit(problem_of(small_run), tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_an_empty_table_of_a_stage_is_not_a_missing_one() -> None:
    stage = {"epochs": 1}
    current = {"training": {"stages": [stage, stage]}}
    for key in ("regularisers", "learning_rates"):
        stored = {"training": {"stages": [stage, {**stage, key: {}}], key: {}}}
        with pytest.raises(NetworkError, match=f"another training.stages.2nd.{key}"):
            checkpoints.check_config(stored, current, "here", ())
        same = {"training": {"stages": [stage, stage], key: {}}}
        checkpoints.check_config(same, current, "here", ())
