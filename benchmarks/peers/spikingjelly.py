"""SpikingJelly: all steps at once (``step_mode="m"``), on PyTorch's backend, the one for CPUs."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

from benchmarks.peers.common import (
    SLOPE,
    Lif,
    PeerNetwork,
    Population,
    RecurrentLayer,
    Wiring,
)
from bioae.networks import Network


def _lif(neurons: Lif, mode: Literal["s", "m"]) -> neuron.LIFNode:
    return neuron.LIFNode(
        tau=1 / (1 - neurons.decay),
        decay_input=False,
        # It fires at its threshold, ours above it.
        v_threshold=float(np.nextafter(np.float32(neurons.threshold), np.float32(math.inf))),
        v_reset=0.0,
        surrogate_function=surrogate.SuperSpike(alpha=SLOPE),
        step_mode=mode,
    )


class _LIFNode(Population):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._node = _lif(neurons, "m")

    def start(self) -> None:
        self._node.reset()

    def forward(self, arriving: Tensor) -> Tensor:
        spikes: Tensor = self._node(arriving)
        return spikes


def build(network: Network) -> PeerNetwork:
    """Return a network of `LIFNode`, see `benchmarks.peers.build`."""
    return PeerNetwork(network, _LIFNode)


class _ElementWise(RecurrentLayer):
    """`ElementWiseRecurrentContainer`, with the sum of the input and a linear layer."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._container = layer.ElementWiseRecurrentContainer(
            _lif(neurons, "s"), lambda fired, arriving: arriving + self.own(fired), step_mode="m"
        )

    def forward(self, drive: Tensor) -> Tensor:
        functional.reset_net(self._container)
        spikes: Tensor = self._container(self.feed(drive))
        return spikes


class _Linear(RecurrentLayer):
    """`LinearRecurrentContainer`, whose weights are the identity for the input."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring)
        size = len(wiring.own)
        self._container = layer.LinearRecurrentContainer(
            _lif(neurons, "s"), size, size, bias=False, step_mode="m"
        )
        weight = torch.cat([torch.eye(size), self.own.weight.detach()], 1)
        self._container.rc.weight = nn.Parameter(weight)
        del self.own

    def forward(self, drive: Tensor) -> Tensor:
        functional.reset_net(self._container)
        spikes: Tensor = self._container(self.feed(drive))
        return spikes


def recurrent(neurons: Lif, wiring: Wiring) -> dict[str, RecurrentLayer]:
    """Return recurrent layers by the names of their parts in the library."""
    return {
        "ElementWiseRecurrentContainer": _ElementWise(neurons, wiring),
        "LinearRecurrentContainer": _Linear(neurons, wiring),
    }
