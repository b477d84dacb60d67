"""Let a network learn in the mirror, as in Brian2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import one_of, whole
from bioae.datasets import Data, Hints
from bioae.datasets.conversion import check_hints
from bioae.models.loading import NetworkLike, full_network_of
from bioae.networks.network import Network
from bioae.networks.rules import Held, check_held
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Dtype
from bioae.simulation.learned import Learned, collected, learner
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.trainers.plasticity.network import NetworkLearner

__all__ = ["in_batches", "learn_mirror"]


def learn_mirror(
    network: NetworkLike,
    images: Data | Any,
    *,
    held: Held | None = None,
    examples: ArrayLike | None = None,
    seed: int = 0,
    dtype: Dtype = "float64",
    batch_size: int = 1,
    progress: Progress | bool | None = None,
    **hints: Unpack[Hints],
) -> Learned:
    """Let a network learn in the mirror, by its synapse models.

    Parameters
    ----------
    network, images, held, examples, seed, progress, hints
        See `bioae.learn`.
    dtype
        The type of numbers.
    batch_size
        The number of presentations that learn at once: the changes of a step are averaged over
        them. Only with 1, the default, are weights those of Brian2.

    Returns
    -------
    Learned
        The network that has learned, and its activity meanwhile.

    Raises
    ------
    NetworkError, DataError, InputError
        As `bioae.learn`.
    """
    check_progress(progress)
    check_hints(hints, learn_mirror)
    network = learner(full_network_of(network))
    batch_size = whole(batch_size, "batch_size", least=1)
    one_of(dtype, "dtype", get_args(Dtype))
    presented = Presentations.of(network.config, images, examples=examples, seed=seed, **hints)
    values = check_held(network.config.placed, held, len(presented))
    parts = in_batches(network, presented, values, batch_size, dtype=dtype)
    with counted("mirror", len(presented), progress, unit="examples") as report:
        return collected(network, presented, parts, report, target="torch", dtype=dtype)


def in_batches(
    network: Network,
    presented: Presentations,
    held: Mapping[str, NDArray[np.float64]],
    batch_size: int,
    least: int = 1,
    *,
    dtype: Dtype = "float64",
) -> Iterator[tuple[slice, Chunk, dict[str, NDArray[np.float64]]]]:
    """Yield parts of the images, the network's activity, and what it has learned afterwards.

    Parameters
    ----------
    network, presented, held
        As for `bioae.simulation.learning.in_chunks`.
    batch_size
        The number of presentations that learn at once.
    least
        The least number of presentations of a part, whole batches.
    dtype
        The type of numbers.
    """
    mirror = NetworkLearner(network, dtype)
    chunks: list[Chunk] = []
    start = 0
    for batch in presented.chunks(batch_size):
        chunks.append(mirror.present(presented, batch, held))
        if batch.stop - start >= least or batch.stop == len(presented):
            yield slice(start, batch.stop), join_chunks(chunks), mirror.weights
            start, chunks = batch.stop, []
