"""One-step parity: the mirror restarted at every step from Brian2's state."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor

from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.noise import Key
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.layer import LayerMirror
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.parity.threshold import undecided

__all__ = ["OneStep", "one_step"]


class OneStep(NamedTuple):
    """Numbers of (neuron, step) pairs: compared, differing, and differing but excused."""

    compared: int
    differing: int
    excused: int

    @property
    def agreement(self) -> float:
        """The fraction of pairs that agree or are excused."""
        return 1.0 - (self.differing - self.excused) / self.compared


@torch.no_grad()
def one_step(network: Network, presentations: Presentations, brian: xr.DataTree) -> OneStep:
    """Predict each step from Brian2's state before it, and compare the spikes.

    Parameters
    ----------
    network
        The network.
    presentations
        Its images.
    brian
        Brian2's result, with every state recorded.
    """
    mirror = NetworkMirror(network, dtype=torch.float64)
    emitted = torch.from_numpy(presentations.drive()).double()
    compared = differing = excused = 0
    for placed in network.config.placed:
        layer = mirror.layers[placed.name]
        assert isinstance(layer, LayerMirror)
        spikes = torch.from_numpy(_raster(brian, placed))
        wrong, close = _Restart(layer, presentations.key(), network.config.dt_seconds)(
            emitted, spikes, brian[f"/layers/{placed.name}"]
        )
        compared += wrong.size
        differing += int(wrong.sum())
        excused += int((wrong & close).sum())
        emitted = spikes.double().reshape(*spikes.shape[:2], *placed.shape)
    return OneStep(compared, differing, excused)


def _raster(result: xr.DataTree, placed: PlacedLayer) -> NDArray[np.bool_]:
    """Return a layer's spikes (time, example, neuron)."""
    data = result[f"/layers/{placed.name}"]
    steps = int(result.attrs["steps"])
    spikes = np.zeros((steps, result.sizes["example"], placed.size), dtype=bool)
    step = np.rint(np.asarray(data["spike_time_ms"]) / result.attrs["dt_ms"]).astype(np.int64)
    example = result.indexes["example"].get_indexer(np.asarray(data["spike_example"]))
    spikes[step, example, np.asarray(data["spike_neuron"])] = True
    return spikes


class _Restart:
    """All steps of a layer but the first, as one batch (step and example)."""

    def __init__(self, layer: LayerMirror, key: Key, dt: float) -> None:
        self._layer = layer
        self._placed = layer.placed
        self._key = key
        self._dt = dt

    def __call__(
        self, emitted: Tensor, spikes: Tensor, states: Any
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return masks of wrong and of undecided predictions (step, example, neuron)."""
        steps, examples = spikes.shape[:2]
        values = self._before(steps, examples, spikes, states)
        close: list[NDArray[np.bool_]] = []
        neuron = self._layer.neuron

        def look(values: dict[str, Tensor]) -> None:
            condition = neuron.program.condition
            assert condition is not None
            close.append(undecided(condition, values, values["_spike"].shape))

        neuron.step(values, self._arriving(emitted, spikes), at_threshold=look)
        wrong = values["_spike"].bool().reshape(spikes[1:].shape) != spikes[1:]
        return wrong.numpy(), close[0].reshape(wrong.shape)

    def _before(self, steps: int, examples: int, spikes: Tensor, states: Any) -> dict[str, Tensor]:
        neuron, shape = self._layer.neuron, self._placed.shape
        rows = Key(self._key.seed, np.tile(self._key.examples, steps - 1))
        values = neuron.start((steps - 1) * examples, rows)
        values |= neuron.noise(self._key, range(1, steps), values["_spike"])
        for name, state in neuron.program.states.items():
            # (example, time, neuron); shared variables are repeated for all neurons.
            recorded = states[f"state_{name}"].to_numpy()[:, :-1].swapaxes(0, 1).copy()
            before = torch.from_numpy(recorded).reshape(-1, *shape).to(values[name].dtype)
            values[name] = (
                before[(slice(None), *([slice(1)] * len(shape)))] if state.shared else before
            )
        values["_spike"] = spikes[:-1].reshape(-1, *shape).double()
        values["_fired"] = values["_spike"].bool()
        clock = torch.arange(1, steps, dtype=torch.float64) * self._dt
        values["t"] = clock.repeat_interleave(examples).reshape(-1, *(1 for _ in shape))
        return values

    def _arriving(self, emitted: Tensor, spikes: Tensor) -> dict[str, Tensor]:
        fired = spikes.double().reshape(*spikes.shape[:2], *self._placed.shape)
        arrived = self._layer.arrived(emitted, fired, self._key)
        return {name: tensor[1:].flatten(0, 1) for name, tensor in arrived.items()}
