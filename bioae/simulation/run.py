"""Run a trained network on images, and return how it fired."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bioae.datasets import Images
from bioae.errors import InputError
from bioae.network import Network, NetworkConfig
from bioae.simulation.presentations import Presentations
from bioae.simulation.reading import Chunk, join
from bioae.simulation.result import build_result
from bioae.simulation.runners import runner
from bioae.simulation.targets import Dtype, Target, check_target
from bioae.simulation.workers import shared

__all__ = ["result_of", "simulate"]

#: Called with how many images are done, and of how many.
Progress = Callable[[int, int], None]

_CHUNK_BYTES = 64 * 2**20


def simulate(
    network: Network,
    images: Images | ArrayLike,
    *,
    target: Target = "cpp_standalone",
    examples: ArrayLike | None = None,
    seed: int = 0,
    dtype: Dtype = "float64",
    record: Collection[str] = (),
    chunk: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Run a network in Brian2 on images.

    Parameters
    ----------
    network
        The network.
    images
        A data set, or an array (example, channel, y, x) or (example, y, x) in [0, 1].
    target
        ``"numpy"``, ``"cython"`` or ``"cpp_standalone"``.
    examples
        The number of each image (example); its place in the data set by default. Random input
        and the noise of neurons depend on the seed and on this number, and on nothing else.
    seed
        Seeds random input, and the noise of neurons.
    dtype
        The type of state variables.
    record
        Variables to record at the end of each step, in the layers that have them.
    chunk
        How many images a run presents; chosen to bound memory by default. Results do not depend
        on it.
    workers
        How many processes share the chunks. Results do not depend on it.
    progress
        Called after each chunk.

    Returns
    -------
    xarray.DataTree
        See `docs/result.md`.

    Raises
    ------
    DataError
        If the images do not fit the network.
    TargetError
        If the target is missing what it needs.
    InputError
        If `workers` or `chunk` is below 1.
    """
    check_target(target)
    for name, value in (("workers", workers), ("chunk", chunk)):
        if value is not None and value < 1:
            raise InputError(f"{name} does not fit", expected="1 or more", found=str(value))
    shown = Presentations.of(network.config, images, examples=examples, seed=seed)
    size = chunk or _chunk_size(network.config, record)
    size = max(1, min(size, -(-len(shown) // workers)))
    chunks: list[Chunk] = []
    with runner(
        network, presentations=size, target=target, dtype=dtype, record=record
    ) as run_chunk:
        for done in shared(partial(run_chunk, shown), list(shown.chunks(size)), workers):
            chunks.append(done)
            if progress is not None:
                progress(min(len(chunks) * size, len(shown)), len(shown))
    return result_of(network, shown, join(chunks), target=target, dtype=dtype)


def result_of(
    network: Network, shown: Presentations, chunk: Chunk, *, target: str, dtype: str
) -> xr.DataTree:
    """Build the result of a network on images, whatever ran it."""
    config = network.config
    models = {placed.model.name: placed.model for placed in config.placed}
    return build_result(
        images=shown.images(),
        reconstruction=chunk.reconstruction,
        example=shown.examples,
        layers=chunk.layers,
        dt_ms=config.dt_seconds * 1e3,
        steps=config.steps,
        target=target,
        seed=shown.seed,
        neuron_model="\n".join(model.to_toml() for model in models.values()),
        network_sha256=network.sha256,
        label=shown.labels,
        attrs={"schedule": config.schedule, "dtype": dtype},
    )


def _chunk_size(config: NetworkConfig, record: Collection[str]) -> int:
    """Return how many presentations fit into the memory that a chunk may take."""
    numbers = int(np.prod(config.input_shape)) + config.placed[-1].size
    for placed in config.placed:
        numbers += placed.size * len(placed.program.states.keys() & set(record))
    return max(1, _CHUNK_BYTES // (8 * numbers * config.timing.period))
