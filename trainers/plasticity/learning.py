"""Let a network learn in the mirror, as in Brian2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import NoneType
from typing import Any, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from bioae.checks import instance, one_of, whole
from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.errors import NetworkError, describe
from bioae.networks.rules import Held, check_averaged, check_held
from bioae.networks.trained.loading import NetworkLike, network_of
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Dtype
from bioae.simulation.learned import Learned, collected, learner
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.simulation.rewiring import NetworkRewiring
from bioae.trainers.plasticity.network import NetworkLearner
from bioae.trainers.plasticity.optimiser import OptimiserSettings
from bioae.trainers.training.tables import Optimiser

__all__ = ["in_batches", "learn_mirror", "optimiser_settings"]


def learn_mirror(
    network: NetworkLike,
    images: Data | Any,
    *,
    held: Held | None = None,
    examples: ArrayLike | None = None,
    seed: int = 0,
    dtype: Dtype = "float64",
    batch_size: int = 1,
    before: int = 0,
    optimiser: Optimiser | str | Mapping[str, Any] | None = None,
    learning_rate: float | None = None,
    moments: Mapping[str, NDArray[np.float64]] | None = None,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> Learned:
    """Let a network learn in the mirror, by its synapse models.

    Parameters
    ----------
    network, images, held, examples, seed, before, progress, options
        See `bioae.learn`.
    dtype
        The type of numbers.
    batch_size
        The number of presentations that learn at once: the changes of a step are averaged over
        them, before the rule's bounds apply. Only with 1, the default, are weights those of Brian2.
    optimiser
        An optimiser as in ``[training]``, such as ``"adam"``: the averaged changes of a step are
        its negative gradient, and the rule's bounds apply after its step. None: they are added.
    learning_rate
        The optimiser's step size; None: 0.001.
    moments
        The state of the optimiser with which an earlier call ended, `Learned.moments`.

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
    check_options(options, learn_mirror)
    network = learner(network_of(network))
    batch_size, before = whole(batch_size, "batch_size", least=1), whole(before, "before")
    one_of(dtype, "dtype", get_args(Dtype))
    check_averaged(network.config.placed, batch_size, optimiser=optimiser is not None)
    presented = Presentations.of(network.config, images, examples=examples, seed=seed, **options)
    values = check_held(network.config.placed, held, len(presented))
    mirror = NetworkLearner(network, dtype, optimiser_settings(optimiser, learning_rate))
    instance(moments, "moments", (Mapping, NoneType), hint="Give Learned.moments")
    mirror.moments = {name: np.asarray(each) for name, each in (moments or {}).items()}
    parts = in_batches(mirror, presented, values, batch_size, before=before)
    with counted("mirror", len(presented), progress, unit="examples") as report:
        learned = collected(network, presented, parts, report, target="torch", dtype=dtype)
    return replace(learned, moments=mirror.moments)


def optimiser_settings(
    optimiser: Optimiser | str | Mapping[str, Any] | None, learning_rate: float | None
) -> OptimiserSettings | None:
    """Return the settings of an optimiser; None if there is none.

    Raises
    ------
    NetworkError
        If they do not fit.
    """
    rate = {} if learning_rate is None else {"learning_rate": learning_rate}
    if optimiser is None:
        if rate:
            raise NetworkError(
                "a learning rate is the step size of an optimiser, which is missing",
                where="learning_rate", expected="None", found=f"{learning_rate!r}",
                hint="Set the amplitude of the rule, such as eta, in its [parameters]",
            )  # fmt: skip
        return None
    try:
        settings = {"optimiser": optimiser, **rate}
        return OptimiserSettings.model_validate(settings)
    except ValidationError as error:
        raise NetworkError(**describe(error, OptimiserSettings), where="learn_mirror") from None


def in_batches(
    mirror: NetworkLearner,
    presented: Presentations,
    held: Mapping[str, NDArray[np.float64]],
    batch_size: int,
    *,
    least: int = 1,
    before: int = 0,
) -> Iterator[tuple[slice, Chunk, dict[str, NDArray[np.float64]]]]:
    """Yield parts of the images, the network's activity, and what it has learned afterwards.

    Parameters
    ----------
    mirror
        The network that learns.
    presented, held
        As for `bioae.simulation.learning.in_chunks`.
    batch_size
        The number of presentations that learn at once.
    least
        The least number of presentations of a part, whole batches.
    before
        As for `in_chunks`. Networks are rewired after the batch in which a period ends.
    """
    rewiring = NetworkRewiring(mirror.network, presented.seed)
    chunks: list[Chunk] = []
    start = 0
    for batch in presented.chunks(batch_size):
        chunks.append(mirror.present(presented, batch, held))
        done = before + batch.start, before + batch.stop
        if rewiring.due(*done):
            mirror.weights = rewiring(mirror.weights, *done)
        if batch.stop - start >= least or batch.stop == len(presented):
            yield slice(start, batch.stop), join_chunks(chunks), mirror.weights
            start, chunks = batch.stop, []
