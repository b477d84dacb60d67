"""Learning by rules: pieces of the data, presentation after presentation, and their measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field

from bioae.datasets import Data
from bioae.errors import ArtefactError, NetworkError
from bioae.fields import Natural, Table
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.networks.plasticity import PlasticState
from bioae.networks.teaching import Teaching
from bioae.runs.checkpoint import Arrays, arrays_of
from bioae.runs.folder import MODEL
from bioae.runs.rules.config import LearningConfig
from bioae.runs.rules.measures import Evaluation, activity, draw, quantiles
from bioae.runs.splits import Given, encoder_seed, example_order, splits
from bioae.runs.tables import OptimiserSettings
from bioae.runs.trainer import Report, Trainer
from bioae.simulation.backend import Backend
from bioae.simulation.engine import Engine, Learner, Updates
from bioae.simulation.learning import in_parts
from bioae.simulation.modulators import modulators
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.run import Simulation


class Position(Table):
    """The finished epochs, and the finished presentations of the next one."""

    epoch: Natural = 0
    done: int = Field(0, ge=0, le=10**9)


class RuleTrainer(Trainer):
    """A network that learns by its synapse models.

    `engine`: returns the engine of a network on a target; `start`: the network that learns; by
    default one with drawn weights; `given`: data in place of those of the configuration.

    `moments`: the state of the optimiser, by name; empty if there is none; `carried`: the state
    after the last presentation by name, where it carries over.
    """

    kind: ClassVar[str] = "rules"
    parts: ClassVar[Collection[str]] = ("train", "validation")
    config: LearningConfig
    at: Position
    consistent = False  # but when a report is due

    def __init__(
        self,
        config: LearningConfig,
        engine: Callable[[Network, Backend], Engine],
        start: Network | None = None,
        given: Given | None = None,
    ) -> None:
        settings = config.learning
        if start is None:
            start = Network.initialise(config.network, seed=settings.seed)
        self.network = start.learner(settings.normalise)
        self.data = splits(config.data, config.network, settings.seed, given)
        if given is not None:
            described = config.data.of(self.data.train.name)
            config = config.model_copy(update={"data": described})
        self.config, self._settings, self._engine = config, settings, engine
        self.records: list[dict[str, Any]] = []
        self.moments: Mapping[str, NDArray[np.float64]] = {}
        self.carried: Mapping[str, NDArray[Any]] = {}
        self.at = Position()
        self._evaluation = Evaluation(config, self.data, self._simulated)

    @property
    def free(self) -> Collection[str]:
        """The configuration keys that may change when a run is resumed."""
        keys = ("learning.epochs", "learning.checkpoint", "learning.labelled")
        return {*keys, "data.name", "data.test"}  # hashes of the data are compared

    def arrays(self) -> Arrays:
        """Return the weights, the state of the optimiser, and that which carries over."""
        kinds: dict[str, Arrays] = {
            "weight": self.network.weights, "optimiser": self.moments, "carried": self.carried
        }  # fmt: skip
        return {f"{kind}/{n}": each for kind, named in kinds.items() for n, each in named.items()}

    def restore(self, arrays: Arrays, where: str) -> None:
        """Set the state from that of a checkpoint."""
        if self.at.epoch > self._settings.epochs:
            raise NetworkError(
                "the run has finished more epochs than requested", where=where,
                expected=f"learning.epochs of at least {self.at.epoch}",
                found=str(self._settings.epochs),
            )  # fmt: skip
        begun, examples = bool(self.at.epoch or self.at.done), len(self.data.train)
        if self.at.done >= examples or bool(self.records) != begun:
            raise ArtefactError(
                "the position of the checkpoint does not fit the run and its metrics", where=where,
                expected=f"fewer than {examples} presentations of the epoch",
                found=f"{self.at.done}, and {len(self.records)} records of metrics",
            )  # fmt: skip
        stored = arrays_of("weight", arrays, self.network.weights, where)
        self.network = Network(self.network.config, stored)
        self.moments, self.carried = (
            {n.removeprefix(kind): arrays[n] for n in arrays if n.startswith(kind)}
            for kind in ("optimiser/", "carried/")
        )

    @property
    def presentations(self) -> tuple[int, int]:
        """The finished presentations, and those of the whole run."""
        examples = len(self.data.train)
        return self.at.epoch * examples + self.at.done, self._settings.epochs * examples

    def train(self) -> Iterator[tuple[Report, bool]]:
        """Learn from the remaining presentations, in pieces that are stored one by one."""
        while self.at.epoch < self._settings.epochs:
            yield from self._epoch()

    def _epoch(self) -> Iterator[tuple[Report, bool]]:
        epoch, examples, epochs = self.at.epoch, len(self.data.train), self._settings.epochs
        order = example_order(self._settings.seed, epoch + 1, examples)[self.at.done :]
        presented = Presentations.of(
            self.config.network,
            replace(self.data.train[order], indices=order),
            seed=encoder_seed(self._settings.seed, epoch + 1),
        )
        start, begun = self.at.done, time.monotonic()
        for part, chunk, learned in self._parts(presented):
            now = time.monotonic()
            done = epoch * examples + start + part.stop
            self._keep(chunk, learned, done, now - begun)
            begun = now
            self.at = Position(epoch=epoch, done=start + part.stop)
            if self.at.done < examples:
                yield Report(epoch + 1, epochs, *self.presentations), True
        # Here the target is no longer active, and may simulate.
        self.records[-1] |= self._evaluation.validation(self.network)
        self.at = Position(epoch=epoch + 1)
        yield Report(epoch + 1, epochs, *self.presentations), True

    def _parts(self, presented: Presentations) -> Iterator[tuple[slice, Chunk, Learner]]:
        settings = self._settings
        optimiser = OptimiserSettings.of(settings.optimiser, settings.learning_rate)
        engine = self._engine(self.network, Backend(settings.target))
        engine = replace(engine, carried=self.carried)
        teaching = Teaching(settings.normalise, settings.repeat)
        parts = in_parts(
            engine,
            presented,
            settings.checkpoint,
            held=modulators(self.config.network, settings.held, presented),
            updates=Updates(settings.batch_size, optimiser, self.moments, teaching),
            before=self.presentations[0],
        )
        with closing(parts):
            yield from parts

    def _keep(self, chunk: Chunk, learned: Learner, done: int, seconds: float) -> None:
        """Store the learned state of a piece, and its metrics."""
        state = learned.state
        before = PlasticState(self.network.config.placed, self.network.weights)
        exchanged = before.new_connections(state)
        firing = activity(self.config.network, chunk)
        if not self.presentations[0]:
            self.start = self._evaluation.assessment(firing)
            self.start.log()
        self.network = self.network.with_weights(state.arrays)
        self.moments, self.carried = dict(learned.moments), chunk.carried
        self.records.append(
            {
                "epoch": self.at.epoch + 1,
                "presentations": done,
                "layers": firing,
                "weights": quantiles(self.config.network, state.arrays),
                **({"new_connections": exchanged} if exchanged else {}),
                **({} if chunk.shown is None else {"shown": len(chunk.shown)}),
                "seconds": seconds,
            }
        )

    def _simulated(self, network: Network, data: Data) -> xr.DataTree:
        """Simulate a network on data, with fixed weights."""
        target = self._settings.target
        engine = self._engine(network, Backend("numpy" if target == "torch" else target))
        presented = Presentations.of(network.config, data, seed=self._settings.seed)
        return Simulation(engine, presented).result(progress=False)

    def finish(self) -> tuple[Network, dict[str, Any], dict[str, Any]]:
        """Return the network that has learned, and its metrics on the test split."""
        summary = self._evaluation.test(self.network)
        self.end = self._evaluation.final_assessment(summary)
        self.end.log()
        return self.network, summary, summary

    def save(self, out: Path, result: Network, summary: Mapping[str, Any]) -> None:
        """Write the artefact, and figures of the learned weights."""
        draw(self.config, result, self.records, out)
        record = self.config.record
        artefact.save(result, out / MODEL, training=record, metrics=summary, overwrite=True)
