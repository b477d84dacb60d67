"""The loop of learning by rules: presentation after presentation, on any target."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from bioae.networks.network import Network
from bioae.progress import Progress, counted
from bioae.simulation.backend import LABELS
from bioae.simulation.engine import Engine, Learner, Updates
from bioae.simulation.learned import Learned
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.simulation.results.describe import result_of
from bioae.simulation.rewiring import NetworkRewiring

__all__ = ["in_parts", "learned_from"]


def learned_from(
    engine: Engine,
    network: Network,
    presented: Presentations,
    *,
    held: Mapping[str, NDArray[np.float64]],
    updates: Updates,
    before: int = 0,
    progress: Progress | bool | None = None,
) -> Learned:
    """Let a network learn from examples, and collect its activity.

    Parameters
    ----------
    engine
        The engine of the network.
    network
        The network as learning starts, see `bioae.networks.plasticity.learner`.
    presented, held, updates, before
        See `in_parts`.
    progress
        See `bioae.simulate`.
    """
    backend, chunks = engine.backend, []
    learned, moments = network, dict(updates.moments)
    parts = in_parts(engine, presented, backend.chunk, held=held, updates=updates, before=before)
    total = len(presented)
    with (
        counted(LABELS[backend.target], total, progress, unit="examples") as report,
        closing(parts),
    ):
        for part, activity, learner in parts:
            chunks.append(activity)
            learned, moments = network.with_weights(learner.state.arrays), dict(learner.moments)
            report(part.stop)
    result = result_of(
        network.described(),
        presented,
        join_chunks(chunks),
        target=backend.target,
        dtype=backend.dtype,
    )
    return Learned(learned, result, moments, before + total)


def in_parts(
    engine: Engine,
    presented: Presentations,
    size: int | None,
    *,
    held: Mapping[str, NDArray[np.float64]],
    updates: Updates,
    before: int = 0,
) -> Generator[tuple[slice, Chunk, Learner], None, None]:
    """Yield parts of the examples, the network's activity, and the learner afterwards.

    Parameters
    ----------
    engine
        The engine of the network that learns.
    presented
        The examples, in the order of their presentations.
    size
        The number of presentations of a part, rounded up to whole batches; None: chosen to bound
        memory.
    held
        The modulators (example), see `bioae.networks.plasticity.check_held`.
    updates
        The batches and the optimiser.
    before
        The presentations from which the network has learned already, for the periods of rewiring.
    """
    batch = updates.batch_size
    size = max(1, min(size or engine.chunk_size, len(presented)))
    size = -(-size // batch) * batch
    rewiring = NetworkRewiring(engine.network, presented.seed)
    room = rewiring.fitting(min(size, engine.chunk_size))
    room = -(-room // batch) * batch
    with engine.learner(room, updates) as learner:
        for part in presented.chunks(size):
            activities = []
            for piece in rewiring.pieces(part, room, before, batch):
                activities.append(learner.present(presented, piece, held))
                done = before + piece.start, before + piece.stop
                if rewiring.due(*done):
                    learner.state = rewiring(learner.state, *done)
            yield part, join_chunks(activities), learner
