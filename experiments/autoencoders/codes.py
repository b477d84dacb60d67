"""Latent spikes of an auto-encoder: both parts of its network, and spikes at other times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

    from bioae.datasets import Data
    from bioae.networks.layer_base import LayerBase
    from bioae.networks.network import Network

Trains = NDArray[np.bool_]


def cut(network: Network) -> tuple[Network, Network, int]:
    """Return encoder and decoder of an auto-encoder, and the number of latent neurons.

    The encoder ends with the layer `latent`; the decoder's input are events, see `events_of`.
    """
    from bioae.networks.encoders import Frames
    from bioae.networks.tasks import Regression, Representation

    config = network.config
    end = 1 + [layer.name for layer in config.layers].index("latent")
    units = config.placed[end - 1].size
    encoder = _part(network, config.layers[:end], task=Representation(outputs=units))
    inputs = {"input_shape": (units,), "encoder": Frames(gain=1.0)}
    task = Regression(outputs=config.placed[-1].size)
    return encoder, _part(network, config.layers[end:], task=task, **inputs), units


def _part(network: Network, layers: Sequence[LayerBase], **changes: Any) -> Network:
    """Return some layers of a network as a network."""
    from bioae.networks.network import Network

    names = {layer.name for layer in layers}
    config = network.config.varied(layers=tuple(layers), latent=None, **changes)
    arrays = {key: each for key, each in network.weights.items() if key.split(".")[0] in names}
    return Network(config, arrays)


def latent_trains(encoder: Network, images: Data) -> Trains:
    """Return the latent spikes for images (example, neuron, step)."""
    return _in_parts(encoder, images, trains_of)


def decoded(decoder: Network, trains: Trains) -> NDArray[np.float64]:
    """Return the images (example, pixel) that a decoder returns for spikes."""
    return _in_parts(decoder, events_of(trains), lambda result: result["output"].to_numpy())


def _in_parts(network: Network, data: Data, read: Callable[[xr.DataTree], Any]) -> NDArray[Any]:
    """Simulate in float32 for its speed, in parts: the spikes of all layers fill the memory."""
    from bioae.api import simulate
    from bioae.simulation.backend import Backend

    backend = Backend("torch", dtype="float32")
    parts = (data[start : start + 500] for start in range(0, len(data), 500))
    return np.concatenate([read(simulate(network, each, backend)) for each in parts])


def trains_of(result: xr.DataTree) -> Trains:
    """Return the latent spikes of a result with steps of 1 ms (example, neuron, step)."""
    layer = result["layers/latent"]
    trains = np.zeros((*layer["spike_count"].shape, int(result.attrs["steps"])), np.bool_)
    example = result["example"].to_index().get_indexer(layer["spike_example"].to_numpy())
    step = np.rint(layer["spike_time_ms"].to_numpy()).astype(int)
    trains[example, layer["spike_neuron"].to_numpy(), step] = True
    return trains


def evenly_spaced(trains: Trains) -> Trains:
    """Return as many spikes per train at even distances: spike i of n at (i + 3/4) T / n."""
    counts, steps = trains.sum(-1, keepdims=True), trains.shape[-1]
    spike = np.arange(steps)
    at = ((spike + 0.75) * steps / np.maximum(counts, 1)).astype(int)
    even = np.zeros((*trains.shape[:-1], steps + 1), np.bool_)
    np.put_along_axis(even, np.where(spike < counts, at, steps), True, axis=-1)
    return even[..., :steps]


def events_of(trains: Trains) -> Data:
    """Return spikes (example, neuron, step) as input of a decoder."""
    from bioae.datasets import Data

    example, neuron, step = np.nonzero(trains)
    facts = {"channels": trains.shape[1], "unit": "step", "examples": len(trains)}
    return Data.of_events(example, step, neuron, **facts)
