"""Lower bounds on the work per image: additions and bytes that no implementation can avoid."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import digits
from bioae import simulate
from bioae.networks import Network, PlacedLayer, artefact
from bioae.simulation.backend import Backend
from bioae.simulation.presentations import Presentations

if TYPE_CHECKING:
    from torch import Tensor

_FLOAT = 4  # bytes of a float32
_IN_CACHE, _REPEATS = 4096, 20_000


class SimulationWork(NamedTuple):
    """Lower bound on the work to simulate an image.

    Attributes
    ----------
    density
        Spikes per neuron and step.
    events
        Additions of a weight to the input of a neuron: one per spike and synapse.
    updates
        Steps of neurons: each at least a multiplication and an addition.
    bytes
        A weight read, a sum read and written for each event; a state read and written for each
        update.
    additions_per_second
        Of float32, measured on one core, operands in the cache.
    """

    density: float
    events: float
    updates: float
    bytes: float
    additions_per_second: float

    @property
    def milliseconds(self) -> float:
        """The time that one core needs for the additions."""
        return 1e3 * (self.events + self.updates) / self.additions_per_second


def simulation_work(model: Path, count: int, *, steps: int) -> SimulationWork:
    """Return the minimum work per image, averaged over digits.

    Parameters
    ----------
    model
        The artefact.
    count
        Number of digits.
    steps
        Steps per presentation.
    """
    network = artefact.load(model).network.with_time(steps=steps)
    config, presentations = network.config, Presentations.of(network.config, digits(count).values)
    result = simulate(network, digits(count).values, Backend(dtype="float32"))
    emitted = presentations.drive().astype(bool).sum(0).reshape(count, -1)
    events, spikes, neurons = 0.0, 0, 0
    for placed in config.placed:
        events += float(emitted.mean(0) @ _fan_out(placed))
        emitted = result[f"layers/{placed.name}"]["spike_count"].to_numpy()
        spikes += int(emitted.sum())
        neurons += placed.size
    updates = float(neurons * steps)
    return SimulationWork(
        density=spikes / (count * updates),
        events=events,
        updates=updates,
        bytes=_FLOAT * (3 * events + 2 * updates),
        additions_per_second=_additions_per_second(),
    )


def training_work(network: Network, drive: Tensor, counts: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the minimum work of a training step, per image.

    Parameters
    ----------
    network
        The network.
    drive
        Spikes of the input (time, example, channel, y, x).
    counts
        Spikes of each neuron, by layer (example, *shape).

    Returns
    -------
    dict
        Multiplications with additions, ``all``: of every connection in every step forward, to the
        weights, and back to all neurons but the input. ``on_events``: the same, but forward and to
        the weights for spikes only. ``bytes``: sums, spikes and the gradients of both in float32,
        written once and read once.
    """
    config = network.config
    emitted = [drive, *counts.values()]
    every = events = back = 0.0
    for placed, each in zip(config.placed, emitted, strict=False):
        synapses = len(placed.layer.connections(placed.input_shape).weight)
        every += synapses * config.steps
        back += synapses * config.steps * (placed.depth > 1)
        sent = (each != 0) if placed.depth == 1 else each.detach()
        spikes = float(sent.sum()) / drive.shape[1]
        events += spikes * synapses / math.prod(placed.input_shape)
    neurons = sum(placed.size for placed in config.placed)
    return {
        "all": round(2 * every + back),
        "on_events": round(2 * events + back),
        "bytes": 4 * 2 * _FLOAT * neurons * config.steps,
    }


def _fan_out(placed: PlacedLayer) -> NDArray[np.int64]:
    """Return the number of synapses of each source neuron."""
    source = placed.layer.connections(placed.input_shape).source
    return np.bincount(source, minlength=int(np.prod(placed.input_shape)))


def two_processes() -> float:
    """Return how many additions two processes do in the time of one: at most 2, less if shared."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        wait([pool.submit(_additions_in, 0.1) for _ in range(4)])  # start both
        alone = pool.submit(_additions_in, 1.0).result()
        both = [pool.submit(_additions_in, 1.0) for _ in range(2)]
        return sum(each.result() for each in both) / alone


def _additions_in(seconds: float) -> int:
    sums, weights = np.zeros(_IN_CACHE, np.float32), np.ones(_IN_CACHE, np.float32)
    end, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        for _ in range(100):
            np.add(sums, weights, out=sums)
        count += 100
    return count


def _additions_per_second() -> float:
    sums, weights = np.zeros(_IN_CACHE, np.float32), np.ones(_IN_CACHE, np.float32)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(_REPEATS):
            np.add(sums, weights, out=sums)
        best = min(best, time.perf_counter() - start)
    return _IN_CACHE * _REPEATS / best
