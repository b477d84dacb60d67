"""Let a network learn by rules from a configuration: in pieces, resumable, with its measures.

A run's folder holds ``config.toml``, ``metrics.jsonl`` and ``checkpoint`` from the start, and at
the end ``test.json``, ``model``, the artefact, and figures of what was learned. The checkpoint is
an artefact too: the network as it is, with the position of the run and its metrics.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from bioae.datasets import Data
from bioae.errors import ArtefactError, NetworkError, describe
from bioae.fields import Count, Natural, Table
from bioae.files import atomic_output, remove
from bioae.inputs import read_input
from bioae.learning.config import LearningConfig, load_learning
from bioae.learning.measures import Evaluation, activity, draw, quantiles
from bioae.networks import artefact
from bioae.networks.connections import new_connections
from bioae.networks.network import Network
from bioae.networks.rules import check_held
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Backend
from bioae.simulation.learned import learner, with_weights
from bioae.simulation.learning import in_chunks
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.run import simulate
from bioae.trainers.training.folder import (
    CONFIG,
    LEARNING,
    METRICS,
    MODEL,
    MOMENTS,
    TEST,
    alone_in,
    check_config,
    check_folder,
    clear,
    write_metrics,
)
from bioae.trainers.training.splits import Splits, encoder_seed, example_order, splits

__all__ = ["LearningResult", "learn_from"]

#: Keys on which the finished part of a run does not depend.
_FREE = frozenset({"learning.epochs", "learning.checkpoint", "learning.labelled", "data.test"})


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
        If the images do not fit the network.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written, or
        another process learns in it.
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    TargetError
        If the target's compiler is missing or fails.
    """
    check_progress(progress)
    out = check_folder(out, replace=resume or overwrite)
    if not isinstance(config, LearningConfig):
        config = load_learning(config)
    state = _State.restored(config, out) if resume else _State(_started(config))
    data = splits(config.data, config.network, config.learning.seed)
    with alone_in(out):
        if not resume:
            check_folder(out, replace=overwrite)  # another process may have learned since
        with atomic_output(out / CONFIG, overwrite=True) as temporary:
            temporary.write_text(config.to_toml(), encoding="utf-8")
        run = _Run(config, out, data, state)
        state.save(config, out)
        if not resume:
            clear(out, keep=(LEARNING, METRICS))
        return run.finish(progress)


def _started(config: LearningConfig) -> Network:
    """Return the network as learning starts."""
    return learner(Network.initialise(config.network, seed=config.learning.seed))


class _Line(Table):
    """A line of metrics."""

    model_config = ConfigDict(extra="allow")

    epoch: Count
    presentations: Count
    weights: dict[str, list[float]]


class _Position(Table):
    """The position of a run, and its metrics so far."""

    epoch: Natural
    done: Annotated[int, Field(ge=0, le=10**9)]
    history: list[_Line] = Field(default_factory=list)


@dataclass
class _State:
    """The state of a run: what is done, the network, and the metrics so far."""

    network: Network
    epoch: int = 0
    done: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    moments: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def restored(cls, config: LearningConfig, out: Path) -> _State:
        """Read the checkpoint of a folder."""
        path = out / LEARNING
        if not path.exists():
            raise ArtefactError(
                "there is no checkpoint to resume from",
                where=str(path),
                mend="Start the run without --resume (resume=True)",
            )
        stored = artefact.load(path)
        before = {**stored.training, "network": stored.network.config.to_mapping()}
        check_config(before, config.to_mapping(), str(path), _FREE)
        try:
            position = _Position.model_validate(stored.metrics)
        except ValidationError as error:
            raise ArtefactError(**describe(error, _Position), where=str(path)) from error
        epoch, done, history = position.epoch, position.done, position.history
        if bool(history) != bool(epoch or done):
            raise ArtefactError("the metrics of the checkpoint do not fit its position",
                                where=str(path))  # fmt: skip
        if epoch > config.learning.epochs:
            raise NetworkError(
                "the run has finished more epochs than requested",
                where=str(path),
                expected=f"learning.epochs of at least {epoch}",
                found=str(config.learning.epochs),
            )
        state = cls(stored.network, epoch, done, [each.model_dump() for each in history])
        if config.learning.optimiser is not None and history:
            state.moments = _moments(state._moments_of(out))
        return state

    def save(self, config: LearningConfig, out: Path) -> None:
        """Write the checkpoint, then the metrics in it.

        The optimiser's state is written first, next to that of the checkpoint before.
        """
        path = self._moments_of(out)
        if config.learning.optimiser is not None:  # some have no state, and an empty file
            with atomic_output(path, overwrite=True) as temporary:
                temporary.write_bytes(save_tensors(self.moments))
        metrics = {"epoch": self.epoch, "done": self.done, "history": self.history}
        artefact.save(
            self.network, out / LEARNING, training=config.record, metrics=metrics, overwrite=True
        )
        write_metrics(out / METRICS, self.history)
        for other in out.glob(MOMENTS):
            if other != path:
                remove(other)

    def _moments_of(self, out: Path) -> Path:
        """Return the path of the optimiser's state at this position."""
        return out / MOMENTS.replace("*", f"{self.epoch}-{self.done}")


def _moments(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read the state of an optimiser."""
    try:
        return load_tensors(read_input(path, None))
    except (OSError, SafetensorError) as error:
        raise ArtefactError(
            "the state of the optimiser is missing or damaged",
            where=str(path),
            mend="Start the run without --resume (resume=True)",
        ) from error


class _Run:
    """A run of learning in progress."""

    def __init__(self, config: LearningConfig, out: Path, data: Splits, state: _State) -> None:
        self.config, self.out, self.data, self.state = config, out, data, state
        self.settings = config.learning
        target = self.settings.target
        self.backend = Backend("numpy" if target == "mirror" else target)
        self.evaluation = Evaluation(config, data, self._simulated)
        self.pieces = self._in_mirror if target == "mirror" else self._in_brian2
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
        with atomic_output(self.out / TEST, overwrite=True) as temporary:
            temporary.write_text(json.dumps(summary, allow_nan=False) + "\n", encoding="utf-8")
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
            self.data.train[order],
            seed=encoder_seed(self.settings.seed, state.epoch + 1),
            examples=order,
        )
        values = check_held(self.config.network.placed, self.settings.held, len(order))
        start, begun = state.done, time.monotonic()
        for part, chunk, weights in self.pieces(presented, values):
            now = time.monotonic()
            exchanged = new_connections(self.config.network.placed, state.network.weights, weights)
            state.network = with_weights(state.network, weights)
            state.done = start + part.stop
            state.history.append(
                {
                    "epoch": state.epoch + 1,
                    "presentations": state.epoch * images + state.done,
                    "layers": activity(self.config.network, chunk),
                    "weights": quantiles(self.config.network, weights),
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
        return simulate(network, data, self.backend, seed=self.settings.seed, progress=False)

    def _in_brian2(
        self, presented: Presentations, held: Mapping[str, NDArray[np.float64]]
    ) -> Iterator[tuple[slice, Chunk, dict[str, NDArray[np.float64]]]]:
        size = self.settings.checkpoint
        with closing(
            in_chunks(
                self.state.network, presented, self.backend, size, held=held, before=self._before
            )
        ) as parts:
            yield from parts

    def _in_mirror(
        self, presented: Presentations, held: Mapping[str, NDArray[np.float64]]
    ) -> Iterator[tuple[slice, Chunk, dict[str, NDArray[np.float64]]]]:
        from bioae.extras import need_torch

        need_torch('target = "mirror"')
        from bioae.trainers.plasticity.learning import in_batches, optimiser_settings
        from bioae.trainers.plasticity.network import NetworkLearner

        settings, state = self.settings, self.state
        mirror = NetworkLearner(
            state.network, optimiser=optimiser_settings(settings.optimiser, settings.learning_rate)
        )
        mirror.moments = state.moments
        for part in in_batches(
            mirror,
            presented,
            held,
            settings.batch_size,
            least=settings.checkpoint,
            before=self._before,
        ):
            state.moments = mirror.moments
            yield part
