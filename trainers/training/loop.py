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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from bioae.errors import NetworkError
from bioae.files import atomic_output, remove
from bioae.trainers.mirror.diagnosis import first_not_finite
from bioae.trainers.training import checkpoint as checkpoints
from bioae.trainers.training.averaging import Average, in_place_of
from bioae.trainers.training.checkpoint import Checkpoint, Position
from bioae.trainers.training.optimisation import Optimisation
from bioae.trainers.training.problem import (
    Batch,
    Problem,
    encoder_seed,
    evaluate,
    example_order,
    reproducible,
    score_name,
)
from bioae.trainers.training.regularisers import evaluate as evaluate_regularisers
from bioae.trainers.training.stages import Stage

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "METRICS",
    "MODEL",
    "TEST",
    "Fitted",
    "Report",
    "Reporter",
    "TrainingRun",
    "fit",
    "write_metrics",
]

CHECKPOINT = "checkpoint.safetensors"
CONFIG = "config.toml"
METRICS = "metrics.jsonl"
MODEL = "model"
TEST = "test.json"


@dataclass(frozen=True)
class Report:
    """Progress of a run after a batch; `epoch` and `batch` count from 1."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float


Reporter: TypeAlias = Callable[[Report], None]


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
    problem: Problem, out: Path, *, resume: bool = False, progress: Reporter | None = None
) -> Fitted:
    """Train a network in place, and evaluate it on the test split.

    The mirror ends with the weights of the selected epoch: the best one by validation, or the last.
    With ``average`` they are the moving averages.

    A resumed run gives bit for bit the result of an uninterrupted one, on the same machine and with
    the same versions of PyTorch and NumPy.

    Parameters
    ----------
    problem
        The training problem; its mirror is changed.
    out
        The run's folder.
    resume
        Continue from the folder's checkpoint.
    progress
        Called after every batch.

    Raises
    ------
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    NetworkError
        If the configuration is not the checkpoint's, or the loss stops being finite.
    OutputError
        If a file cannot be written.
    """
    run = TrainingRun(problem, out)
    if resume:
        run.restore()
    with atomic_output(out / CONFIG, overwrite=True) as temporary:
        temporary.write_text(problem.config.to_toml(), encoding="utf-8")
    with reproducible(run.threads):
        run.save()
        if not resume:
            for name in (MODEL, TEST):
                remove(out / name)  # of the run that this one has replaced
        try:
            run.train(progress)
        except KeyboardInterrupt:
            if run.consistent:
                run.save()
            raise
        return Fitted(run.history, run.finish())


def write_metrics(path: Path, history: Iterable[Mapping[str, Any]]) -> None:
    """Write one line of JSON per epoch, atomically.

    Raises
    ------
    OutputError
        If the file cannot be written; an existing file is then unchanged.
    """
    lines = "".join(json.dumps(epoch, allow_nan=False) + "\n" for epoch in history)
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_text(lines, encoding="utf-8")


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


class TrainingRun:
    """A training run in progress.

    Attributes
    ----------
    consistent
        Whether weights, optimiser and position belong together; false during an update.
    """

    def __init__(self, problem: Problem, out: Path) -> None:
        settings = problem.config.training
        self.problem = problem
        self.out = out
        self.weights = dict(problem.mirror.weights)
        synaptic = problem.mirror.synaptic
        self.optimisation = Optimisation(self.weights, synaptic, settings, problem.stages)
        self.average = Average(self.weights, settings.average) if settings.average else None
        self.best: dict[str, Tensor] = {}
        self.threads = settings.threads or torch.get_num_threads()
        self.position = Position()
        self.history: list[dict[str, Any]] = []
        self.consistent = True
        self._saved = time.monotonic()

    def restore(self) -> None:
        """Restore the checkpoint of the run's folder."""
        path = self.out / CHECKPOINT
        stored = checkpoints.load(path)
        checkpoints.check_config(stored.config, self._config(), str(path), self._free())
        epochs = self.problem.stages[-1].end
        if stored.position.epoch > epochs:
            raise NetworkError(
                "the run has finished more epochs than requested",
                where=str(path),
                expected=f"training.epochs of at least {stored.position.epoch}",
                found=str(epochs),
            )
        self.position, self.history = stored.position, stored.history
        self.threads = stored.threads
        if self.history and self.problem.config.training.select == "best":
            self.best = {name: weight.detach().clone() for name, weight in self.weights.items()}
        optimiser = self.optimisation.optimiser
        checkpoints.restore(stored.tensors, self._arrays(), self.weights, optimiser)

    def _free(self) -> set[str]:
        """Return the keys on which the finished part of the run does not depend."""
        settings = self.problem.config.training
        free = {"training.checkpoint_seconds"}
        if not settings.stages and settings.schedule.extensible:
            free.add("training.epochs")
        return free

    def _arrays(self) -> dict[str, Mapping[str, Tensor]]:
        """Return the tensors that have the names of the weights."""
        arrays: dict[str, Mapping[str, Tensor]] = {"weight": self.weights}
        if self.average:
            arrays["average"] = self.average.values
        if self.best:
            arrays["best"] = self.best
        return arrays

    def save(self) -> None:
        """Write the checkpoint, then the metrics, which follow from it."""
        state = Checkpoint(
            tensors=checkpoints.capture(self._arrays(), self.weights, self.optimisation.optimiser),
            position=self.position,
            history=self.history,
            config=self._config(),
            threads=self.threads,
        )
        checkpoints.save(self.out / CHECKPOINT, state)
        write_metrics(self.out / METRICS, self.history)
        self._saved = time.monotonic()

    def train(self, progress: Reporter | None) -> None:
        """Train the remaining epochs."""
        for stage in self.problem.stages:
            if self.position.epoch < stage.end:
                self.optimisation.enter(stage)
            while self.position.epoch < stage.end:
                self._train_epoch(stage, progress)
                self._finish_epoch()

    def finish(self) -> dict[str, Any]:
        """Let the mirror have the selected weights, test it, and return its metrics."""
        selected = self._selected()
        with torch.no_grad():
            for name, value in (self.best or self._evaluated()).items():
                self.weights[name].copy_(value)
        test = evaluate(self.problem, "test")
        self._check_finite({"test error": test[score_name("test")]})
        figures = {"epoch": selected["epoch"], **test}
        with atomic_output(self.out / TEST, overwrite=True) as temporary:
            temporary.write_text(json.dumps(figures, allow_nan=False) + "\n", encoding="utf-8")
        return {**selected, **test}

    def _selected(self) -> dict[str, Any]:
        """Return the metrics of the epoch whose network is stored."""
        if self.problem.config.training.select == "last":
            return self.history[-1]
        return min(self.history, key=lambda metrics: metrics[score_name("validation")])

    def _evaluated(self) -> Mapping[str, Tensor]:
        """Return the weights that are evaluated: their averages, if there are any."""
        return self.average.values if self.average else self.weights

    def _train_epoch(self, stage: Stage, progress: Reporter | None) -> None:
        settings = stage.settings
        epoch = self.position.epoch + 1
        images = self.problem.train
        order = example_order(settings.seed, epoch, len(images))
        seed = encoder_seed(settings.seed, epoch)
        batches = stage.batches(len(images))
        while self.position.batch < batches:
            started = time.monotonic()
            start = self.position.batch * settings.batch_size
            chosen = images[order[start : start + settings.batch_size]]
            values = self._update(self.problem.batch(chosen, seed), stage)
            self._count(values, len(chosen), time.monotonic() - started)
            if progress:
                epochs = self.problem.stages[-1].end
                progress(Report(epoch, epochs, self.position.batch, batches, values["loss"]))
            if time.monotonic() - self._saved >= settings.checkpoint_seconds:
                self.save()

    def _update(self, batch: Batch, stage: Stage) -> dict[str, float]:
        """Update the weights on one batch, and return the terms of its loss."""
        terms = self._terms(batch, stage)
        # One transfer for all numbers: each one waits for the device.
        values = dict(zip(terms, torch.stack([*terms.values()]).tolist(), strict=True))
        self._check_finite(values, (batch, stage))
        self.optimisation.optimiser.zero_grad()
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        self._check_reached()
        limit = stage.settings.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), limit)
        self._check_finite({"norm of the gradient": norm.item()}, (batch, stage))
        self.consistent = False
        self.optimisation.step(stage, stage.rate_factor(*self._time(stage)))
        self.problem.mirror.clamp_()
        if self.average:
            self.average.update(self._updates(stage))
        return values

    def _time(self, stage: Stage) -> tuple[int, int, int]:
        """Return the finished epochs, and the finished and all batches of the current one."""
        at = self.position
        return at.epoch, at.batch, stage.batches(len(self.problem.train))

    def _updates(self, current: Stage) -> int:
        """Return the number of updates of the run, the one in progress included."""
        epoch, batch, batches = self._time(current)
        before = (
            stage.batches(len(self.problem.train)) * (stage.end - stage.start)
            for stage in self.problem.stages[: current.number]
        )
        return sum(before) + (epoch - current.start) * batches + batch + 1

    def _check_reached(self) -> None:
        """Refuse to train a weight or parameter that no gradient reaches.

        A neuron parameter need not be reached in every layer: where the decoder reads a potential
        that is never reset, the last layer's threshold stays constant.
        """
        reached = {_kind(name) for name, weight in self.weights.items() if weight.grad is not None}
        connections = self.problem.mirror.synaptic
        unreached = [
            name
            for name, weight in self.weights.items()
            if weight.requires_grad
            and weight.grad is None
            and (name in connections or _kind(name) not in reached)
        ]
        if unreached:
            layer = unreached[0].rpartition(".")[0]
            rule = self.problem.config.training.derivative_of(layer)
            raise NetworkError(
                f"no gradient reaches {unreached[0]!r}",
                where="training, trainable",
                found=f"the derivative {rule.name!r}",
                mend="The rule 'membrane' goes straight through the leak: choose another "
                "derivative, or leave the parameter out of `trainable`",
            )

    def _terms(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        """Return the loss of a batch, and the terms that it sums."""
        activity = self.problem.mirror(batch.drive, key=batch.key)
        reconstruction = self.problem.loss(activity.reconstruction, batch.targets)
        elapsed = stage.regularised_for(*self._time(stage))
        terms = evaluate_regularisers(stage.regularisers, activity, self.weights, elapsed)
        loss = torch.stack([reconstruction, *terms.values()]).sum()
        return {"loss": loss, "reconstruction": reconstruction, **terms}

    def _count(self, values: dict[str, float], examples: int, seconds: float) -> None:
        sums = self.position.sums
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value * examples
        self.position.batch += 1
        self.position.examples += examples
        self.position.seconds += seconds
        self.consistent = True

    def _finish_epoch(self) -> None:
        done = self.position
        evaluated = self._evaluated()
        with in_place_of(self.weights.values(), evaluated.values()):
            held_out = evaluate(self.problem)
        self._check_finite({"held-out error": held_out[score_name("validation")]})
        metrics = {
            "epoch": done.epoch + 1,
            **{name: total / done.examples for name, total in done.sums.items()},
            **held_out,
            "seconds": done.seconds,
            "images_per_second": done.examples / done.seconds,
        }
        self.consistent = False
        self.history.append(metrics)
        self.position = Position(epoch=done.epoch + 1)
        if self.problem.config.training.select == "best" and self._selected() is metrics:
            self.best = {name: value.detach().clone() for name, value in evaluated.items()}
        self.consistent = True
        self.save()

    def _check_finite(
        self, values: dict[str, float], update: tuple[Batch, Stage] | None = None
    ) -> None:
        """Refuse to continue with NaN or infinity; name what made it in a batch."""
        for name, value in values.items():
            if math.isfinite(value):
                continue
            cause = update and first_not_finite(
                self.problem.mirror, lambda: self._terms(*update)["loss"]
            )
            raise NetworkError(
                f"the {name} is no longer finite",
                where=f"epoch {self.position.epoch + 1}, batch {self.position.batch + 1}",
                found=f"{value}; {cause}" if cause else str(value),
                mend=(cause and cause.mend)
                or "Lower training.learning_rate or the regularisers' coefficients; the last "
                "checkpoint was kept",
            )

    def _config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(json.dumps(self.problem.config.to_mapping()))
        return config
