"""What training on an image takes at least, counted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from bioae.networks.network import Network

__all__ = ["least_work"]


def least_work(network: Network, drive: Tensor, counts: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return multiplications with additions, and bytes, an image.

    Parameters
    ----------
    network
        The network.
    drive
        What its input emits (time, example, channel, y, x).
    counts
        Spikes of each neuron, by layer (example, *shape).

    Returns
    -------
    dict
        ``all``: every connection in every step forward, to the weights, and back to all neurons but
        the input. ``on_events``: the same, but forward and to the weights of spikes alone.
        ``bytes``: sums, spikes and the gradients of both in float32, written once and read once.
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
        "bytes": 4 * 2 * 4 * neurons * config.steps,
    }
