"""Learning-rate schedules against PyTorch's, and in the optimiser."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import small_run
import torch
from pydantic import TypeAdapter
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, StepLR

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


@pytest.mark.parametrize("final", [0.0, 0.2])
def test_cosine_against_pytorch(final: float) -> None:
    expected = of_pytorch(CosineAnnealingLR, T_max=EPOCHS * BATCHES, eta_min=final)
    assert factors({"name": "cosine", "final": final}) == pytest.approx(expected)
    assert factors("cosine")[-1] < 0.01
    assert factors("constant") == [1.0] * EPOCHS * BATCHES


def test_step_against_pytorch() -> None:
    expected = of_pytorch(StepLR, step_size=2 * BATCHES, gamma=0.5)
    assert factors({"name": "step", "every": 2, "factor": 0.5}) == pytest.approx(expected)
    assert len(set(expected)) == 3


def test_warm_up_against_pytorch() -> None:
    updates = 2 * BATCHES
    expected = of_pytorch(LinearLR, start_factor=1 / updates, total_iters=updates - 1)
    assert factors({"name": "constant", "warm_up": 2}) == pytest.approx(expected)
    assert expected[0] == pytest.approx(0.1)


def test_a_cosine_falls_after_its_warm_up() -> None:
    found = factors({"name": "cosine", "warm_up": 2.0})
    updates = 2 * BATCHES
    assert found[:updates] == pytest.approx([(n + 1) / updates for n in range(updates)])
    rest = EPOCHS * BATCHES - updates
    expected = [(1 + math.cos(math.pi * n / rest)) / 2 for n in range(rest)]
    assert found[updates:] == pytest.approx(expected)
    growing = factors({"name": "cosine", "warm_up": float(EPOCHS)})
    assert growing == sorted(growing)


def test_every_group_follows_in_proportion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_run.config(
        schedule={"name": "step", "every": 1, "factor": 0.5},
        learning_rate=1e-3,
        learning_rates={"tau": 4e-3},
    )
    run = GradientTrainer(small_run.problem(config))
    seen = []
    step = run.optimiser.step
    groups = run.optimiser.param_groups

    def look(*arguments: Any) -> None:
        seen.append(tuple(group["lr"] for group in groups))
        step(*arguments)

    monkeypatch.setattr(run.optimiser, "step", look)
    list(run.train())
    assert seen == [(1e-3 * f, 4e-3 * f) for f in (1.0, 0.5, 0.25) for _ in range(4)]
