"""Training by gradients: batches, epochs, evaluation and selection."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from bioae.datasets.forms.registry import BOTH
from bioae.errors import NetworkError
from bioae.fields import Table
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.runs.assessment import warn
from bioae.runs.checkpoint import Arrays
from bioae.runs.folder import START
from bioae.runs.splits import encoder_seed, example_order
from bioae.runs.trainer import Report, Trainer
from bioae.trainers.training.averaging import Average, in_place_of
from bioae.trainers.training.descent import (
    Batch,
    DescentProblem,
    assess_end,
    assess_start,
    best_record,
    evaluate,
    reproducible,
)
from bioae.trainers.training.optimisers import optimiser
from bioae.trainers.training.stages import Stage
from bioae.trainers.training.state import captured, restore
from bioae.trainers.training.tables import VariabilityConfig
from bioae.trainers.training.variability import varied

#: The number of the update at which losses are compared, and of losses.
_WATCHED, _COMPARED = 50, 20

#: The learning rates of a group of weights, by stage.
_Rates = tuple[float, ...]


class Position(Table):
    """Finished epochs, and finished batches of the current one, its examples and seconds.

    `sums` are the sums of each term of the loss over those examples.
    """

    epoch: int = Field(0, ge=0)
    batch: int = Field(0, ge=0)
    examples: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    sums: dict[str, float] = Field(default_factory=dict)


class GradientTrainer(Trainer):
    """Gradient descent on a problem, in stages.

    It ends with the weights of the selected epoch: the best one by validation, or the last. With
    ``average`` they are the moving averages. `start` is the trained network from which the run
    starts, if it does; with `keeps_start` it ends with that if no epoch is better. `best` are the
    evaluated weights of the best epoch so far, if the run selects it.
    """

    kind: ClassVar[str] = "gradients"
    at: Position

    def __init__(
        self, problem: DescentProblem, start: Network | None = None, *, keeps_start: bool = False
    ) -> None:
        settings = problem.config.training
        self.problem, self.config, self.data = problem, problem.config, problem.data
        self.records: list[dict[str, Any]] = []
        self.threads = settings.threads or torch.get_num_threads()
        self.interval = settings.checkpoint_seconds
        self.at = Position()
        self.weights = dict(problem.weights)
        self.optimiser, self._rates = _grouped(self.weights, problem.synaptic, problem.stages)
        self.average = Average(self.weights, settings.average) if settings.average else None
        self.best: dict[str, Tensor] = {}
        self._settings, self._start, self._keeps_start = settings, start, keeps_start
        self._first: dict[str, Tensor] = {}
        if start is not None:
            self._first = {name: each.detach().clone() for name, each in self.weights.items()}
        self._losses: deque[float] = deque(maxlen=_COMPARED)

    # The state

    @property
    def free(self) -> Collection[str]:
        """The configuration keys that may change when a run is resumed."""
        settings = self._settings
        # Hashes of the data are compared.
        free = {"training.checkpoint_seconds", "data.name"}
        extensible = not settings.stages and settings.schedule.extensible
        if extensible or not settings.epochs_apply:
            free.add("training.epochs")
        return free

    def arrays(self) -> Arrays:
        """Return the weights, the optimiser's state, the average and the best weights."""
        return captured(self._kinds(), self.weights, self.optimiser)

    def _kinds(self) -> dict[str, Mapping[str, Tensor]]:
        kinds: dict[str, Mapping[str, Tensor]] = {"weight": self.weights}
        if self.average:
            kinds["average"] = self.average.values
        if self.best:
            kinds["best"] = self.best
        return kinds

    def restore(self, arrays: Arrays, where: str) -> None:
        """Set the state from that of a checkpoint."""
        begun, epochs = self.at.epoch + (self.at.batch > 0), self.problem.stages[-1].end
        if begun > epochs:
            raise NetworkError(
                "the run has begun more epochs than requested", where=where,
                expected=f"training.epochs of at least {begun}", found=str(epochs),
            )  # fmt: skip
        if self.records and self._settings.select == "best":
            self.best = {name: weight.detach().clone() for name, weight in self.weights.items()}
        restore(arrays, self._kinds(), self.weights, self.optimiser, where)

    @property
    def _score_name(self) -> str:
        """The name of the score that selects an epoch, in the metrics."""
        return f"validation_{next(iter(self.problem.task.scores))}"

    # The loop

    @property
    def presentations(self) -> tuple[int, int]:
        """The finished presentations, and those of the whole run."""
        examples = len(self.data.train)
        return self.at.epoch * examples + self.at.examples, self.problem.stages[-1].end * examples

    def prepare(self, out: Path) -> None:
        """Write the network from which the run starts: neuron parameters are relative to it."""
        if self._start is not None:
            artefact.save(self._start, out / START, overwrite=True)

    def running(self) -> AbstractContextManager[None]:
        """Return a context in which PyTorch is deterministic."""
        return reproducible(self.threads or 1)

    def train(self) -> Iterator[tuple[Report, bool]]:
        """Train the remaining epochs, and report each batch; the state is due after an epoch."""
        for stage in self.problem.stages:
            if self.at.epoch < stage.end:
                stage.let_train(self.weights, self.problem.parameters)
                if not self.presentations[0]:
                    self.start = assess_start(self.problem, stage, drawn=self._start is None)
                    self.start.log()
            while self.at.epoch < stage.end:
                yield from self._epoch(stage)

    def _epoch(self, stage: Stage) -> Iterator[tuple[Report, bool]]:
        settings, epoch, examples = stage.settings, self.at.epoch + 1, self.data.train
        order = example_order(settings.seed, epoch, len(examples))
        seed, batches = encoder_seed(settings.seed, epoch), stage.batches(len(examples))
        loss: float | None = None
        while self.at.batch < batches:
            started = time.monotonic()
            start = self.at.batch * settings.batch_size
            chosen = examples[order[start : start + settings.batch_size]]
            values = self.update(self.problem.batch(chosen, seed), stage)
            self._count(values, len(chosen), time.monotonic() - started)
            loss = values["loss"]
            self._watch(loss, stage)
            if self.at.batch < batches:
                yield self._report(epoch, loss), False
        self._finish_epoch()
        yield self._report(epoch, loss), True

    def _watch(self, loss: float, stage: Stage) -> None:
        """Warn of losses that are the same early in a run."""
        losses = self._losses
        losses.append(loss)
        if self._updates(stage) - 1 != _WATCHED:
            return
        same = max(losses) - min(losses) <= 1e-6 * abs(loss) > 0
        if same and len(losses) == _COMPARED:  # there are fewer after a run is resumed
            text = f"the loss was {loss:.4g} in each of the last {_COMPARED} batches"
            higher = stage.key("learning_rate", stage.settings.learning_rate * 10)
            warn(text, (self.start and self.start.suggestion) or higher)

    def _report(self, epoch: int, loss: float | None) -> Report:
        score = self.records[-1][self._score_name] if self.records else None
        return Report(epoch, self.problem.stages[-1].end, *self.presentations, loss, score)

    def update(self, batch: Batch, stage: Stage) -> dict[str, float]:
        """Update the weights on one batch, and return the terms of its loss."""
        with self.varied():
            values = self._differentiate(batch, stage)
        self.consistent = False
        factor = stage.rate_factor(*self._time(stage))
        for group, rates in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rates[stage.number] * factor
        self.optimiser.step()
        if self._settings.variability and self._settings.variability.accumulate:
            for weight, value in zip(*self._noisy(self._settings.variability), strict=True):
                weight.data.copy_(value)
        self.problem.constrain()
        if self.average:
            self.average.update(self._updates(stage))
        return values

    @contextmanager
    def varied(self) -> Iterator[None]:
        """Add the noise of the next update to the weights inside the block, if the run has one.

        However the block ends, the weights are then the same as before, bit for bit.
        """
        settings = self._settings.variability
        if settings is None or settings.accumulate:
            yield
            return
        self.consistent, failure = False, None
        with in_place_of(*self._noisy(settings)):
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised below
                failure = error
        self.consistent = True  # not after an interrupt between two arrays
        if failure is not None:
            raise failure

    def _noisy(self, settings: VariabilityConfig) -> tuple[list[Tensor], list[Tensor]]:
        """Return the weights that vary in the next update, and their values with noise."""
        place = {"seed": self._settings.seed, "epoch": self.at.epoch, "batch": self.at.batch}
        return varied(self.problem.connections, settings, absent=self.problem.absent, **place)

    def _differentiate(self, batch: Batch, stage: Stage) -> dict[str, float]:
        """Compute the clipped gradient of a batch, and return the terms of its loss."""
        terms = self._terms(batch, stage)
        # One transfer for all numbers: each one waits for the device.
        values = dict(zip(terms, torch.stack([*terms.values()]).tolist(), strict=True))
        self._check_finite(values, (batch, stage))
        self.optimiser.zero_grad()
        if terms["loss"].requires_grad:
            terms["loss"].backward()  # type: ignore[no-untyped-call]
        limit = stage.settings.gradient_clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.weights.values(), limit)
        self._check_finite({"norm of the gradient": norm.item()}, (batch, stage))
        return values

    def _time(self, stage: Stage) -> tuple[int, int, int]:
        """Return the finished epochs, and the finished and all batches of the current one."""
        return self.at.epoch, self.at.batch, stage.batches(len(self.data.train))

    def _updates(self, current: Stage) -> int:
        """Return the number of updates of the run, the one in progress included."""
        epoch, batch, batches = self._time(current)
        before = (
            stage.batches(len(self.data.train)) * (stage.end - stage.start)
            for stage in self.problem.stages[: current.number]
        )
        return sum(before) + (epoch - current.start) * batches + batch + 1

    def _terms(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        """Return the loss of a batch, and the terms that it sums."""
        return self.problem.terms(batch, stage, stage.regularised_for(*self._time(stage)))

    def _count(self, values: dict[str, float], examples: int, seconds: float) -> None:
        before = self.at
        self.at = Position(
            epoch=before.epoch,
            batch=before.batch + 1,
            examples=before.examples + examples,
            seconds=before.seconds + seconds,
            sums={n: before.sums.get(n, 0.0) + v * examples for n, v in values.items()},
        )
        self.consistent = True

    def _finish_epoch(self) -> None:
        """Evaluate the epoch, and keep its metrics, and its weights if it is the best so far."""
        done = self.at
        evaluated = self._evaluated()
        with in_place_of(self.weights.values(), evaluated.values()):
            held_out = evaluate(self.problem)
        self._check_scores(held_out, "held-out")
        metrics = {
            "epoch": done.epoch + 1,
            "presentations": (done.epoch + 1) * len(self.data.train),
            **{name: total / done.examples for name, total in done.sums.items()},
            **held_out,
            "seconds": done.seconds,
            "images_per_second": done.examples / done.seconds,
        }
        self.consistent = False
        self.records.append(metrics)
        self.at = Position(epoch=done.epoch + 1)
        if self._settings.select == "best" and self._selected() is metrics:
            self.best = {name: each.detach().clone() for name, each in evaluated.items()}
        self.consistent = True

    def _evaluated(self) -> Mapping[str, Tensor]:
        """Return the weights that are evaluated: their averages, if there are any."""
        return self.average.values if self.average else self.weights

    def _selected(self) -> Mapping[str, Any]:
        """Return the metrics of the epoch whose network is stored."""
        last = self._settings.select == "last"
        return self.records[-1] if last else best_record(self.problem.task, self.records)

    def _check_scores(self, metrics: Mapping[str, Any], split: str) -> None:
        """Raise if scores, or weights that may not affect them, are not finite."""
        scores = {
            f"{split} {name.partition('_')[2].replace('_', ' ')}": value
            for name, value in metrics.items()
            if isinstance(value, float)
        }
        for name, weight in self.weights.items():
            if not torch.isfinite(weight).all():
                scores[f"array {name}"] = math.nan
        self._check_finite(scores)

    def _check_finite(
        self, values: dict[str, float], update: tuple[Batch, Stage] | None = None
    ) -> None:
        """Raise on NaN or infinity, naming its origin in the batch."""
        for name, value in values.items():
            if math.isfinite(value):
                continue
            cause = update and self.problem.cause(lambda: self._terms(*update)["loss"])
            raise NetworkError(
                f"the {name} is no longer finite",
                where=f"epoch {self.at.epoch + 1}, batch {self.at.batch + 1}",
                found=f"{value}; {cause}" if cause else str(value),
                hint=(cause and cause.hint)
                or "Lower training.learning_rate or the regularisers' coefficients; the last "
                "checkpoint was kept",
            )

    # The end

    @torch.no_grad()
    def finish(self) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Let the network have the selected weights, and test it."""
        selected, kept, former, test = self._selected(), self.best or self._evaluated(), None, {}
        if self._first:
            with in_place_of(self.weights.values(), self._first.values()):
                former = {"epoch": 0, "presentations": 0, **evaluate(self.problem)}
            better = best_record(self.problem.task, [selected, former]) is former
            if better and self._keeps_start and self._settings.select == "best":
                selected, kept = former, self._first
                rate = self._settings.learning_rate / 10
                warn("no epoch is better than the start by validation, which is kept",
                     f"learning_rate = {rate:g} in [training]")  # fmt: skip
        for name, value in kept.items():
            self.weights[name].copy_(value)
        if self.data.test is not None:
            test = evaluate(self.problem, "test")
            self._check_scores(test, "test")
            test["test_seen"] = self.data.test.split == BOTH
        summary = {**selected, **test}
        self.end = assess_end(self.problem, self.start, self.records, summary, former)
        self.end.log()
        return self.problem.result(summary), summary, {"epoch": selected["epoch"], **test}

    def save(self, out: Path, result: Any, summary: Mapping[str, Any]) -> None:
        """Write the trained network."""
        self.problem.save(out, result, summary)


def _grouped(
    weights: Mapping[str, nn.Parameter], synaptic: Collection[str], stages: Sequence[Stage]
) -> tuple[torch.optim.Optimizer, list[_Rates]]:
    """Return the optimiser of a run, and the learning rates of its groups.

    Weights with the same learning rate in every stage, and the same decay, are a group. Weight
    decay acts on connections only, the `synaptic` weights: a neuron parameter at 0 is its initial
    value, and biases are not decayed either.
    """
    settings = stages[0].settings.optimiser
    groups: dict[tuple[_Rates, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        rates = tuple(stage.settings.rate(name) for stage in stages)
        decay = settings.weight_decay if name in synaptic else 0.0
        groups.setdefault((rates, decay), []).append(weight)
    described: list[dict[str, Any]] = [
        {"params": params, "lr": rates[0], "weight_decay": decay}
        for (rates, decay), params in groups.items()
    ]
    return optimiser(settings, described), [rates for rates, _ in groups]
