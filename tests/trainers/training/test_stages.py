"""Stages: each overrides some settings, and weights, optimiser and average continue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch

from bioae.runs import Report
from bioae.trainers.training.averaging import Average, in_place_of
from bioae.trainers.training.trainer import GradientTrainer


def rates(out: Path, **training: Any) -> list[list[float]]:
    """Return the learning rates of the weights in each update, by epoch."""
    run = GradientTrainer(small_run.problem(small_run.config(**training)))
    seen: dict[int, list[float]] = {}

    def look(report: Report) -> None:
        (group,) = (
            group
            for group in run.optimiser.param_groups
            if any(each is run.weights["hidden.weight"] for each in group["params"])
        )
        seen.setdefault(report.epoch, []).append(group["lr"])

    for at, _ in run.train():
        look(at)
    return list(seen.values())


def test_stages_without_changes_are_one_run(tmp_path: Path) -> None:
    """Nothing is rounded or reset between stages."""
    weights = []
    for number, stages in enumerate(([], [{"epochs": 1}, {"epochs": 2}])):
        problem = small_run.problem(small_run.config(stages=stages))
        small_run.fit(problem, tmp_path / str(number))
        weights.append({name: each.clone() for name, each in problem.mirror.weights.items()})
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def test_a_stage_has_its_rate_and_batches(tmp_path: Path) -> None:
    stages = [{"epochs": 1, "batch_size": 10, "learning_rate": 1e-3}, {"epochs": 2}]
    found = rates(tmp_path, stages=stages, learning_rate=1e-4)
    assert found == [[1e-3] * 2, [1e-4] * 4, [1e-4] * 4]


def test_schedules_of_the_run_and_of_a_stage(tmp_path: Path) -> None:
    step = {"name": "step", "every": 1, "factor": 0.5}
    stages = [{"epochs": 2}, {"epochs": 2, "learning_rate": 1e-2}]
    found = rates(tmp_path / "run", stages=stages, schedule=step, learning_rate=1e-3)
    assert [each[0] for each in found] == pytest.approx([1e-3, 5e-4, 2.5e-3, 1.25e-3])
    stages[1]["schedule"] = step
    found = rates(tmp_path / "own", stages=stages, learning_rate=1e-3)
    assert [each[0] for each in found] == pytest.approx([1e-3, 1e-3, 1e-2, 5e-3])
    cosine = rates(tmp_path / "cosine", stages=[{"epochs": 1}, {}], schedule="cosine")
    assert len(cosine) == 4, "a stage without epochs has those of the run"
    assert [each[0] / 5e-4 for each in cosine] == pytest.approx(
        [(1 + np.cos(np.pi * n / 4)) / 2 for n in range(4)]
    )


def test_terms_and_warm_ups_of_a_stage(tmp_path: Path) -> None:
    own = {"l2": {"coefficient": 1.0, "warm_up": 2}}
    common = {"l1": {"coefficient": 1.0, "warm_up": 3}}
    config = small_run.config(
        regularisers=common, stages=[{"epochs": 1}, {"epochs": 2, "regularisers": own}]
    )
    first, second = config.stages
    assert [(s.start, s.end, s.regularised) for s in (first, second)] == [(0, 1, 0), (1, 3, 1)]
    assert [[*stage.regularisers] for stage in (first, second)] == [["l1"], ["l2"]]
    assert second.regularised_for(2, 1, 4) == 1.25
    problem = small_run.problem(config)
    history = small_run.fit(problem, tmp_path).records
    assert ["l1" in line for line in history] == [True, False, False]
    assert ["l2" in line for line in history] == [False, True, True]
    # The mean factor over an epoch of 6, 6, 6 and 2 images is 0.15, then 0.65.
    squares = sum(problem.mirror.weights[n].square().sum().item() for n in problem.mirror.synaptic)
    for line, factor in zip(history[1:], (0.15, 0.65), strict=True):
        assert line["l2"] == pytest.approx(factor * squares, rel=0.1)


def test_parameters_are_trained_in_their_stages_only(tmp_path: Path) -> None:
    stages = [
        {"epochs": 1, "trainable": [], "frozen": ["output"]},
        {"epochs": 1, "trainable": ["tau"], "frozen": ["hidden.weight"]},
    ]
    run = GradientTrainer(small_run.problem(small_run.config(trainable=[], stages=stages)))
    moved: list[set[str]] = []
    before = {name: each.detach().clone() for name, each in run.weights.items()}

    for _, due in run.train():
        if due:  # at the end of an epoch
            moved.append({n for n, each in run.weights.items() if not each.equal(before[n])})
            before.update({n: each.detach().clone() for n, each in run.weights.items()})
    assert moved == [{"hidden.weight"}, {"hidden.tau", "output.tau", "output.weight"}]


def test_the_optimiser_continues(tmp_path: Path) -> None:
    stages = [{"epochs": 1, "batch_size": 10}, {"epochs": 1}]
    run = GradientTrainer(small_run.problem(small_run.config(batch_size=5, stages=stages)))
    list(run.train())
    state = run.optimiser.state[run.weights["hidden.weight"]]
    assert state["step"].item() == 2 + 4


def test_an_interrupt_between_two_weights_leaves_neither_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = [torch.zeros(2), torch.zeros(3)]
    copy, calls = torch.Tensor.copy_, []

    def interrupted(self: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return copy(self, other)

    monkeypatch.setattr(torch.Tensor, "copy_", interrupted)
    with pytest.raises(KeyboardInterrupt), in_place_of(weights, [torch.ones(2), torch.ones(3)]):
        raise AssertionError("the block must not be entered")
    assert len(calls) == 4
    assert not any(weight.any() for weight in weights)


def test_the_average_against_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, decay = torch.zeros(5, dtype=torch.float64), 0.7
    average = Average({"w": weight}, decay)
    seen = []
    for update in range(1, 8):
        weight.copy_(torch.randn(5, generator=generator, dtype=torch.float64))
        seen.append(weight.clone())
        average.update(update)
        shares = torch.tensor([decay ** (update - k) for k in range(1, update + 1)])
        expected = (torch.stack(seen) * (shares / shares.sum())[:, None]).sum(0)
        torch.testing.assert_close(average.values["w"], expected, rtol=1e-6, atol=1e-6)


def test_the_average_is_evaluated_and_kept(tmp_path: Path) -> None:
    """It runs over stages, and training goes on from the weights themselves."""
    stages = [{"epochs": 1, "batch_size": 10}, {"epochs": 1}]
    options = {"stages": stages, "learning_rate": 0.05, "select": "last"}
    plain = small_run.problem(small_run.config(**options))
    run = GradientTrainer(plain)
    seen = [run.weights["hidden.weight"].detach().double().clone() for _ in run.train()]
    averaged = small_run.problem(small_run.config(**options, average=0.5))
    history = small_run.fit(averaged, tmp_path / "averaged").records
    shares = torch.tensor([0.5 ** (len(seen) - k) for k in range(1, len(seen) + 1)])
    expected = (torch.stack(seen) * (shares / shares.sum())[:, None, None]).sum(0)
    found = averaged.mirror.weights["hidden.weight"].detach().double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, seen[-1], atol=1e-3)
    key = "validation_sum_squared_error"
    assert history[0]["loss"] == run.records[0]["loss"]
    assert history[0][key] != run.records[0][key]
