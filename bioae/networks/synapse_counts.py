"""To how many neurons each neuron of a network sends its spikes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bioae.networks.config import NetworkConfig
from bioae.networks.layers import Dense, Shape
from bioae.networks.placed_layer import PlacedLayer

__all__ = ["fan_out"]


def fan_out(config: NetworkConfig) -> dict[str, NDArray[np.int64]]:
    """Count the synapses that leave each neuron, by layer (neuron,).

    Those to the next layer, and within the layer where it is recurrent: what a spike costs in
    synaptic events (`bioae.analysis.cost`). The last layer's neurons have none but recurrent ones:
    the decoder reads their spikes, and connects nothing.

    Parameters
    ----------
    config
        The network's description, as ``network.config``; its weights do not matter.
    """
    placed = config.placed
    found = {}
    for place, own in enumerate(placed):
        count = np.zeros(own.size, np.int64)
        for following in placed[place + 1 : place + 2]:
            count += _feed_forward(following)
        if own.layer.recurrent:
            # All to all, with or without itself.
            count += own.size - (not own.layer.autapses)
        found[own.name] = count
    return found


def _feed_forward(placed: PlacedLayer) -> NDArray[np.int64]:
    """Count the synapses from each input of a layer, (input,)."""
    shape: Shape = placed.input_shape
    size = math.prod(shape)
    if isinstance(placed.layer, Dense):
        # Its pairs of neurons may be many, and are not needed one by one.
        return np.full(size, placed.size)
    return np.bincount(placed.layer.connections(shape).source, minlength=size)
