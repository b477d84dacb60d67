"""The validation split, and the selection and evaluation of the final network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from builders import dense, described
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bioae.datasets import Data, load
from bioae.errors import DataError
from bioae.runs import checkpoint as checkpoints
from bioae.runs.folder import CHECKPOINT, METRICS, TEST
from bioae.runs.splits import held_out, splits
from bioae.runs.tables import DataConfig
from bioae.trainers.training import trainer as training
from bioae.trainers.training.descent import evaluate


def numbered(count: int, classes: int | None) -> Data:
    labels = None if classes is None else np.random.default_rng(count).integers(0, classes, count)
    return Data.of_images(np.zeros((count, 1, 2, 2), np.uint8), labels=labels, name="n")


def test_training_takes_the_files_that_simulation_takes(tmp_path: Path) -> None:
    digits = load("sample", "test", 40)
    np.save(tmp_path / "flat.npy", digits.values.reshape(40, 784))
    config = DataConfig(name=str(tmp_path / "flat.npy"), validation=10)
    network = described(dense("latent", 3), dense("output", 784), input_shape=[1, 28, 28])
    found = splits(config, network, 0)
    np.testing.assert_array_equal(found.test.values, digits.values)
    assert (len(found.train), len(found.validation)) == (30, 10)


@given(
    count=st.integers(2, 200), part=st.floats(0.01, 0.9), classes=st.sampled_from([None, 1, 3, 10]),
    seed=st.integers(0, 2**63 - 1),
)  # fmt: skip
def test_a_split_shares_images(count: int, part: float, classes: int | None, seed: int) -> None:
    images = numbered(count, classes)
    size = max(round(part * count), 1)
    if size == count:
        return
    train, held = held_out(images, part, seed)
    assert len(held) == size
    assert sorted([*train.indices, *held.indices]) == list(range(count))
    assert list(train.indices) == sorted(train.indices)
    assert np.array_equal(held.indices, held_out(images, size, seed)[1].indices)
    if images.labels is not None and held.labels is not None:
        number = int(images.labels.max()) + 1
        expected = np.bincount(images.labels, minlength=number) * size / count
        assert np.abs(np.bincount(held.labels, minlength=number) - expected).max() < 1 + 1e-9


def test_splits_differ_by_seed_and_are_random_without_labels() -> None:
    images = numbered(100, None)
    splits = [held_out(images, 0.2, seed)[1].indices for seed in range(30)]
    assert len({split.tobytes() for split in splits}) == 30
    # Each image has the same chance: 600 places in 100 images.
    counts = np.bincount(np.concatenate(splits), minlength=100)
    assert counts.max() <= 18
    assert (counts > 0).sum() > 95


@pytest.mark.parametrize("part", [5, 10**9, 0.95])
def test_some_example_must_remain(part: float) -> None:
    with refused(DataError, where="data.validation", found=str(part)):
        held_out(numbered(5, None), part, 0)


def errors(history: list[dict[str, Any]]) -> list[float]:
    return [line["validation_sum_squared_error"] for line in history]


@pytest.mark.parametrize("select", ["best", "last"])
def test_the_selected_epoch_is_what_remains(tmp_path: Path, select: str) -> None:
    """With a rate at which the error rises again after its minimum."""
    problem = small_run.problem(small_run.config(select=select, learning_rate=0.1, epochs=4))
    result = small_run.fit(problem, tmp_path)
    history, summary, found = result.records, result.summary, errors(result.records)
    best = int(np.argmin(found))
    assert best < 3, found
    chosen = best if select == "best" else 3
    assert evaluate(problem)["validation_sum_squared_error"] == found[chosen]
    tested = evaluate(problem, "test") | {"test_seen": False}
    assert summary == history[chosen] | tested
    test = json.loads((tmp_path / TEST).read_text())
    assert test == {"epoch": chosen + 1, **tested}
    assert test["test_sum_squared_error"] != found[chosen]
    stored = checkpoints.load(tmp_path / CHECKPOINT)[1]
    assert any(name.startswith("best/") for name in stored) == (select == "best")


def test_the_test_split_is_evaluated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splits = []
    measured = training.evaluate

    def evaluated(problem: Any, split: str = "validation") -> dict[str, Any]:
        splits.append(split)
        return measured(problem, split)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "evaluate", evaluated)
    small_run.fit(small_run.problem(small_run.config()), tmp_path)
    assert splits == ["validation"] * 3 + ["test"]
    assert all("test" not in line for line in (tmp_path / METRICS).read_text().splitlines())


def test_the_batch_size_of_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = []
    for size in (None, 2, 100):
        changes = {} if size is None else {"evaluation_batch_size": size}
        problem = small_run.problem(small_run.config(dtype="float64", **changes))
        batches = []
        run = type(problem.mirror).forward

        def counted(mirror: Any, drive: torch.Tensor, **options: Any) -> Any:
            if not torch.is_grad_enabled():
                batches.append(drive.shape[1])  # noqa: B023 - used within the iteration
            return run(mirror, drive, **options)  # noqa: B023

        monkeypatch.setattr(type(problem.mirror), "forward", counted)
        history = small_run.fit(problem, tmp_path / str(size)).records
        monkeypatch.undo()
        assert max(batches) == {None: 6, 2: 2, 100: 7}[size]
        stored.append((errors(history), problem.mirror.to_network().weights["hidden.weight"]))
    for found, weight in stored[1:]:
        assert found == pytest.approx(stored[0][0], rel=1e-12)
        assert np.array_equal(weight, stored[0][1])
