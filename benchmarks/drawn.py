"""Results of layers whose neurons spike by chance, of any size, written piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.netcdf import write_pieces
from bioae.simulation.results.tree import build_result, group_of

__all__ = ["Drawn", "result", "write_drawn"]

_CLASSES = 10
_SIDE = 28
_SPIKES_A_PIECE = 4_000_000


@dataclass(frozen=True)
class Drawn:
    """Who spikes by chance.

    Attributes
    ----------
    examples, neurons, steps
        How many.
    density
        How likely a neuron spikes in a step.
    dt_ms
        The length of a step.
    seed
        Of the spikes.
    """

    examples: int
    neurons: int
    steps: int
    density: float
    dt_ms: float = 1.0
    seed: int = 1


def result(drawn: Drawn, start: int = 0, stop: int | None = None) -> xr.DataTree:
    """Return the examples from `start` to `stop`; their spikes depend on both."""
    stop = drawn.examples if stop is None else stop
    examples = stop - start
    rng = np.random.default_rng((drawn.seed, start))
    images = rng.random((examples, 1, _SIDE, _SIDE), np.float32)
    neuron, counts = _spikes(drawn, examples, rng)
    return build_result(
        images=images,
        reconstruction=np.zeros_like(images),
        example=np.arange(start, stop),
        label=np.arange(start, stop) % _CLASSES,
        layers=[LayerSpikes("latent", (drawn.neurons,), neuron, counts)],
        dt_ms=drawn.dt_ms,
        steps=drawn.steps,
        target="numpy",
        seed=drawn.seed,
        neuron_model="chance",
        network_sha256="none",
    )


def write_drawn(drawn: Drawn, path: Path) -> None:
    """Write all examples, a piece in memory at a time."""
    each = drawn.neurons * drawn.steps * drawn.density
    size = max(1, int(_SPIKES_A_PIECE / each))
    starts = range(0, drawn.examples, size)
    write_pieces([_Piece(drawn, at, min(at + size, drawn.examples)) for at in starts], path)


class _Piece:
    """Some examples; drawn when they are asked for, and again when the next group is."""

    groups = ("/", "/layers/latent")

    def __init__(self, drawn: Drawn, start: int, stop: int) -> None:
        self._drawn = drawn
        self._examples = start, stop

    def sizes(self, group: str) -> dict[str, int]:
        return {str(name): size for name, size in self.dataset(group).sizes.items()}

    def dataset(self, group: str) -> xr.Dataset:
        return group_of(result(self._drawn, *self._examples), group)


def _spikes(
    drawn: Drawn, examples: int, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Draw from spike to spike how many places of (example, step, neuron) stay empty."""
    places = examples * drawn.steps * drawn.neurons
    enough = int(places * drawn.density + 10 * (places * drawn.density) ** 0.5 + 10)
    at = np.cumsum(rng.geometric(drawn.density, enough)) - 1
    presented, neuron = np.divmod(at[at < places], drawn.neurons)
    counts = np.bincount(presented, minlength=examples * drawn.steps)
    return neuron.astype(np.int32), counts.reshape(examples, drawn.steps)
