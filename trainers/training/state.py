"""The state of a training run: weights, optimiser, averages, position and metrics, and its files.

It is stored between two batches, and restored bit for bit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bioae.datasets.hashing import data_sha256
from bioae.errors import ArtefactError, NetworkError
from bioae.trainers.training import checkpoint as checkpoints
from bioae.trainers.training.averaging import Average
from bioae.trainers.training.checkpoint import Checkpoint, Position
from bioae.trainers.training.descent import DescentProblem
from bioae.trainers.training.folder import (
    CHECKPOINT,
    METRICS,
    check_config,
    check_data,
    write_metrics,
)
from bioae.trainers.training.optimisation import Optimisation
from bioae.trainers.training.variability import WeightNoise

__all__ = ["RunState"]

#: The parts of the data, all of which the result depends on.
_PARTS = ("train", "validation", "test")


class RunState:
    """The state of a run.

    Parameters
    ----------
    problem
        The problem, of which the weights are shared.
    out
        The run's folder.

    Attributes
    ----------
    weights
        The weights, biases and neuron parameters, by name.
    optimisation
        The optimiser.
    average
        The moving average of the weights, if the run has one.
    variability
        The noise on the weights, if the run has one.
    best
        The evaluated weights of the best epoch so far, if the run selects it.
    position
        The finished epochs and batches.
    history
        The metrics of the finished epochs.
    threads
        The number of PyTorch's threads.
    consistent
        Whether all of these belong together; false during an update.
    saved
        The time of the last checkpoint, on the monotonic clock.
    """

    def __init__(self, problem: DescentProblem, out: Path) -> None:
        config, stages = problem.config, problem.stages
        settings = config.training
        self._settings = settings
        self._plain: dict[str, Any] = json.loads(json.dumps(config.to_mapping()))
        self._data = {part: data_sha256(getattr(problem, part)) for part in _PARTS}
        self._epochs = stages[-1].end
        self._out = out
        self._task = config.network.task
        self.weights = dict(problem.weights)
        self.optimisation = Optimisation(
            self.weights, problem.synaptic, problem.parameters, settings, stages
        )
        self.average = Average(self.weights, settings.average) if settings.average else None
        self.variability = (
            WeightNoise(
                self.weights, problem.synaptic, settings.variability, settings.seed, problem.absent
            )
            if settings.variability
            else None
        )
        self.best: dict[str, Tensor] = {}
        self.threads = settings.threads or torch.get_num_threads()
        self.position = Position()
        self.history: list[dict[str, Any]] = []
        self.consistent = True
        self.saved = time.monotonic()

    def restore(self) -> None:
        """Restore the checkpoint of the run's folder."""
        path = self._out / CHECKPOINT
        stored = checkpoints.load(path)
        check_config(stored.config, self._plain, str(path), self._free())
        check_data(stored.data, self._data, str(path))
        begun = stored.position.epoch + (stored.position.batch > 0)
        if begun > self._epochs:
            raise NetworkError(
                "the run has begun more epochs than requested",
                where=str(path),
                expected=f"training.epochs of at least {begun}",
                found=str(self._epochs),
            )
        self._check_metrics(stored.history, str(path))
        self.position, self.history = stored.position, stored.history
        self.threads = stored.threads
        if self.history and self._settings.select == "best":
            self.best = {name: weight.detach().clone() for name, weight in self.weights.items()}
        optimiser = self.optimisation.optimiser
        checkpoints.restore(stored.tensors, self._arrays(), self.weights, optimiser)

    def _check_metrics(self, history: Sequence[Mapping[str, Any]], where: str) -> None:
        name = f"validation_{next(iter(self._task.scores))}"
        for number, metrics in enumerate(history, start=1):
            value = metrics.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ArtefactError(
                    f"the metrics of epoch {number} do not fit the run",
                    where=where,
                    expected=f"a number {name!r}",
                    found=str(value)[:40],
                )

    def _free(self) -> set[str]:
        """Return the keys on which the finished part of the run does not depend."""
        settings = self._settings
        # Hashes of the data are compared.
        free = {"training.checkpoint_seconds", "data.name"}
        extensible = not settings.stages and settings.schedule.extensible
        if extensible or not settings.epochs_apply:
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
            config=self._plain,
            data=self._data,
            threads=self.threads,
        )
        checkpoints.save(self._out / CHECKPOINT, state)
        write_metrics(self._out / METRICS, self.history)
        self.saved = time.monotonic()

    @contextmanager
    def varied(self) -> Iterator[None]:
        """Add the noise of the next update to the weights inside the block, if the run has one.

        However the block ends, the weights are then the same as before, bit for bit.
        """
        if self.variability is None or self.variability.accumulates:
            yield
            return
        self.consistent = False  # for an interrupt between two arrays
        clean = self.variability.add(self.position.epoch, self.position.batch)
        try:
            yield
        finally:
            self.variability.restore(clean)
            self.consistent = True

    def accumulate(self) -> None:
        """Add the noise of the last update to the weights for good, if the run's noise adds up."""
        if self.variability is not None and self.variability.accumulates:
            self.variability.add(self.position.epoch, self.position.batch)

    def selected(self) -> dict[str, Any]:
        """Return the metrics of the epoch whose network is stored."""
        if self._settings.select == "last":
            return self.history[-1]
        score, direction = next(iter(self._task.scores.items()))
        choose = max if direction == "higher" else min
        return choose(self.history, key=lambda metrics: metrics[f"validation_{score}"])

    def evaluated(self) -> Mapping[str, Tensor]:
        """Return the weights that are evaluated: their averages, if there are any."""
        return self.average.values if self.average else self.weights

    def finish_epoch(self, metrics: dict[str, Any]) -> None:
        """Store the metrics of the current epoch, and its weights if it is the best one so far."""
        self.consistent = False
        self.history.append(metrics)
        self.position = Position(epoch=self.position.epoch + 1)
        if self._settings.select == "best" and self.selected() is metrics:
            self.best = {name: each.detach().clone() for name, each in self.evaluated().items()}
        self.consistent = True
        self.save()

    @torch.no_grad()
    def select(self) -> dict[str, Any]:
        """Let the network have the weights of the selected epoch, and return its metrics."""
        for name, value in (self.best or self.evaluated()).items():
            self.weights[name].copy_(value)
        return self.selected()
