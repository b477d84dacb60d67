"""Let a network learn in Brian2, by its synapse models: presentation after presentation."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.errors import TargetError
from bioae.networks.network import Network
from bioae.networks.rules import Held, check_held, check_range
from bioae.networks.trained.loading import NetworkLike, network_of
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Backend, Target, check_record
from bioae.simulation.learned import Learned, collected, learner
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.simulation.rewiring import NetworkRewiring
from bioae.simulation.targets.activation import check_target
from bioae.simulation.workers.job import Job, chunk_size

__all__ = ["in_chunks", "learn"]


def learn(
    network: NetworkLike,
    images: Data | Any,
    backend: Backend | Target = "cpp_standalone",
    *,
    held: Held | None = None,
    seed: int = 0,
    examples: ArrayLike | None = None,
    chunk: int | None = None,
    before: int = 0,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> Learned:
    """Let a network learn in Brian2, by its synapse models.

    Presentations follow each other in the order of the images; weights change in each of them, by
    the rules of `docs/timing.md`. Neurons and traces start each presentation from their initial
    values, but for persistent variables of neurons and of rules. Connections of a rule with a
    ``[structure]`` are exchanged between presentations.

    Parameters
    ----------
    network
        The network, of which at least one layer has a synapse model, or neurons with persistent
        variables.
    held
        The numbers that a rule is given for each presentation, such as a reward, by name: (example)
        each, or one number for all.
    before
        The presentations from which the network has learned in earlier calls, from which the
        periods of a ``[structure]`` go on.
    images, backend, seed, examples, chunk, progress, options
        As for `bioae.simulate`. The result depends on the order of the images, and not on `chunk`.

    Returns
    -------
    Learned
        The network that has learned, and its activity meanwhile.

    Raises
    ------
    NetworkError
        If no layer has a synapse model, or connections or their scores do not fit.
    DataError, TargetError, InputError
        As `bioae.simulate`; or if held numbers do not fit, or the target is ``"cuda_standalone"``.
    """
    check_progress(progress)
    check_options(options, learn)
    network = learner(network_of(network))
    backend, before = Backend.of(backend), whole(before, "before")
    check_record(backend.record, network.config.placed)
    presented = Presentations.of(network.config, images, examples=examples, seed=seed, **options)
    values = check_held(network.config.placed, held, len(presented))
    with (
        counted("Brian2", len(presented), progress, unit="examples") as report,
        closing(in_chunks(network, presented, backend, chunk, held=values, before=before)) as parts,
    ):
        return collected(
            network, presented, parts, report, target=backend.target, dtype=backend.dtype
        )


def in_chunks(
    network: Network,
    presented: Presentations,
    backend: Backend,
    chunk: int | None,
    *,
    held: Mapping[str, NDArray[np.float64]],
    before: int = 0,
) -> Generator[tuple[slice, Chunk, dict[str, NDArray[np.float64]]], None, None]:
    """Yield parts of the images, the network's activity, and the weights afterwards.

    Parameters
    ----------
    network, presented, backend
        See `learn`.
    chunk
        The number of presentations of a part; None: chosen to bound memory.
    held
        The held numbers (example), see `bioae.networks.rules.check_held`.
    before
        The presentations from which the network has learned already, for the periods of rewiring.
    """
    if backend.target == "cuda_standalone":
        raise TargetError(
            "networks do not learn on CUDA",
            where="cuda_standalone",
            hint="Use --target cpp_standalone",
        )
    check_target(backend.target)
    fitting = chunk_size(network.config, backend.record)
    size = fitting if chunk is None else whole(chunk, "chunk", least=1)
    size = max(1, min(size, len(presented)))
    rewiring = NetworkRewiring(network, presented.seed)
    room = rewiring.fitting(min(size, fitting))
    with Job(network, room, backend, learning=True).runner() as runner:
        runner.held.update(held)
        for part in presented.chunks(size):
            activities = []
            for piece in rewiring.pieces(part, room, before):
                activities.append(runner(presented, piece))
                check_range(network.config.placed, runner.weights)
                done = before + piece.start, before + piece.stop
                runner.weights.update(rewiring(runner.weights, *done))
            yield part, join_chunks(activities), dict(runner.weights)
