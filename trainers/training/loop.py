"""The training loop: batches, epochs, and their files on disk.

A run's folder holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl``, and at the
end ``test.json``. The checkpoint also holds the metrics of all finished epochs, and
``metrics.jsonl`` is written from it, so that a run killed at any point resumes without a lost or
repeated line.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bioae.datasets.forms.registry import BOTH
from bioae.errors import ArtefactError, NetworkError
from bioae.files import write_text
from bioae.runs.splits import encoder_seed, example_order
from bioae.trainers.training.averaging import in_place_of
from bioae.trainers.training.descent import Batch, DescentProblem, evaluate, reproducible
from bioae.trainers.training.folder import CHECKPOINT, CONFIG, METRICS, TEST, clear
from bioae.trainers.training.progress import Report, Reporter, reported
from bioae.trainers.training.stages import Stage
from bioae.trainers.training.state import RunState

__all__ = [
    "Fitted",
    "TrainingRun",
    "fit",
]


class Fitted(NamedTuple):
    """The metrics of a finished run.

    Attributes
    ----------
    history
        The metrics of each epoch.
    summary
        Those of the selected epoch, and those on the test split.
    """

    history: list[dict[str, Any]]
    summary: dict[str, Any]


def fit(
    problem: DescentProblem,
    out: Path,
    *,
    resume: bool = False,
    progress: Reporter | bool | None = None,
) -> Fitted:
    """Train a network in place, and evaluate it on the test split.

    It ends with the weights of the selected epoch: the best one by validation, or the last.
    With ``average`` they are the moving averages.

    A resumed run gives bit for bit the result of an uninterrupted one, on the same machine and with
    the same versions of PyTorch and NumPy.

    Parameters
    ----------
    problem
        The training problem; its weights are changed.
    out
        The run's folder.
    resume
        Continue from the folder's checkpoint.
    progress
        Called after every batch; or whether to show a bar, by default on a terminal and in a
        notebook.

    Raises
    ------
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    NetworkError
        If the configuration is not the checkpoint's, or the loss stops being finite.
    DataError
        If the data are not those of the checkpoint.
    OutputError
        If a file cannot be written.
    """
    run = TrainingRun(problem, out)
    if resume:
        run.state.restore()
        run.check_position()
    write_text(out / CONFIG, problem.config.to_toml(), overwrite=True)
    with reproducible(run.state.threads):
        run.state.save()
        if not resume:
            clear(out, keep=(CHECKPOINT, METRICS))
        try:
            with reported(progress, *run.batches()) as report:
                run.train(report)
        except KeyboardInterrupt:
            if run.state.consistent:
                run.state.save()
            raise
        return Fitted(run.state.history, run.finish())


class TrainingRun:
    """A training run in progress.

    Attributes
    ----------
    state
        Its state.
    """

    def __init__(self, problem: DescentProblem, out: Path) -> None:
        self.problem = problem
        self.out = out
        self.state = RunState(problem, out)

    def check_position(self) -> None:
        """Reject a position that the run cannot have.

        Raises
        ------
        ArtefactError
            If more batches of an epoch are finished than it has.
        """
        position = self.state.position
        stages = (each for each in self.problem.stages if position.epoch < each.end)
        batches = next((each.batches(len(self.problem.train)) for each in stages), 0)
        if position.batch > batches:
            raise ArtefactError(
                "the position of the checkpoint does not fit the run",
                where=str(self.out / CHECKPOINT),
                expected=f"at most {batches} finished batches of the epoch",
                found=str(position.batch),
            )

    def batches(self) -> tuple[int, int]:
        """Return the numbers of batches of the run, and of those that are finished."""
        images, at = len(self.problem.train), self.state.position
        total, done = 0, at.batch
        for stage in self.problem.stages:
            batches = stage.batches(images)
            total += batches * (stage.end - stage.start)
            done += batches * (min(stage.end, max(stage.start, at.epoch)) - stage.start)
        return total, done

    def train(self, report: Reporter) -> None:
        """Train the remaining epochs."""
        for stage in self.problem.stages:
            if self.state.position.epoch < stage.end:
                self.state.optimisation.enter(stage)
            while self.state.position.epoch < stage.end:
                self._train_epoch(stage, report)
                self._finish_epoch()

    def finish(self) -> dict[str, Any]:
        """Let the network have the selected weights, test it, and return its metrics."""
        selected = self.state.select()
        test = evaluate(self.problem, "test")
        self._check_scores(test, "test")
        test["test_seen"] = self.problem.test.split == BOTH
        figures = {"epoch": selected["epoch"], **test}
        write_text(self.out / TEST, json.dumps(figures, allow_nan=False) + "\n", overwrite=True)
        return {**selected, **test}

    def _train_epoch(self, stage: Stage, report: Reporter) -> None:
        settings = stage.settings
        epoch = self.state.position.epoch + 1
        images = self.problem.train
        order = example_order(settings.seed, epoch, len(images))
        seed = encoder_seed(settings.seed, epoch)
        batches = stage.batches(len(images))
        while self.state.position.batch < batches:
            started = time.monotonic()
            start = self.state.position.batch * settings.batch_size
            chosen = images[order[start : start + settings.batch_size]]
            values = self._update(self.problem.batch(chosen, seed), stage)
            self._count(values, len(chosen), time.monotonic() - started)
            batch, score = self.state.position.batch, self._score()
            report(
                Report(epoch, self.problem.stages[-1].end, batch, batches, values["loss"], score)
            )
            if time.monotonic() - self.state.saved >= settings.checkpoint_seconds:
                self.state.save()

    def _score(self) -> float | None:
        if not self.state.history:
            return None
        score: float = self.state.history[-1][f"validation_{next(iter(self.problem.task.scores))}"]
        return score

    def _update(self, batch: Batch, stage: Stage) -> dict[str, float]:
        """Update the weights on one batch, and return the terms of its loss."""
        with self.state.varied():
            values = self._differentiate(batch, stage)
        self.state.consistent = False
        self.state.optimisation.step(stage, stage.rate_factor(*self._time(stage)))
        self.state.accumulate()
        self.problem.constrain()
        if self.state.average:
            self.state.average.update(self._updates(stage))
        return values

    def _differentiate(self, batch: Batch, stage: Stage) -> dict[str, float]:
        """Compute the clipped gradient of a batch, and return the terms of its loss."""
        terms = self._terms(batch, stage)
        # One transfer for all numbers: each one waits for the device.
        values = dict(zip(terms, torch.stack([*terms.values()]).tolist(), strict=True))
        self._check_finite(values, (batch, stage))
        self.state.optimisation.optimiser.zero_grad()
        if terms["loss"].requires_grad:
            terms["loss"].backward()  # type: ignore[no-untyped-call]
        limit = stage.settings.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.state.weights.values(), limit)
        self._check_finite({"norm of the gradient": norm.item()}, (batch, stage))
        return values

    def _time(self, stage: Stage) -> tuple[int, int, int]:
        """Return the finished epochs, and the finished and all batches of the current one."""
        at = self.state.position
        return at.epoch, at.batch, stage.batches(len(self.problem.train))

    def _updates(self, current: Stage) -> int:
        """Return the number of updates of the run, the one in progress included."""
        epoch, batch, batches = self._time(current)
        before = (
            stage.batches(len(self.problem.train)) * (stage.end - stage.start)
            for stage in self.problem.stages[: current.number]
        )
        return sum(before) + (epoch - current.start) * batches + batch + 1

    def _terms(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        """Return the loss of a batch, and the terms that it sums."""
        return self.problem.terms(batch, stage, stage.regularised_for(*self._time(stage)))

    def _count(self, values: dict[str, float], examples: int, seconds: float) -> None:
        sums = self.state.position.sums
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value * examples
        self.state.position.batch += 1
        self.state.position.examples += examples
        self.state.position.seconds += seconds
        self.state.consistent = True

    def _finish_epoch(self) -> None:
        done = self.state.position
        evaluated = self.state.evaluated()
        with in_place_of(self.state.weights.values(), evaluated.values()):
            held_out = evaluate(self.problem)
        self._check_scores(held_out, "held-out")
        metrics = {
            "epoch": done.epoch + 1,
            "presentations": (done.epoch + 1) * len(self.problem.train),
            **{name: total / done.examples for name, total in done.sums.items()},
            **held_out,
            "seconds": done.seconds,
            "images_per_second": done.examples / done.seconds,
        }
        self.state.finish_epoch(metrics)

    def _check_scores(self, metrics: Mapping[str, Any], split: str) -> None:
        """Reject scores that are not finite, and weights: those of silent sources show nowhere."""
        scores = {
            f"{split} {name.partition('_')[2].replace('_', ' ')}": value
            for name, value in metrics.items()
            if isinstance(value, float)
        }
        for name, weight in self.state.weights.items():
            if not torch.isfinite(weight).all():
                scores[f"array {name}"] = math.nan
        self._check_finite(scores)

    def _check_finite(
        self, values: dict[str, float], update: tuple[Batch, Stage] | None = None
    ) -> None:
        """Reject to continue with NaN or infinity; name what made it in a batch."""
        for name, value in values.items():
            if math.isfinite(value):
                continue
            at = self.state.position
            cause = update and self.problem.cause(lambda: self._terms(*update)["loss"])
            raise NetworkError(
                f"the {name} is no longer finite",
                where=f"epoch {at.epoch + 1}, batch {at.batch + 1}",
                found=f"{value}; {cause}" if cause else str(value),
                hint=(cause and cause.hint)
                or "Lower training.learning_rate or the regularisers' coefficients; the last "
                "checkpoint was kept",
            )
