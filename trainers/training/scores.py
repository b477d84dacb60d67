"""Scores of a task over an evaluation set, accumulated over its batches."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bioae.networks.tasks import Rates, ScoreName, Task
from bioae.trainers.training.losses import squared_error


class Scores:
    """Sums over the examples of an evaluation set, and the scores of a task that follow."""

    def __init__(self, task: Task | Rates) -> None:
        self._names = tuple(task.scores)
        self._examples = 0
        self._sums: dict[str, float] = defaultdict(float)
        self._mean: Tensor | None = None
        self._around = torch.zeros(())

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add a batch."""
        for name in self._names:
            if name in _SUMMED:
                self._sums[name] += _SUMMED[name](output, target).double().sum().item()
        if "r2" in self._names:
            self._add_variance(target.double())
            residual = squared_error(output.double(), target.double()).sum().item()
            self._sums["residual"] += residual
        self._examples += len(output)

    def values(self) -> dict[str, float]:
        """Return the scores by name, without an R2 that is undefined: of equal targets."""
        scores = {name: self._sums[name] / self._examples for name in self._sums}
        if "r2" in self._names:
            scores["r2"] = self._r2()
        undefined = {"r2"} if math.isnan(scores.get("r2", 0.0)) else set()
        return {name: scores[name] for name in self._names if name not in undefined}

    def _add_variance(self, target: Tensor) -> None:
        """Update the mean of the targets and the squares around it (Chan et al. 1979)."""
        count, mean = len(target), target.mean(0)
        around = (target - mean).square().sum(0)
        if self._mean is None:
            self._mean, self._around = mean, around
            return
        total, shift = self._examples + count, mean - self._mean
        self._mean = self._mean + shift * (count / total)
        self._around = self._around + around + shift.square() * (self._examples * count / total)

    def _r2(self) -> float:
        """Return 1 - residual / total sum of squares, over all outputs and steps."""
        total = self._around.sum().item()
        return 1.0 - self._sums["residual"] / total if total else float("nan")


def _correct(output: Tensor, target: Tensor) -> Tensor:
    # The first of equal outputs, as NumPy finds it: `argmax` of PyTorch promises none.
    largest = output == output.amax(1, keepdim=True)
    place = torch.arange(output.shape[1], device=output.device)
    first = torch.where(largest, place, output.shape[1]).amin(1)
    return first == target


#: Scores that are means over the examples of these values (example,).
_SUMMED: dict[ScoreName, Callable[[Tensor, Tensor], Tensor]] = {
    "sum_squared_error": squared_error,
    "mean_squared_error": lambda output, target: (output - target).square().flatten(1).mean(1),
    "mean_absolute_error": lambda output, target: (output - target).abs().flatten(1).mean(1),
    "accuracy": _correct,
    "cross_entropy": lambda output, target: functional.cross_entropy(
        output.double(), target, reduction="none"
    ),
}
