"""Results of any size whose neurons spike at random, written to disk in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.netcdf import write_pieces
from bioae.simulation.results.tree import build_result, group_of

_CLASSES = 10
_SIDE = 28
_SPIKES_PER_PIECE = 4_000_000


@dataclass(frozen=True)
class RandomSpikes:
    """Independent random spikes of one layer.

    Attributes
    ----------
    examples, neurons, steps
        Size of the result.
    density
        Spikes per neuron and step.
    dt_ms
        The time step.
    seed
        Seed of the spikes.
    """

    examples: int
    neurons: int
    steps: int
    density: float
    dt_ms: float = 1.0
    seed: int = 1


def random_result(spikes: RandomSpikes, start: int = 0, stop: int | None = None) -> xr.DataTree:
    """Return the examples from `start` to `stop`, whose spikes depend on both."""
    stop = spikes.examples if stop is None else stop
    examples = stop - start
    rng = np.random.default_rng((spikes.seed, start))
    images = rng.random((examples, 1, _SIDE, _SIDE), np.float32)
    neuron, counts = _draw(spikes, examples, rng)
    return build_result(
        images=images,
        reconstruction=np.zeros_like(images),
        example=np.arange(start, stop),
        label=np.arange(start, stop) % _CLASSES,
        layers=[LayerSpikes("latent", (spikes.neurons,), neuron, counts)],
        dt_ms=spikes.dt_ms,
        steps=spikes.steps,
        target="numpy",
        seed=spikes.seed,
        neuron_model="chance",
        network_sha256="none",
    )


def write_random_result(spikes: RandomSpikes, path: Path) -> None:
    """Write all examples, with one piece in memory at a time."""
    per_example = spikes.neurons * spikes.steps * spikes.density
    size = max(1, int(_SPIKES_PER_PIECE / per_example))
    starts = range(0, spikes.examples, size)
    write_pieces([_Piece(spikes, at, min(at + size, spikes.examples)) for at in starts], path)


class _Piece:
    """Some of the examples; drawn again for each group that is read."""

    groups = ("/", "/layers/latent")

    def __init__(self, spikes: RandomSpikes, start: int, stop: int) -> None:
        self._spikes = spikes
        self._examples = start, stop

    def sizes(self, group: str) -> dict[str, int]:
        return {str(name): size for name, size in self.dataset(group).sizes.items()}

    def dataset(self, group: str) -> xr.Dataset:
        return group_of(random_result(self._spikes, *self._examples), group)


def _draw(
    spikes: RandomSpikes, examples: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Draw the gaps between spikes in the order (example, step, neuron)."""
    places = examples * spikes.steps * spikes.neurons
    enough = int(places * spikes.density + 10 * (places * spikes.density) ** 0.5 + 10)
    at = np.cumsum(rng.geometric(spikes.density, enough)) - 1
    presented, neuron = np.divmod(at[at < places], spikes.neurons)
    counts = np.bincount(presented, minlength=examples * spikes.steps)
    return neuron.astype(np.int32), counts.reshape(examples, spikes.steps)
