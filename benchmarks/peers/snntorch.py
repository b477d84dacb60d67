"""snnTorch: one step at a time, the potential handed on."""

from __future__ import annotations

from typing import Any

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from benchmarks.peers.common import (
    SLOPE,
    Lif,
    PeerNetwork,
    Population,
    RecurrentLayer,
    Wiring,
)
from bioae.networks import Network

__all__ = ["build", "recurrent"]


def _options(neurons: Lif) -> dict[str, Any]:
    return {
        "beta": neurons.decay,
        "threshold": neurons.threshold,
        "spike_grad": surrogate.fast_sigmoid(SLOPE),
        "reset_mechanism": "zero",
        "reset_delay": False,
    }


class _Leaky(Population):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._neuron = snntorch.Leaky(**_options(neurons))
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


class _RecurrentLeaky(RecurrentLayer):
    """`Leaky`, and a linear layer from its spikes to its input."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._neuron = snntorch.Leaky(**_options(neurons))

    def forward(self, drive: Tensor) -> Tensor:
        arriving = self.feed(drive)
        fired = potential = torch.zeros_like(arriving[0])
        spikes = []
        for each in arriving.unbind(0):
            fired, potential = self._neuron(each + self.own(fired), potential)
            spikes.append(fired)
        return torch.stack(spikes)


class _RLeaky(RecurrentLayer):
    """`RLeaky`, which computes the recurrent input twice for a reset to 0."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._neuron = snntorch.RLeaky(linear_features=len(wiring.own), **_options(neurons))
        self._neuron.recurrent = self.own

    def forward(self, drive: Tensor) -> Tensor:
        arriving = self.feed(drive)
        fired = potential = torch.zeros_like(arriving[0])
        spikes = []
        for each in arriving.unbind(0):
            fired, potential = self._neuron(each, fired, potential)
            spikes.append(fired)
        return torch.stack(spikes)


def recurrent(neurons: Lif, wiring: Wiring) -> dict[str, RecurrentLayer]:
    """Return recurrent layers by the names of their parts in the library."""
    return {
        "Leaky and Linear": _RecurrentLeaky(neurons, wiring),
        "RLeaky": _RLeaky(neurons, wiring),
    }
