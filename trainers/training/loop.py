"""The training loop: batches, epochs, and their files on disk.

A run's folder holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl``. The
checkpoint also holds the metrics of all finished epochs, and ``metrics.jsonl`` is written from it,
so that a run killed at any point resumes without a lost or repeated line.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from bioae.errors import NetworkError
from bioae.files import atomic_output, remove
from bioae.trainers.mirror.diagnosis import first_not_finite
from bioae.trainers.training import checkpoint as checkpoints
from bioae.trainers.training.checkpoint import Checkpoint, Position
from bioae.trainers.training.objective import evaluate as evaluate_regularisers
from bioae.trainers.training.problem import (
    Batch,
    Problem,
    encoder_seed,
    evaluate,
    example_order,
    reproducible,
)
from bioae.trainers.training.sections import OptimisationConfig

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "METRICS",
    "MODEL",
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


@dataclass(frozen=True)
class Report:
    """Progress of a run after a batch; `epoch` and `batch` count from 1."""

    epoch: int
    epochs: int
    batch: int
    batches: int
    loss: float


Reporter: TypeAlias = Callable[[Report], None]


def fit(
    problem: Problem, out: Path, *, resume: bool = False, progress: Reporter | None = None
) -> list[dict[str, Any]]:
    """Train a network in place, and return the metrics of each epoch.

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
            remove(out / MODEL)  # of the run that this one has replaced
        try:
            run.train(progress)
        except KeyboardInterrupt:
            if run.consistent:
                run.save()
            raise
    return run.history


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


def _groups(weights: Mapping[str, Tensor], settings: OptimisationConfig) -> list[dict[str, Any]]:
    """Return the weights in groups of equal learning rate, in order of appearance."""
    groups: dict[float, list[Tensor]] = {}
    for name, weight in weights.items():
        groups.setdefault(settings.rate(name), []).append(weight)
    return [{"params": params, "lr": rate} for rate, params in groups.items()]


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
        self.optimiser = torch.optim.Adam(_groups(self.weights, settings), fused=True)
        self.threads = settings.threads or torch.get_num_threads()
        self.position = Position()
        self.history: list[dict[str, Any]] = []
        self.consistent = True
        self._saved = time.monotonic()

    def restore(self) -> None:
        """Restore the checkpoint of the run's folder."""
        path = self.out / CHECKPOINT
        stored = checkpoints.load(path)
        checkpoints.check_config(stored.config, self._config(), str(path))
        checkpoints.restore(stored.tensors, self.weights, self.optimiser)
        self.position, self.history = stored.position, stored.history
        self.threads = stored.threads
        if self.position.epoch > self.problem.config.training.epochs:
            raise NetworkError(
                "the run has finished more epochs than requested",
                where=str(path),
                expected=f"training.epochs of at least {self.position.epoch}",
                found=str(self.problem.config.training.epochs),
            )

    def save(self) -> None:
        """Write the checkpoint, then the metrics, which follow from it."""
        state = Checkpoint(
            tensors=checkpoints.capture(self.weights, self.optimiser),
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
        settings = self.problem.config.training
        while self.position.epoch < settings.epochs:
            self._train_epoch(progress)
            self._finish_epoch()

    def _train_epoch(self, progress: Reporter | None) -> None:
        settings = self.problem.config.training
        epoch = self.position.epoch + 1
        images = self.problem.train
        order = example_order(settings.seed, epoch, len(images))
        seed = encoder_seed(settings.seed, epoch)
        batches = math.ceil(len(images) / settings.batch_size)
        while self.position.batch < batches:
            started = time.monotonic()
            start = self.position.batch * settings.batch_size
            chosen = images[order[start : start + settings.batch_size]]
            values = self._update(self.problem.batch(chosen, seed))
            self._count(values, len(chosen), time.monotonic() - started)
            if progress:
                progress(
                    Report(epoch, settings.epochs, self.position.batch, batches, values["loss"])
                )
            if time.monotonic() - self._saved >= settings.checkpoint_seconds:
                self.save()

    def _update(self, batch: Batch) -> dict[str, float]:
        """Update the weights on one batch, and return the terms of its loss."""
        terms = self._terms(batch)
        # One transfer for all numbers: each one waits for the device.
        values = dict(zip(terms, torch.stack([*terms.values()]).tolist(), strict=True))
        self._check_finite(values, batch)
        self.optimiser.zero_grad()
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        self._check_reached()
        limit = self.problem.config.training.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), limit)
        self._check_finite({"norm of the gradient": norm.item()}, batch)
        self.consistent = False
        self.optimiser.step()
        self.problem.mirror.clamp_()
        return values

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
            if weight.grad is None and (name in connections or _kind(name) not in reached)
        ]
        if unreached:
            raise NetworkError(
                f"no gradient reaches {unreached[0]!r}",
                where="training, trainable",
                found=f"the derivative {self.problem.config.training.derivative.name!r}",
                mend="The rule 'membrane' goes straight through the leak: choose another "
                "derivative, or leave the parameter out of `trainable`",
            )

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of a batch, and the terms that it sums."""
        activity = self.problem.mirror(batch.drive, key=batch.key)
        error = self.problem.loss(activity.output, batch.targets)
        terms = evaluate_regularisers(self.problem.regularisers, activity, self.weights)
        loss = torch.stack([error, *terms.values()]).sum()
        return {"loss": loss, self.problem.config.network.task.kind: error, **terms}

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
        held_out = evaluate(self.problem)
        best, *_ = self.problem.config.network.task.scores
        self._check_finite({"held-out error": held_out[f"validation_{best}"]})
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
        self.consistent = True
        self.save()

    def _check_finite(self, values: dict[str, float], batch: Batch | None = None) -> None:
        """Refuse to continue with NaN or infinity; name what made it in a batch."""
        for name, value in values.items():
            if math.isfinite(value):
                continue
            cause = batch and first_not_finite(
                self.problem.mirror, lambda: self._terms(batch)["loss"]
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
