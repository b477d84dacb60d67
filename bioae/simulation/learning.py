"""The loop of learning by rules: presentation after presentation, on any target."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.networks.network import Network
from bioae.progress import Progress, counted
from bioae.simulation.backend import LABELS
from bioae.simulation.engine import Engine, Learner, Updates
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.simulation.results.describe import result_of
from bioae.simulation.rewiring import NetworkRewiring


@dataclass(frozen=True, eq=False)
class Learned:
    """A network after learning.

    Attributes
    ----------
    network
        The network, with the weights that it has learned.
    result
        Its activity while it learned, see `docs/result.md`.
    moments
        The state of the optimiser, by name; empty if there was none.
    presentations
        The examples from which it has learned, in this call and those that it continued.
    carried
        The state after the last one by name, where it carries over.
    """

    network: Network
    result: xr.DataTree
    moments: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    presentations: int = 0
    carried: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def learned_from(
    engine: Engine,
    presented: Presentations,
    *,
    held: Mapping[str, NDArray[np.float64]],
    updates: Updates,
    before: int = 0,
    progress: Progress | bool | None = None,
) -> Learned:
    """Let a network learn from examples, and collect its activity; arguments as for `in_parts`."""
    network, backend, chunks = engine.network, engine.backend, []
    learned, moments, total = network, dict(updates.moments), len(presented)
    parts = in_parts(engine, presented, backend.chunk, held=held, updates=updates, before=before)
    label = LABELS[backend.target]
    with counted(label, total, progress, unit="examples") as report, closing(parts):
        for part, activity, learner in parts:
            chunks.append(activity)
            learned, moments = network.with_weights(learner.state.arrays), dict(learner.moments)
            report(part.stop)
    chunk, shown = join_chunks(chunks), None
    if chunk.shown is not None:
        presented, shown = presented.showing(chunk.shown), presented.examples[chunk.shown]
    result = result_of(network, presented, chunk, target=backend.target, dtype=backend.dtype)
    if shown is not None:
        result["shown"] = xr.DataArray(shown, dims="example")
    return Learned(learned, result, moments, before + total, chunk.carried)


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

    `engine`: the engine of the network that learns, see `bioae.networks.network.Network.learner`.
    `size`: the number of presentations of a part, rounded up to whole batches; None: chosen to
        bound memory.
    `held`: the modulators (example), see `bioae.networks.plasticity.check_held`.
    `before`: the presentations from which the network has learned already, for the periods of
        rewiring.
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
