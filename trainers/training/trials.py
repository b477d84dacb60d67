"""Settings of a training, chosen in short trials; the best are tried longer."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from bioae.errors import NetworkError
from bioae.progress import counted, lasting
from bioae.runs.splits import example_order
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.trainer import GradientTrainer

#: The parts of a presentation through which gradients may go back, as divisors of its steps.
_PARTS = (1, 2, 4, 8)

#: A spike derivative, and one that suits neurons that are reset to one value.
WIDE = {"name": "arctan"}
_NARROW = {"name": "arctan", "alpha": 4.0, "detach_reset": True}

#: One for models whose scale is much larger than their distances to threshold.
_SHARP = {"name": "arctan", "alpha": 32.0}

#: One that gradients of a steep upstroke pass by, and the part of the presentation for it.
_STRAIGHT, _HALF = {"name": "arctan", "straight_through": 0.9}, 2

_CONSTANT = {"name": "constant"}

#: The updates of a trial, at most and at least; some go on for as many.
_UPDATES, _FEWEST = 16, 4

#: The number of settings, the first ones, with exact gradients but for the spikes' derivative.
_WHOLE = 2

#: The ratio to the lowest error up to which another is as good: short cuts are biased, and high
#: learning rates better at first.
_EQUAL = 1.1

_LOGGER = logging.getLogger("bioae")


class _Trial:
    """A training with some settings, which goes on where it was."""

    def __init__(self, problem: Problem, settings: dict[str, Any]) -> None:
        self.settings, self._problem = settings, problem
        self._trainer = GradientTrainer(self._problem)
        self._losses: list[float] = []
        self.failure: NetworkError | None = None

    def advance(self, batches: Sequence[np.ndarray]) -> Iterator[object]:
        """Train on those of the batches that were not used, and yield after each."""
        problem, stage = self._problem, self._problem.stages[0]
        for chosen in batches[len(self._losses) :]:
            loss = math.inf
            if self.failure is None:
                batch = problem.batch(problem.data.train[chosen], stage.settings.seed)
                try:
                    loss = self._trainer.update(batch, stage)[problem.task.kind]
                except NetworkError as error:  # the training diverged
                    _LOGGER.info("%s: %s", self.settings, error)
                    self.failure = error
            self._losses.append(loss)
            yield loss

    @property
    def error(self) -> float:
        """The mean error in the second half of the updates; infinite if it diverged."""
        losses = self._losses[len(self._losses) // 2 :]
        return float(np.mean(losses)) if losses else math.nan


def best_settings(
    problem: Problem, change: Callable[..., Problem], faster: float | None, shown: bool | None
) -> dict[str, Any]:
    """Return the settings of `[training]` with which a few updates lower the error most.

    Gradients that explode or vanish do not lower it. `change` returns the problem with other
    settings. The learning rate `faster` is tried with the best settings. The trials take no more
    updates than the training, or the fewest that tell.
    """
    steps, training = problem.config.network.steps, problem.config.training
    cuts = [{"truncate": max(steps // part, 1)} if part > 1 else {} for part in _PARTS]
    first: list[dict[str, Any]]
    first = [{"derivative": each, **cut} for cut in cuts for each in (WIDE, _NARROW)]
    first.append({"derivative": _SHARP})
    first.append({"derivative": _STRAIGHT, "truncate": max(steps // _HALF, 1)})
    train, size = problem.data.train, training.batch_size
    pieces = len(first) + _WHOLE + 1 + (2 if faster else 0)
    updates = training.epochs * math.ceil(len(train) / size)
    number = min(max(updates // pieces, _FEWEST), _UPDATES)
    order = np.resize(example_order(training.seed, 1, len(train)), 2 * number * size)
    batches = np.split(order, 2 * number)
    _LOGGER.info("%d settings are tried, in %d updates or twice as many", len(first), number)
    with counted("trying settings", pieces * number, shown, unit="updates") as report:
        done, begun = 0, 0.0

        def made(settings: dict[str, Any]) -> _Trial:
            return _Trial(change(**settings, schedule=_CONSTANT), settings)

        def goes_on(trial: _Trial, until: int) -> _Trial:
            nonlocal done, begun
            for _ in trial.advance(batches[:until]):
                report(done := done + 1)
                if done == 1:  # which may wait for a compiler
                    begun = time.monotonic()
                if done == _FEWEST:
                    whole = (time.monotonic() - begun) / (done - 1) * (pieces * number + updates)
                    _LOGGER.info(
                        "%s for these and %s presentations", lasting(whole), f"{updates * size:,}"
                    )
            _LOGGER.info("%s: error %.4g after %d updates", trial.settings, trial.error, until)
            return trial

        # Gradients of the whole presentation, and the best of those that are cut short or bent.
        others = (goes_on(made(each), number) for each in first[_WHOLE:])
        best = min(others, key=attrgetter("error"))
        tried = [*(made(each) for each in first[:_WHOLE]), best]
        for trial in tried:
            goes_on(trial, 2 * number)
        lowest = min(each.error for each in tried)
        if lowest == math.inf:
            raise NetworkError(
                "the training diverges with each setting that was tried", where="adapt",
                found=str(best.failure or "an infinite loss"),
                hint="Bound what explodes, such as an exponent by clip, or give settings with "
                "a lower learning_rate",
            )  # fmt: skip
        chosen = next(each for each in tried if not each.error > _EQUAL * lowest)
        if faster is not None:
            settings = {**chosen.settings, "learning_rate": faster}
            trial = goes_on(made(settings), 2 * number)
            chosen = trial if _EQUAL * trial.error < chosen.error else chosen
    _LOGGER.info("chosen: %s", chosen.settings)
    return chosen.settings
