"""A run that was stopped at any point, and resumed, ends with the same bits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from refusals import refused
from safetensors.numpy import save_file
from stopping import StoppedError, at_presentation
from torch import Tensor

from bioae.errors import ArtefactError, DataError, NetworkError, OutputError
from bioae.runs import checkpoint as checkpoints
from bioae.runs.folder import CHECKPOINT, CONFIG, METRICS, TEST
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.training import trainer
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.trainer import GradientTrainer

TIMES = ("seconds", "images_per_second")
STAGES: list[dict[str, Any]] = [
    {"epochs": 1, "trainable": [], "learning_rate": 1e-3},
    {"epochs": 1, "batch_size": 5, "frozen": ["hidden.weight"],
     "regularisers": {"lambda2": {"coefficient": 0.1, "warm_up": 0.5}},
     "schedule": {"name": "cosine", "warm_up": 0.5}},
    {"epochs": 1, "learning_rates": {"tau": 1e-2}},
]  # fmt: skip
WARM_UP = {
    "beta2": {"coefficient": 0.1, "warm_up": 2.5},
    "lambda1": {"coefficient": 0.1, "window": [0.1, 0.3], "over": "batch"},
}
MOMENTUM = {"name": "sgd", "momentum": 0.9}
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
    "momentum": {"optimiser": MOMENTUM, "learning_rate": 0.01, "stages": STAGES},
    "noise": {"variability": 0.3},
    "laplace": {"variability": {"scale": 0.3, "distribution": "laplace", "layers": ["output"]}},
    "random walk": {"variability": {"scale": 0.05, "accumulate": True}},
    "all": {
        "stages": STAGES, "average": 0.8, "regularisers": WARM_UP, "learning_rate": 0.1,
        "optimiser": {"name": "adamw", "weight_decay": 0.1}, "evaluation_batch_size": 3,
        "variability": 0.1,
    },
}  # fmt: skip


def position(out: Path) -> tuple[int, int]:
    """Return the finished epochs and batches of a checkpoint."""
    stored, _ = checkpoints.load(out / CHECKPOINT)
    return stored.position["epoch"], stored.position["batch"]


def outcome(out: Path) -> tuple[dict[str, bytes], list[str], bytes]:
    """Return the arrays, the metrics without the times taken, and the test metrics."""
    _, arrays = checkpoints.load(out / CHECKPOINT)
    epochs = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    assert all(time > 0 for epoch in epochs for time in (epoch.pop(name) for name in TIMES))
    lines = [json.dumps(epoch) for epoch in epochs]
    return {n: each.tobytes() for n, each in arrays.items()}, lines, (out / TEST).read_bytes()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of runs that nothing stopped, by the name of their options; made when used."""

    class Runs(dict[str, Path]):
        def __missing__(self, name: str) -> Path:
            self[name] = tmp_path_factory.mktemp("straight")
            small_run.fit(problem_of(name), self[name])
            return self[name]

    return Runs()


def problem_of(name: str = "plain", **changes: Any) -> Problem:
    problem: Problem = small_run.problem(small_run.config(**OPTIONS[name] | changes))
    return problem


def test_training_moves_every_weight_and_lowers_the_loss(runs: dict[str, Path]) -> None:
    start = problem_of().mirror.weights
    arrays, lines, _ = outcome(runs["plain"])
    for name, weight in start.items():
        assert weight.detach().numpy().tobytes() != arrays[f"weight/{name}"], name
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0]


#: All options together, and each by itself in the slow tests.
NAMES = [pytest.param(n, marks=() if n in ("all", "best") else pytest.mark.slow) for n in OPTIONS]


@pytest.mark.medium
@pytest.mark.parametrize("name", NAMES)
def test_stopped_twice_and_resumed(runs: dict[str, Path], tmp_path: Path, name: str) -> None:
    problem = problem_of(name)
    second = 20 + (10 if "stages" in OPTIONS[name] else 12)
    for resume, at in ((False, 18), (True, second)):
        with pytest.raises(StoppedError):  # within the first epoch, and in the second
            small_run.fit(problem_of(name), tmp_path, resume=resume, progress=at_presentation(at))
    result = small_run.fit(problem, tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs[name])
    if name == "best":
        assert result.summary["epoch"] < len(result.records)


@pytest.mark.medium
@pytest.mark.parametrize("batches", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_and_resumed(runs: dict[str, Path], tmp_path: Path, batches: int) -> None:
    script = str(Path(small_run.__file__ or ""))
    command = [sys.executable, script, str(tmp_path), str(batches), json.dumps(OPTIONS["all"])]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    # The batch after which the kill came was not in a checkpoint yet.
    epoch, batch = position(tmp_path)
    assert epoch * 4 + batch == batches - 1
    small_run.fit(problem_of("all"), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["all"])


@pytest.mark.medium
@pytest.mark.parametrize(
    ("owner", "attribute", "batch"),
    [(NetworkMirror, "clamp_", 0), (GradientTrainer, "_terms", 1), (GradientTrainer, "_noisy", 0),
     (trainer, "in_place_of", 0)],
)  # fmt: skip
def test_interrupted_during_an_update(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *,
    owner: Any, attribute: str, batch: int,
) -> None:  # fmt: skip
    """Nothing with noise reaches a checkpoint, also if the noise is only put in or taken out."""
    original, calls = getattr(owner, attribute), 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6 and attribute == "in_place_of":
            return half_restored(*arguments)
        result = original(*arguments)
        if calls == 6:
            raise KeyboardInterrupt
        return result

    @contextmanager
    def half_restored(weights: Sequence[Tensor], values: Sequence[Tensor]) -> Iterator[None]:
        first = weights[0].detach().clone()
        with torch.no_grad():
            for weight, value in zip(weights, values, strict=True):
                weight.copy_(value)
        yield
        with torch.no_grad():
            weights[0].copy_(first)  # of several arrays only one
        raise KeyboardInterrupt

    problem = problem_of("noise", checkpoint_seconds=1e6)
    with monkeypatch.context() as patch:
        patch.setattr(owner, attribute, interrupted)
        with pytest.raises(KeyboardInterrupt):
            small_run.fit(problem, tmp_path)
    # With the weights restored, an interrupt keeps the batches since the last checkpoint.
    assert position(tmp_path) == (1, batch)
    small_run.fit(problem_of("noise"), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["noise"])


def test_half_written_metrics_are_replaced(runs: dict[str, Path], tmp_path: Path) -> None:
    small_run.fit(problem_of(epochs=1), tmp_path)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 2, "loss": 1.0}\n{"epoch": 3, "lo')
    small_run.fit(problem_of(), tmp_path, resume=True)
    assert outcome(tmp_path) == outcome(runs["plain"])


def test_more_epochs_continue_a_finished_run(runs: dict[str, Path], tmp_path: Path) -> None:
    small_run.fit(problem_of("best", epochs=3), tmp_path)
    assert small_run.fit(problem_of("best"), tmp_path, resume=True).summary["epoch"] == 3
    assert outcome(tmp_path) == outcome(runs["best"])
    assert "epochs = 4" in (tmp_path / CONFIG).read_text()
    with refused(NetworkError, expected="training.epochs of at least 4", found="2"):
        small_run.fit(problem_of("best", epochs=2), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("best", {"learning_rate": 1e-3}, "training.learning_rate"),
        ("best", {"seed": 1}, "training.seed"),
        ("best", {"derivative": "arctan"}, "training.derivative.name"),
        ("best", {"gradient_clip": 0}, "training.gradient_clip"),
        ("best", {"schedule": "cosine"}, "training.schedule.name"),
        ("cosine", {"epochs": 4}, "training.epochs"),
        ("all", {"average": 0.9}, "training.average"),
        ("all", {"variability": 0.2}, "training.variability.scale"),
        ("all", {"select": "last"}, "training.select"),
        ("all", {"stages": [STAGES[0], STAGES[1] | {"batch_size": 4}, STAGES[2]]},
         "training.stages.2nd.batch_size"),
        ("all", {"regularisers": WARM_UP | {"beta2": {"coefficient": 0.1, "warm_up": 2.0}}},
         "regularisers.beta2.warm_up"),
    ],
)  # fmt: skip
def test_a_changed_configuration_is_refused_by_key(
    runs: dict[str, Path], name: str, change: dict[str, Any], key: str
) -> None:
    files = [runs[name] / each for each in (CHECKPOINT, CONFIG)]
    before = [file.read_bytes() for file in files]
    with refused(NetworkError, f"another {key};", where=files[0]):
        small_run.fit(problem_of(name, **change), runs[name], resume=True)
    assert [file.read_bytes() for file in files] == before


def test_changed_data_are_refused_by_their_part(runs: dict[str, Path]) -> None:
    for part in ("train", "validation", "test"):
        problem = problem_of("best")
        data = getattr(problem.data, part)
        changed = problem.data._replace(**{part: replace(data, values=255 - data.values)})
        with refused(DataError, part, where=runs["best"] / CHECKPOINT):
            small_run.fit(replace(problem, data=changed), runs["best"], resume=True)


def test_nothing_to_resume(tmp_path: Path) -> None:
    begun = small_run.fit(problem_of(), tmp_path / "new", resume=True)
    assert begun.network.sha256 == small_run.fit(problem_of()).network.sha256
    with refused(ArtefactError, where="resume"):
        small_run.fit(problem_of(), resume=True)


def test_a_damaged_checkpoint_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT
    for kept in (0, 7, 100, -1):
        path.write_bytes((runs["best"] / CHECKPOINT).read_bytes()[:kept])
        with refused(ArtefactError, where=path):
            small_run.fit(problem_of("best"), tmp_path, resume=True)
    for header, names in (
        (None, ()),
        ("no JSON", ("Expecting",)),
        ("{}", ("4", "None")),
        ('{"version": 3}', ("4", "3")),
        ('{"version": 4, "kinds": 1}', ("'kinds'",)),
        ('{"version": 4}', ("'kind'",)),
    ):
        metadata = None if header is None else {"bioae": header}
        save_file({"weight/a": np.zeros(1)}, path, metadata=metadata)
        with refused(ArtefactError, *names, where=path):
            checkpoints.load(path)


def without(prefix: str) -> Callable[[str, Any], Any]:
    return lambda name, array: None if name.startswith(prefix) else array


@pytest.mark.parametrize(
    ("edit", "fields", "names"),
    [
        (without("weight/"), {}, ("hidden.tau", "none")),
        (without("average/"), {}, ("'average'",)),
        (without("-"), {"position": {"epok": 1}}, ("'epok'",)),
    ],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_refused(
    runs: dict[str, Path], tmp_path: Path, edit: Any, fields: dict[str, Any], names: Any
) -> None:
    stored, arrays = checkpoints.load(runs["all"] / CHECKPOINT)
    edited = {n: new for n, array in arrays.items() if (new := edit(n, array)) is not None}
    checkpoints.save(tmp_path / CHECKPOINT, stored.model_copy(update=fields), edited)
    with refused(ArtefactError, *names, where=tmp_path / CHECKPOINT):
        small_run.fit(problem_of("all"), tmp_path, resume=True)


def test_a_full_disk_keeps_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_run.fit(problem_of(epochs=1), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with refused(OutputError, "No space left on device"):
        small_run.fit(problem_of(), tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_an_empty_table_of_a_stage_is_not_a_missing_one() -> None:
    stage = {"epochs": 1}
    current = {"training": {"stages": [stage, stage]}}
    for key in ("regularisers", "learning_rates"):
        stored = {"training": {"stages": [stage, {**stage, key: {}}], key: {}}}
        with refused(NetworkError, f"training.stages.2nd.{key}"):
            checkpoints.check_config(stored, current, "here", ())
        same = {"training": {"stages": [stage, stage], key: {}}}
        checkpoints.check_config(same, current, "here", ())
