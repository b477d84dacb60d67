"""Norse: `LIFBoxCell`, the neuron without a synaptic current, one step at a time."""

from __future__ import annotations

import torch
from norse.torch import LIFBoxCell, LIFBoxParameters
from torch import Tensor

from benchmarks.peers.common import SLOPE, Lif, PeerNetwork, Population
from bioae.networks import Network

__all__ = ["build"]

_DT = 0.001


class _LIFBox(Population):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._cell = LIFBoxCell(
            LIFBoxParameters(
                tau_mem_inv=torch.tensor((1 - neurons.decay) / _DT),
                v_th=torch.tensor(neurons.threshold),
                method="super",
                alpha=torch.tensor(SLOPE),
            ),
            dt=_DT,
        )
        self._state: object = None

    def start(self) -> None:
        self._state = None

    def forward(self, arriving: Tensor) -> Tensor:
        spikes = []
        for each in arriving.unbind(0):
            fired, self._state = self._cell(each, self._state)
            spikes.append(fired)
        return torch.stack(spikes)


def build(network: Network) -> PeerNetwork:
    """Return a network of `LIFBoxCell`, see `benchmarks.peers.build`."""
    # Its potential moves by (1 - decay) (input - potential) per step.
    return PeerNetwork(network, _LIFBox, unit=lambda neurons: 1 - neurons.decay)
