"""What a simulation needs at least: the additions and bytes that no implementation can avoid."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import digits
from bioae.networks import artefact
from bioae.networks.network import PlacedLayer
from bioae.simulation.backend import Backend
from bioae.simulation.presentations import Presentations
from bioae.simulation.run import simulate

__all__ = ["Least", "least"]

_FLOAT = 4  # bytes of a float32
_IN_CACHE, _REPEATS = 4096, 20_000


class Least(NamedTuple):
    """The least work of an image.

    Attributes
    ----------
    density
        Spikes a neuron and step.
    events
        Additions of a weight to what a neuron receives: one a spike and synapse.
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
        """The time that one core needs for the additions alone."""
        return 1e3 * (self.events + self.updates) / self.additions_per_second


def least(model: Path, count: int, *, steps: int) -> Least:
    """Return what an image needs at least, on average over digits.

    Parameters
    ----------
    model
        The artefact.
    count
        Of how many digits.
    steps
        Of a presentation.
    """
    network = artefact.load(model).network.with_time(steps=steps)
    config, shown = network.config, Presentations.of(network.config, digits(count).pixels)
    result = simulate(network, shown.pixels, Backend(dtype="float32"))
    emitted = shown.drive().astype(bool).sum(0).reshape(count, -1)
    events, spikes, neurons = 0.0, 0, 0
    for placed in config.placed:
        events += float(emitted.mean(0) @ _fan_out(placed))
        emitted = result[f"layers/{placed.name}"]["spike_count"].to_numpy()
        spikes += int(emitted.sum())
        neurons += placed.size
    updates = float(neurons * steps)
    return Least(
        density=spikes / (count * updates),
        events=events,
        updates=updates,
        bytes=_FLOAT * (3 * events + 2 * updates),
        additions_per_second=_additions_per_second(),
    )


def _fan_out(placed: PlacedLayer) -> NDArray[np.int64]:
    """Return the synapses of each source neuron."""
    source = placed.layer.connections(placed.input_shape).source
    return np.bincount(source, minlength=int(np.prod(placed.input_shape)))


def _additions_per_second() -> float:
    sums, weights = np.zeros(_IN_CACHE, np.float32), np.ones(_IN_CACHE, np.float32)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(_REPEATS):
            np.add(sums, weights, out=sums)
        best = min(best, time.perf_counter() - start)
    return _IN_CACHE * _REPEATS / best
