"""Let a network learn by rules from a configuration: in pieces, resumable, with its measures.

A run's folder holds ``config.toml``, ``metrics.jsonl`` and ``checkpoint`` from the start, and at
the end ``test.json``, ``model``, the artefact, and figures of what was learned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from bioae.datasets import Data
from bioae.datasets.hashing import data_sha256
from bioae.engines import engine_of
from bioae.errors import ArtefactError
from bioae.files import write_text
from bioae.learning.config import LearningConfig, load_learning
from bioae.learning.measures import Evaluation, activity, draw, quantiles
from bioae.learning.state import LearningState
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.networks.rules import check_held
from bioae.progress import Progress, check_progress, counted
from bioae.runs.splits import Splits, encoder_seed, example_order, splits
from bioae.runs.tables import OptimiserSettings
from bioae.simulation.backend import Backend
from bioae.simulation.learning import in_parts
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.run import Simulation
from bioae.simulation.runner import Learner, Updates
from bioae.trainers.training.folder import (
    CONFIG,
    LEARNING,
    METRICS,
    MODEL,
    TEST,
    alone_in,
    check_data,
    check_folder,
    clear,
)

__all__ = ["LearningResult", "learn_from"]


@dataclass(frozen=True)
class LearningResult:
    """Result of a run of learning.

    Attributes
    ----------
    network
        The network that has learned.
    history
        The lines of ``metrics.jsonl``.
    summary
        The metrics of the network on the test split, as in the artefact.
    out
        The run's folder.
    """

    network: Network
    history: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    out: Path

    @property
    def model(self) -> Path:
        """The artefact of the network."""
        return self.out / MODEL


def learn_from(
    config: LearningConfig | Mapping[str, Any] | Path | str,
    out: Path | str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> LearningResult:
    """Let a network learn by its synapse models, measure what it learned, and write it.

    Parameters
    ----------
    config
        A configuration, its tables, or the path of one.
    out
        The run's folder.
    resume
        Continue from the checkpoint in `out`: the network learns as in an uninterrupted run.
    overwrite
        Replace a run in `out`; other files there are left unchanged.
    progress
        Called after each piece with the numbers of finished and of all presentations; or whether
        to show a bar, by default on a terminal and in a notebook.

    Raises
    ------
    NetworkError
        If the configuration does not fit, or differs from that of the run to resume, or weights
        grow without bounds.
    DataError
        If the images do not fit the network, or are not those of the run to resume.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written, or
        another process learns in it.
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    TargetError
        If the target's compiler is missing or fails.
    """
    check_progress(progress)
    out = check_folder(out, resume=resume, overwrite=overwrite)
    if not isinstance(config, LearningConfig):
        config = load_learning(config)
    state = LearningState.restored(config, out) if resume else LearningState.started(config)
    data = splits(config.data, config.network, config.learning.seed)
    hashes = {"train": data_sha256(data.train), "validation": data_sha256(data.validation)}
    if resume:
        check_data(state.data, hashes, str(out / LEARNING))
    state.data = hashes
    with alone_in(out):
        if not resume:
            check_folder(out, overwrite=overwrite)  # another process may have learned since
        write_text(out / CONFIG, config.to_toml(), overwrite=True)
        run = _Run(config, out, data, state)
        state.save(config, out)
        if not resume:
            clear(out, keep=(LEARNING, METRICS))
        return run.finish(progress)


class _Run:
    """A run of learning in progress."""

    def __init__(
        self, config: LearningConfig, out: Path, data: Splits, state: LearningState
    ) -> None:
        self.config, self.out, self.data, self.state = config, out, data, state
        self.settings = config.learning
        self.evaluation = Evaluation(config, data, self._simulated)
        if state.done >= len(data.train):
            raise ArtefactError(
                "the position of the checkpoint does not fit the run",
                where=str(out / LEARNING),
                expected=f"fewer than {len(data.train)} images of the epoch",
                found=str(state.done),
            )

    def finish(self, progress: Progress | bool | None) -> LearningResult:
        """Learn what is left, test the network, and write it."""
        state, images = self.state, len(self.data.train)
        before = self._before
        total = self.settings.epochs * images
        with counted("learning", total, progress, unit="examples", done=before) as report:
            while state.epoch < self.settings.epochs:
                for count in self._epoch():
                    report(state.epoch * images + count)
                self._finish_epoch()
        summary = self.evaluation.test(state.network)
        write_text(self.out / TEST, json.dumps(summary, allow_nan=False) + "\n", overwrite=True)
        draw(self.config, state.network, state.history, self.out)
        artefact.save(
            state.network,
            self.out / MODEL,
            training=self.config.record,
            metrics=summary,
            overwrite=True,
        )
        return LearningResult(state.network, tuple(state.history), summary, self.out)

    def _epoch(self) -> Iterator[int]:
        """Learn from the images that are left of an epoch; yield how many are done."""
        state, images = self.state, len(self.data.train)
        order = example_order(self.settings.seed, state.epoch + 1, images)[state.done :]
        presented = Presentations.of(
            self.config.network,
            replace(self.data.train[order], indices=order),
            seed=encoder_seed(self.settings.seed, state.epoch + 1),
        )
        start, begun = state.done, time.monotonic()
        for part, chunk, learner in self._parts(presented):
            now, learned = time.monotonic(), learner.state
            state.moments = dict(learner.moments)
            exchanged = state.network.plastic_state().new_connections(learned)
            state.network = state.network.with_state(learned)
            state.done = start + part.stop
            state.history.append(
                {
                    "epoch": state.epoch + 1,
                    "presentations": state.epoch * images + state.done,
                    "layers": activity(self.config.network, chunk),
                    "weights": quantiles(self.config.network, learned.arrays),
                    **({"new_connections": exchanged} if exchanged else {}),
                    "seconds": now - begun,
                }
            )
            begun = now
            if state.done < images:
                state.save(self.config, self.out)
            yield state.done

    @property
    def _before(self) -> int:
        """The presentations from which the network has learned."""
        return self.state.epoch * len(self.data.train) + self.state.done

    def _finish_epoch(self) -> None:
        state = self.state
        state.history[-1] |= self.evaluation.validation(state.network)
        state.epoch, state.done = state.epoch + 1, 0
        state.save(self.config, self.out)

    def _simulated(self, network: Network, data: Data) -> xr.DataTree:
        """Simulate a network on data, with fixed weights."""
        target = self.settings.target
        engine = engine_of(network, Backend("numpy" if target == "torch" else target))
        presented = Presentations.of(network.config, data, seed=self.settings.seed)
        return Simulation(engine, presented).result(progress=False)

    def _parts(self, presented: Presentations) -> Iterator[tuple[slice, Chunk, Learner]]:
        settings, state = self.settings, self.state
        held = check_held(self.config.network.placed, settings.held, len(presented))
        optimiser = OptimiserSettings.of(settings.optimiser, settings.learning_rate)
        updates = Updates(settings.batch_size, optimiser, state.moments)
        engine = engine_of(state.network, Backend(settings.target))
        parts = in_parts(
            engine, presented, settings.checkpoint, held=held, updates=updates, before=self._before
        )
        with closing(parts):
            yield from parts
