"""A run that was stopped at any point, and resumed, ends with the same bits."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bioae.errors import ArtefactError, DataError, NetworkError, OutputError
from bioae.trainers.training import checkpoint as checkpoints
from bioae.trainers.training.folder import CHECKPOINT, CONFIG, METRICS, TEST, check_config
from bioae.trainers.training.loop import fit
from bioae.trainers.training.progress import Report

TIMES = ("seconds", "images_per_second")
BATCHES = 4  # of an epoch of 20 images in batches of 6


def tensors(out: Path) -> dict[str, bytes]:
    with safe_open(out / CHECKPOINT, framework="np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118


def metrics(out: Path) -> list[str]:
    """Return the lines of the metrics, without the times taken."""
    lines = (out / METRICS).read_text().splitlines()
    epochs = [json.loads(line) for line in lines]
    assert all(time > 0 for epoch in epochs for time in (epoch.pop(name) for name in TIMES))
    return [json.dumps(epoch) for epoch in epochs]


@pytest.fixture(scope="module")
def straight(small_run: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing stopped."""
    out = tmp_path_factory.mktemp("straight")
    fit(small_run.problem(small_run.config()), out)
    assert len(metrics(out)) == 3
    return out


def assert_same(out: Path, straight: Path) -> None:
    assert metrics(out) == metrics(straight)
    assert tensors(out) == tensors(straight)
    assert (out / TEST).read_bytes() == (straight / TEST).read_bytes()


def test_training_moves_every_weight_and_lowers_the_loss(
    small_run: ModuleType, straight: Path
) -> None:
    start = small_run.problem(small_run.config()).mirror.weights
    end = tensors(straight)
    for name, weight in start.items():
        assert weight.detach().numpy().tobytes() != end[f"weight/{name}"], name
    losses = [json.loads(line)["loss"] for line in metrics(straight)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("batches", [1, BATCHES + 2, pytest.param(BATCHES, marks=pytest.mark.slow)])
def test_killed_and_resumed(
    small_run: ModuleType, straight: Path, tmp_path: Path, batches: int
) -> None:
    command = [sys.executable, str(Path(small_run.__file__ or "")), str(tmp_path), str(batches)]
    killed = subprocess.run(command, check=False)
    assert killed.returncode == -signal.SIGKILL
    position = checkpoints.load(tmp_path / CHECKPOINT).position
    # The batch after which the kill came was not in a checkpoint yet.
    assert position.epoch * BATCHES + position.batch == batches - 1
    fit(small_run.problem(small_run.config()), tmp_path, resume=True)
    assert_same(tmp_path, straight)


def test_an_interrupted_run_keeps_its_progress(
    small_run: ModuleType, straight: Path, tmp_path: Path
) -> None:
    seldom = small_run.config(checkpoint_seconds=1e6)

    def interrupt(report: Report) -> None:
        if (report.epoch, report.batch) == (2, 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(small_run.problem(seldom), tmp_path, progress=interrupt)
    position = checkpoints.load(tmp_path / CHECKPOINT).position
    assert (position.epoch, position.batch) == (1, 3)
    fit(small_run.problem(seldom), tmp_path, resume=True)
    assert_same(tmp_path, straight)


def test_an_interrupt_during_an_update_leaves_the_last_checkpoint(
    small_run: ModuleType, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = small_run.problem(small_run.config())
    calls = 0

    def clamp() -> None:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        type(problem.mirror).clamp_(problem.mirror)

    monkeypatch.setattr(problem.mirror, "clamp_", clamp)
    with pytest.raises(KeyboardInterrupt):
        fit(problem, tmp_path)
    position = checkpoints.load(tmp_path / CHECKPOINT).position
    assert (position.epoch, position.batch) == (1, 1)
    fit(small_run.problem(small_run.config()), tmp_path, resume=True)
    assert_same(tmp_path, straight)


def test_superseded_and_half_written_metrics_are_replaced(
    small_run: ModuleType, straight: Path, tmp_path: Path
) -> None:
    fit(small_run.problem(small_run.config(epochs=1)), tmp_path)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"epoch": 2, "loss": 1.0}\n{"epoch": 3, "lo')
    fit(small_run.problem(small_run.config()), tmp_path, resume=True)
    assert_same(tmp_path, straight)


def test_more_epochs_continue_a_finished_run(
    small_run: ModuleType, straight: Path, tmp_path: Path
) -> None:
    fit(small_run.problem(small_run.config(epochs=2)), tmp_path)
    fit(small_run.problem(small_run.config(epochs=3)), tmp_path, resume=True)
    assert_same(tmp_path, straight)
    assert "epochs = 3" in (tmp_path / CONFIG).read_text()
    with pytest.raises(NetworkError, match="at least 3"):
        fit(small_run.problem(small_run.config(epochs=2)), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"learning_rate": 1e-3}, "training.learning_rate"),
        ({"seed": 1}, "training.seed"),
        ({"derivative": "arctan"}, "training.derivative.name"),
        ({"gradient_clip": 0}, "training.gradient_clip"),
    ],
)
def test_a_changed_configuration_is_refused_by_key(
    small_run: ModuleType, straight: Path, change: dict[str, Any], key: str
) -> None:
    before = (straight / CHECKPOINT).read_bytes(), (straight / CONFIG).read_bytes()
    with pytest.raises(NetworkError, match=key):
        fit(small_run.problem(small_run.config(**change)), straight, resume=True)
    assert before == ((straight / CHECKPOINT).read_bytes(), (straight / CONFIG).read_bytes())


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_changed_data_are_refused_by_their_part(
    small_run: ModuleType, straight: Path, part: str
) -> None:
    before = (straight / CHECKPOINT).read_bytes(), (straight / METRICS).read_bytes()
    problem = small_run.problem(small_run.config())
    images = getattr(problem, part)
    other = replace(problem, **{part: replace(images, values=255 - images.values)})
    line = rf"{CHECKPOINT}: the {part} data are not those .*; expected the SHA-256 \w+; found \w+\."
    with pytest.raises(DataError, match=line):
        fit(other, straight, resume=True)
    assert before == ((straight / CHECKPOINT).read_bytes(), (straight / METRICS).read_bytes())


def test_nothing_to_resume(small_run: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no checkpoint"):
        fit(small_run.problem(small_run.config()), tmp_path, resume=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_damaged_checkpoint_is_refused(
    small_run: ModuleType, straight: Path, tmp_path: Path, kept: int
) -> None:
    whole = (straight / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(whole[:kept])
    with pytest.raises(ArtefactError, match="truncated or foreign"):
        fit(small_run.problem(small_run.config()), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (None, "truncated or foreign"),
        ({"bioae": "{}"}, "the key 'version' is missing"),
        ({"bioae": "no JSON"}, "this is not valid JSON"),
        ({"bioae": '{"version": 3, "position": {"epok": 1}}'}, "unknown key 'position.epok'"),
        ({"bioae": '{"version": 3}'}, "the key 'config' is missing"),
        ({"bioae": '{"version": 2}'}, "another version of the format; expected 3; found 2"),
        ({"bioae": '{"version": 1}'}, "another version of the format; expected 3; found 1"),
    ],
)
def test_a_foreign_checkpoint_is_refused(
    tmp_path: Path, header: dict[str, str] | None, line: str
) -> None:
    save_file({"weight/a": torch.zeros(1)}, tmp_path / CHECKPOINT, metadata=header)
    with pytest.raises(ArtefactError, match=line):
        checkpoints.load(tmp_path / CHECKPOINT)


def test_a_checkpoint_of_another_network_is_refused(
    small_run: ModuleType, straight: Path, tmp_path: Path
) -> None:
    stored = checkpoints.load(straight / CHECKPOINT)
    other = dict(stored.tensors)
    other["weight/hidden.weight"] = other["weight/hidden.weight"][:, 1:]
    for tensors, line in (
        (other, r"'hidden.weight' does not fit; expected torch.float32 of shape \(10, 36\)"),
        ({"weight/a": torch.zeros(1)}, r"another network; expected .*hidden.tau.*; found a"),
    ):
        stored.tensors = tensors
        checkpoints.save(tmp_path / CHECKPOINT, stored)
        with pytest.raises(ArtefactError, match=line):
            fit(small_run.problem(small_run.config()), tmp_path, resume=True)


def test_a_full_disk_keeps_the_last_checkpoint(
    small_run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(small_run.problem(small_run.config(epochs=1)), tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def full(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        fit(small_run.problem(small_run.config()), tmp_path, resume=True)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        (CHECKPOINT, METRICS, CONFIG, TEST)
    )


def test_a_loss_that_is_not_finite_ends_the_run(small_run: ModuleType, tmp_path: Path) -> None:
    problem = small_run.problem(small_run.config())
    problem.mirror.weights["hidden.weight"].data.fill_(float("nan"))
    with pytest.raises(NetworkError, match=r"epoch 1, batch 1.*no longer finite"):
        fit(problem, tmp_path)


def test_an_epoch_that_has_begun_is_requested_again(small_run: ModuleType, tmp_path: Path) -> None:
    def interrupt(report: Report) -> None:
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(small_run.problem(small_run.config(epochs=3)), tmp_path, progress=interrupt)
    fewer = small_run.problem(small_run.config(epochs=1))
    with pytest.raises(
        NetworkError, match=r"begun more epochs than requested.*at least 2; found 1"
    ):
        fit(fewer, tmp_path, resume=True)


@pytest.mark.parametrize("key", ["regularisers", "learning_rates"])
def test_an_empty_table_of_a_stage_is_not_a_missing_one(key: str) -> None:
    stage = {"epochs": 1}
    stored = {"training": {"stages": [stage, {**stage, key: {}}], key: {}}}
    current = {"training": {"stages": [stage, stage]}}
    with pytest.raises(NetworkError, match=f"another training.stages.2nd.{key}"):
        check_config(stored, current, "here", ())
    check_config(
        {**stored, "training": {**stored["training"], "stages": [stage, stage]}},
        current,
        "here",
        (),
    )
