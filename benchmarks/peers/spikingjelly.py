"""SpikingJelly: all steps at once (``step_mode="m"``), on PyTorch's backend, the one for CPUs."""

from __future__ import annotations

import math

import numpy as np
from spikingjelly.activation_based import neuron, surrogate
from torch import Tensor

from benchmarks.peers.common import SLOPE, Lif, PeerNetwork, Population
from bioae.networks import Network

__all__ = ["build"]


class _LIFNode(Population):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._node = neuron.LIFNode(
            tau=1 / (1 - neurons.decay),
            decay_input=False,
            # It fires at its threshold, ours above it.
            v_threshold=float(np.nextafter(np.float32(neurons.threshold), np.float32(math.inf))),
            v_reset=0.0,
            surrogate_function=surrogate.SuperSpike(alpha=SLOPE),
            step_mode="m",
        )

    def start(self) -> None:
        self._node.reset()

    def forward(self, arriving: Tensor) -> Tensor:
        spikes: Tensor = self._node(arriving)
        return spikes


def build(network: Network) -> PeerNetwork:
    """Return a network of `LIFNode`, see `benchmarks.peers.build`."""
    return PeerNetwork(network, _LIFNode)
