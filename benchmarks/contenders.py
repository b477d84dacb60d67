"""Contenders that run a trained network, each in its own process: `benchmarks.subprocesses`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np

from bioae.datasets import Images, load
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.simulation.backend import Backend, Connectivity, Dtype, Target
from bioae.simulation.presentations import Presentations
from bioae.simulation.run import simulate_to
from bioae.simulation.targets import activation as targets
from bioae.simulation.workers.job import Job
from bioae.simulation.workers.processes import shared

__all__ = ["brian2", "digits", "mirror", "peer", "spikes_of", "to_file"]

Spikes = dict[str, int]

_BATCHES = (8, 16, 32, 64)
_LIVE = ExitStack()  # what was built stays until its process ends


def digits(count: int) -> Images:
    """Return held-out digits, from the first on and over again."""
    held_out = load("sample", "test")
    return held_out[np.resize(np.arange(len(held_out)), count)]


def brian2(
    model: Path,
    count: int,
    *,
    steps: int,
    target: Target = "cpp_standalone",
    dtype: Dtype = "float32",
    connectivity: Connectivity = "shared",
    workers: int = 1,
    chunk: int | None = None,
    fast_math: bool = False,
    rate: float | None = None,
) -> Callable[[], Spikes]:
    """Build a network in Brian2, and return what runs it on digits.

    Parameters
    ----------
    model
        The artefact.
    count
        How many digits a run presents.
    steps
        Of a presentation.
    target, dtype, connectivity, workers
        As of `bioae.simulate`.
    chunk
        Digits in a chunk; as many for each worker by default.
    fast_math
        Whether the compiler may reorder sums.
    rate
        The encoder's, if not the network's own.
    """
    if fast_math:
        targets.IEEE_FLAGS.append("-ffast-math")
    network = _timed(artefact.load(model).network, steps, rate)
    shown = Presentations.of(network.config, digits(count).pixels, seed=0)
    size = chunk or -(-count // workers)
    built = _LIVE.enter_context(Job(network, size, Backend(target, dtype, connectivity)).runner())
    parts = list(shown.chunks(size))

    def run() -> Spikes:
        counts: Spikes = {}
        for place, ran in shared(partial(built.run, shown), parts, workers):
            for layer in built.read(ran, parts[place]).layers:
                counts[layer.name] = counts.get(layer.name, 0) + len(layer.neuron)
        return counts

    return run


def to_file(model: Path, count: int, *, steps: int) -> Callable[[], Spikes]:
    """Return what runs a network in Brian2 on digits and writes a file of the result."""
    network = _timed(artefact.load(model).network, steps)
    folder = Path(_LIVE.enter_context(tempfile.TemporaryDirectory()))
    shown = digits(count).pixels

    def run() -> Spikes:
        path = folder / "result.nc"
        simulate_to(path, network, shown, Backend(dtype="float32"), overwrite=True)
        with h5netcdf.File(path) as file:
            layers = file["layers"].groups.items()
            return {name: layer.dimensions["spike"].size for name, layer in layers}

    return run


def mirror(model: Path, count: int, *, steps: int, threads: int) -> Callable[[], Spikes]:
    """Return what runs the mirror on digits, in the batches that suit it best."""
    import torch

    from bioae.trainers import NetworkMirror

    torch.set_num_threads(threads)
    network = _timed(artefact.load(model).network, steps)
    compiled = NetworkMirror(network, dtype=torch.float32, compile="auto").eval()
    drive = torch.from_numpy(Presentations.of(network.config, digits(count).pixels).drive())

    def run(batch: int) -> Spikes:
        parts = [compiled(part) for part in drive.split(batch, 1)]
        return {
            name: sum(int(part.layers[name].spikes.sum()) for part in parts)
            for name in parts[0].layers
        }

    return _fastest(torch.no_grad()(run), count)


def peer(name: str, model: Path, count: int, *, steps: int, threads: int) -> Callable[[], Spikes]:
    """Return what runs a peer's network on digits, in the mode that suits it best."""
    import torch

    from benchmarks.peers import build

    torch.set_num_threads(threads)
    network = _timed(artefact.load(model).network, steps)
    drive = torch.from_numpy(Presentations.of(network.config, digits(count).pixels).drive())

    def run(batch: int, built: Any) -> Spikes:
        parts = [built(part).counts for part in drive.split(batch, 1)]
        return {layer: sum(int(part[layer].sum()) for part in parts) for layer in parts[0]}

    formats = (torch.contiguous_format, torch.channels_last)
    built = [build(name, network).eval().to(memory_format=each) for each in formats]  # type: ignore[call-overload]
    works = [_fastest(torch.no_grad()(partial(run, built=each)), count) for each in built]
    return min(works, key=_seconds)


def spikes_of(counts: Spikes) -> int:
    """Return the spikes of all layers."""
    return sum(counts.values())


def _timed(network: Network, steps: int, rate: float | None = None) -> Network:
    if rate is not None:
        encoder = network.config.encoder.model_copy(update={"rate": rate})
        network = Network(network.config.varied(encoder=encoder), network.weights)
    return network.with_time(steps=steps)


def _fastest(run: Callable[[int], Spikes], count: int) -> Callable[[], Spikes]:
    """Return a run with the batch that takes the least time, of those that fit the digits."""
    batches = [batch for batch in _BATCHES if batch <= count]
    return min((partial(run, batch) for batch in batches), key=_seconds)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
