"""The state of a run of learning, and its checkpoint.

The checkpoint is an artefact: the network as it is, with the position of the run and its metrics.
The state of an optimiser is a file next to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from bioae.errors import ArtefactError, NetworkError, describe
from bioae.fields import Count, Natural, Table
from bioae.files import atomic_output, remove
from bioae.inputs import read_input
from bioae.learning.config import LearningConfig
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.simulation.learned import learner
from bioae.trainers.training.folder import (
    LEARNING,
    METRICS,
    MOMENTS,
    check_config,
    write_metrics,
)

__all__ = ["LearningState"]

#: Keys on which the finished part of a run does not depend; hashes of the data are compared.
_FREE = frozenset(
    {"learning.epochs", "learning.checkpoint", "learning.labelled", "data.name", "data.test"}
)


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
    data: dict[str, str]


@dataclass
class LearningState:
    """The state of a run.

    Attributes
    ----------
    network
        The network as it is.
    epoch, done
        The finished epochs, and the finished images of the next one.
    history
        The metrics so far.
    moments
        The state of the optimiser, by name; empty if there is none.
    data
        The hashes of the data to learn from and for validation.
    """

    network: Network
    epoch: int = 0
    done: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    moments: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)

    @classmethod
    def started(cls, config: LearningConfig) -> LearningState:
        """Return the state as learning starts."""
        return cls(learner(Network.initialise(config.network, seed=config.learning.seed)))

    @classmethod
    def restored(cls, config: LearningConfig, out: Path) -> LearningState:
        """Read the checkpoint of a folder.

        Raises
        ------
        ArtefactError
            If there is none, or it does not fit.
        NetworkError
            If it is of another configuration, or of more epochs.
        """
        path = out / LEARNING
        if not path.exists():
            raise ArtefactError(
                "there is no checkpoint to resume from",
                where=str(path),
                hint="Start the run without --resume (resume=True)",
            )
        stored = artefact.load(path)
        before = {**stored.training, "network": stored.network.config.to_mapping()}
        check_config(before, config.to_mapping(), str(path), _FREE)
        try:
            position = _Position.model_validate(stored.metrics)
        except ValidationError as error:
            raise ArtefactError(
                **describe(error, _Position),
                where=str(path),
                hint="A run of an earlier version is started again, with --overwrite or elsewhere",
            ) from error
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
        state.data = position.data
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
        metrics = {
            "epoch": self.epoch,
            "done": self.done,
            "history": self.history,
            "data": self.data,
        }
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
            hint="Start the run without --resume (resume=True)",
        ) from error
