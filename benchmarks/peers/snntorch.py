"""snnTorch: one step at a time, the potential handed on."""

from __future__ import annotations

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from benchmarks.peers.common import SLOPE, Lif, PeerNetwork, Population
from bioae.networks import Network

__all__ = ["build"]


class _Leaky(Population):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._neuron = snntorch.Leaky(
            beta=neurons.decay,
            threshold=neurons.threshold,
            spike_grad=surrogate.fast_sigmoid(SLOPE),
            reset_mechanism="zero",
            reset_delay=False,
        )
        self._potential: Tensor | None = None

    def start(self) -> None:
        self._potential = None

    def forward(self, arriving: Tensor) -> Tensor:
        spikes = []
        for each in arriving.unbind(0):
            if self._potential is None:
                self._potential = torch.zeros_like(each)
            fired, self._potential = self._neuron(each, self._potential)
            spikes.append(fired)
        return torch.stack(spikes)


def build(network: Network) -> PeerNetwork:
    """Return a network of `snntorch.Leaky`, see `benchmarks.peers.build`."""
    return PeerNetwork(network, _Leaky)
