"""Simulation with the mirror, with the same result as in Brian2."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Unpack

import torch
import xarray as xr
from numpy.typing import ArrayLike

from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.networks.trained.loading import NetworkLike, network_of
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Backend, Dtype, check_record
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.results.chunk import join_chunks as join
from bioae.simulation.results.describe import result_of
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.mirror.recording import layer_spikes

__all__ = ["simulate_mirror"]


def simulate_mirror(
    network: NetworkLike,
    images: Data | Any,
    *,
    examples: ArrayLike | None = None,
    seed: int = 0,
    repeats: int = 1,
    dtype: Dtype = "float64",
    record: Collection[str] = (),
    chunk: int = 64,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> xr.DataTree:
    """Run the mirror on images.

    Parameters
    ----------
    network, images, examples, seed, repeats, progress, options
        See `bioae.simulation.simulate`.
    dtype, record
        See `bioae.simulation.Backend`.
    chunk
        The number of presentations that run at once.

    Returns
    -------
    xarray.DataTree
        See `docs/result.md`; its ``target`` is ``"torch"``.

    Raises
    ------
    DataError
        If the images do not fit the network.
    InputError
        If an option does not fit, or there are several repeats and the network has no noise.
    """
    check_progress(progress)
    check_options(options, simulate_mirror)
    network = network_of(network)
    chunk = whole(chunk, "chunk", least=1)
    record = Backend("numpy", dtype, record=record).record
    check_record(record, network.config.placed)
    presentations = Presentations.of(
        network.config, images, examples=examples, seed=seed, repeats=repeats, **options
    )
    chunks = []
    with counted("mirror", len(presentations), progress, unit="examples") as report:
        mirror = NetworkMirror(network, dtype=getattr(torch, dtype)).eval()
        for part in presentations.chunks(chunk):
            chunks.append(_run(mirror, presentations, part, record))
            report(part.stop)
    return result_of(network.described(), presentations, join(chunks), target="torch", dtype=dtype)


@torch.no_grad()
def _run(
    mirror: NetworkMirror, presentations: Presentations, part: slice, record: Collection[str]
) -> Chunk:
    drive = torch.from_numpy(presentations.drive(part))
    activity = mirror(drive, record=record, key=presentations.key(part))
    layers = tuple(
        layer_spikes(placed, activity.layers[placed.name]) for placed in mirror.config.placed
    )
    return Chunk(layers, activity.output.double().numpy())
