"""Trained networks, and the contenders that run them: Brian2, the mirror and other libraries.

Each contender runs in its own process, see `benchmarks.subprocesses`.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import h5netcdf
import numpy as np

from bioae import simulate_to
from bioae.datasets import Data, load
from bioae.files import user_cache
from bioae.networks import Network, artefact
from bioae.simulation.backend import Backend, Connectivity, Dtype, Target
from bioae.simulation.presentations import Presentations
from bioae.simulation.targets import activation as targets
from bioae.simulation.workers.job import Brian2Engine
from bioae.simulation.workers.processes import shared

Spikes = dict[str, int]

_ROOT = Path(__file__).parents[1]
_BATCHES = (8, 16, 32, 64)
_LIVE = ExitStack()  # builds are kept until their process ends


class Case(NamedTuple):
    """A network and its training configuration.

    Attributes
    ----------
    name
        Its name in the tables.
    config
        The file of the training configuration.
    """

    name: str
    config: Path


#: The paper's auto-encoder, and one of strided convolutions.
CASES = (
    Case("stride 1, 13.3 M synapses", _ROOT / "benchmarks" / "stride1.toml"),
    Case("stride 2, 0.6 M synapses", _ROOT / "benchmarks" / "stride2.toml"),
)


def trained(case: Case) -> Network:
    """Return the trained network of a case, with weights on a dyadic grid.

    It is kept in the user's cache folder. Training the paper's takes half an hour; an interrupted
    training continues.
    """
    from bioae import train
    from bioae.runs.folder import CHECKPOINT

    digest = hashlib.sha256(case.config.read_bytes()).hexdigest()[:12]
    out = user_cache() / "benchmarks" / f"{case.config.stem}-{digest}"
    if (out / "model").exists():
        return artefact.load(out / "model").network
    begun = (out / CHECKPOINT).exists()
    return train(case.config, out=out, resume=begun).network


def digits(count: int) -> Data:
    """Return held-out digits from the first on, repeated as often as needed."""
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
    """Build a network in Brian2, and return a function that runs it on digits.

    Parameters
    ----------
    model
        The artefact.
    count
        Digits per run.
    steps
        Steps per presentation.
    target, dtype, connectivity, workers
        As for `bioae.simulate`.
    chunk
        Digits per chunk; by default, an equal share for each worker.
    fast_math
        Whether the compiler may reorder sums.
    rate
        The rate of the encoder, if not that of the network.
    """
    if fast_math:
        targets.IEEE_FLAGS.append("-ffast-math")
    network = _timed(artefact.load(model).network, steps, rate)
    presentations = Presentations.of(network.config, digits(count).values, seed=0)
    size = chunk or -(-count // workers)
    built = _LIVE.enter_context(
        Brian2Engine(network, Backend(target, dtype, connectivity)).runner(size)
    )
    parts = list(presentations.chunks(size))

    def run() -> Spikes:
        counts: Spikes = {}
        for _, ran in shared(partial(built, presentations), parts, workers):
            for layer in ran.layers:
                counts[layer.name] = counts.get(layer.name, 0) + len(layer.neuron)
        return counts

    return run


def to_file(model: Path, count: int, *, steps: int) -> Callable[[], Spikes]:
    """Return a function that runs a network in Brian2 on digits and writes the result file."""
    network = _timed(artefact.load(model).network, steps)
    folder = Path(_LIVE.enter_context(tempfile.TemporaryDirectory()))
    pixels = digits(count).values

    def run() -> Spikes:
        path = folder / "result.nc"
        simulate_to(path, network, pixels, Backend(dtype="float32"), overwrite=True)
        with h5netcdf.File(path) as file:
            layers = file["layers"].groups.items()
            return {name: layer.dimensions["spike"].size for name, layer in layers}

    return run


def mirror(model: Path, count: int, *, steps: int, threads: int) -> Callable[[], Spikes]:
    """Return a function that runs the mirror on digits, in its fastest batch size."""
    import torch

    from bioae.trainers import NetworkMirror

    torch.set_num_threads(threads)
    network = _timed(artefact.load(model).network, steps)
    compiled = NetworkMirror(network, dtype=torch.float32, compile="auto").eval()
    drive = torch.from_numpy(Presentations.of(network.config, digits(count).values).drive())

    def run(batch: int) -> Spikes:
        parts = [compiled(part) for part in drive.split(batch, 1)]
        return {
            name: sum(int(part.layers[name].spikes.sum()) for part in parts)
            for name in parts[0].layers
        }

    return _fastest(torch.no_grad()(run), count)


def peer(name: str, model: Path, count: int, *, steps: int, threads: int) -> Callable[[], Spikes]:
    """Return a function that runs a peer's network on digits, in its fastest mode."""
    import torch

    from benchmarks.peers import build

    torch.set_num_threads(threads)
    network = _timed(artefact.load(model).network, steps)
    drive = torch.from_numpy(Presentations.of(network.config, digits(count).values).drive())

    def run(batch: int, built: Any) -> Spikes:
        parts = [built(part).counts for part in drive.split(batch, 1)]
        return {layer: sum(int(part[layer].sum()) for part in parts) for layer in parts[0]}

    formats = (torch.contiguous_format, torch.channels_last)
    built = [build(name, network).eval().to(memory_format=each) for each in formats]  # type: ignore[call-overload]
    works = [_fastest(torch.no_grad()(partial(run, built=each)), count) for each in built]
    return min(works, key=_seconds)


def spikes_of(counts: Spikes) -> int:
    """Return the number of spikes of all layers."""
    return sum(counts.values())


def _timed(network: Network, steps: int, rate: float | None = None) -> Network:
    if rate is not None:
        encoder = network.config.encoder.model_copy(update={"rate": rate})
        network = Network(network.config.varied(encoder=encoder), network.weights)
    return network.with_time(steps=steps)


def _fastest(run: Callable[[int], Spikes], count: int) -> Callable[[], Spikes]:
    """Return a run with the fastest batch size of those that fit the digits."""
    batches = [batch for batch in _BATCHES if batch <= count]
    return min((partial(run, batch) for batch in batches), key=_seconds)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
