"""Learning-rate schedules against PyTorch's, and stages: each overrides some settings."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from pydantic import TypeAdapter
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, StepLR

from bioae.trainers.training.averaging import Average, in_place_of
from bioae.trainers.training.schedules import Schedule
from bioae.trainers.training.trainer import GradientTrainer

EPOCHS, BATCHES = 6, 5


def factors(schedule: Any) -> list[float]:
    built = TypeAdapter(Schedule).validate_python(schedule)
    return [
        built.rate_factor(epoch + batch / BATCHES, 1 / BATCHES, EPOCHS)
        for epoch in range(EPOCHS)
        for batch in range(BATCHES)
    ]


def of_pytorch(kind: type[LRScheduler], **options: Any) -> list[float]:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = kind(optimiser, **options)
    rates = []
    for _ in range(EPOCHS * BATCHES):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "kind", "options"),
    [
        ({"name": "cosine"}, CosineAnnealingLR, {"T_max": EPOCHS * BATCHES}),
        ({"name": "cosine", "final": 0.2}, CosineAnnealingLR,
         {"T_max": EPOCHS * BATCHES, "eta_min": 0.2}),
        ({"name": "step", "every": 2, "factor": 0.5}, StepLR,
         {"step_size": 2 * BATCHES, "gamma": 0.5}),
        ({"name": "constant", "warm_up": 2}, LinearLR,
         {"start_factor": 0.5 / BATCHES, "total_iters": 2 * BATCHES - 1}),
    ],
)  # fmt: skip
def test_schedules_are_those_of_pytorch(
    schedule: dict[str, Any], kind: type[LRScheduler], options: dict[str, Any]
) -> None:
    expected = of_pytorch(kind, **options)
    assert len(set(expected)) > 2
    assert factors(schedule) == pytest.approx(expected)
    assert factors("constant") == [1.0] * EPOCHS * BATCHES


def test_a_cosine_falls_after_its_warm_up() -> None:
    found = factors({"name": "cosine", "warm_up": 2.0})
    updates = 2 * BATCHES
    assert found[:updates] == pytest.approx([(n + 1) / updates for n in range(updates)])
    rest = EPOCHS * BATCHES - updates
    expected = [(1 + math.cos(math.pi * n / rest)) / 2 for n in range(rest)]
    assert found[updates:] == pytest.approx(expected)
    growing = factors({"name": "cosine", "warm_up": float(EPOCHS)})
    assert growing == sorted(growing)


def rates(name: str = "hidden.weight", **training: Any) -> list[list[float]]:
    """Return the learning rates of an array in each update, by epoch."""
    run = GradientTrainer(small_run.problem(small_run.config(**training)))
    groups = run.optimiser.param_groups
    (group,) = (g for g in groups if any(each is run.weights[name] for each in g["params"]))
    seen: dict[int, list[float]] = {}
    for at, _ in run.train():
        seen.setdefault(at.epoch, []).append(group["lr"])
    return list(seen.values())


def test_every_group_follows_in_proportion() -> None:
    options = {"learning_rate": 1e-3, "learning_rates": {"tau": 4e-3}}
    step = {"name": "step", "every": 1, "factor": 0.5}
    for name, rate in (("hidden.weight", 1e-3), ("hidden.tau", 4e-3)):
        expected = [[rate * factor] * 4 for factor in (1.0, 0.5, 0.25)]
        assert rates(name, schedule=step, **options) == expected


def test_stages_without_changes_are_one_run(tmp_path: Path) -> None:
    """Nothing is rounded or reset between stages."""
    weights = []
    for number, stages in enumerate(([], [{"epochs": 1}, {"epochs": 2}])):
        problem = small_run.problem(small_run.config(stages=stages))
        small_run.fit(problem, tmp_path / str(number))
        weights.append({name: each.clone() for name, each in problem.mirror.weights.items()})
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])


def test_a_stage_has_its_rate_and_batches() -> None:
    stages = [{"epochs": 1, "batch_size": 10, "learning_rate": 1e-3}, {"epochs": 2}]
    assert rates(stages=stages, learning_rate=1e-4) == [[1e-3] * 2, [1e-4] * 4, [1e-4] * 4]


def test_schedules_of_the_run_and_of_a_stage() -> None:
    step = {"name": "step", "every": 1, "factor": 0.5}
    stages = [{"epochs": 2}, {"epochs": 2, "learning_rate": 1e-2}]
    found = rates(stages=stages, schedule=step, learning_rate=1e-3)
    assert [each[0] for each in found] == pytest.approx([1e-3, 5e-4, 2.5e-3, 1.25e-3])
    stages[1]["schedule"] = step
    found = rates(stages=stages, learning_rate=1e-3)
    assert [each[0] for each in found] == pytest.approx([1e-3, 1e-3, 1e-2, 5e-3])
    cosine = rates(stages=[{"epochs": 1}, {}], schedule="cosine")
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


def test_parameters_are_trained_in_their_stages_only() -> None:
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


def test_the_optimiser_continues() -> None:
    stages = [{"epochs": 1, "batch_size": 10}, {"epochs": 1}]
    run = GradientTrainer(small_run.problem(small_run.config(batch_size=5, stages=stages)))
    list(run.train())
    assert run.optimiser.state[run.weights["hidden.weight"]]["step"].item() == 2 + 4


def test_an_interrupt_leaves_no_weight_changed(monkeypatch: pytest.MonkeyPatch) -> None:
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
    run = GradientTrainer(small_run.problem(small_run.config(**options)))
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
