"""Let a network learn in the mirror, as in Brian2."""

from __future__ import annotations

from typing import Any, Unpack, get_args

from numpy.typing import ArrayLike

from bioae.checks import one_of, whole
from bioae.datasets import Data, Hints
from bioae.datasets.conversion import check_hints
from bioae.models.loading import NetworkLike, full_network_of
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Dtype
from bioae.simulation.learned import Learned, learner, with_weights
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import join_chunks
from bioae.simulation.results.describe import result_of
from bioae.trainers.plasticity.network import NetworkLearner

__all__ = ["learn_mirror"]


def learn_mirror(
    network: NetworkLike,
    images: Data | Any,
    *,
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
    network, images, examples, seed, progress, hints
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
    mirror = NetworkLearner(network, dtype)
    chunks = []
    with counted("mirror", len(presented), progress, unit="examples") as report:
        for part in presented.chunks(batch_size):
            chunks.append(mirror.present(presented, part))
            report(part.stop)
    result = result_of(network, presented, join_chunks(chunks), target="torch", dtype=dtype)
    return Learned(with_weights(network, mirror.weights), result)
