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
    RecurrentLayer,
    SteppedPopulation,
    SteppedRecurrentLayer,
    Wiring,
)
from bioae.networks import Network


def _options(neurons: Lif) -> dict[str, Any]:
    return {
        "beta": neurons.decay,
        "threshold": neurons.threshold,
        "spike_grad": surrogate.fast_sigmoid(SLOPE),
        "reset_mechanism": "zero",
        "reset_delay": False,
    }


def _potential(arriving: Tensor, state: Tensor | None) -> Tensor:
    return torch.zeros_like(arriving) if state is None else state


class _Leaky(SteppedPopulation):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._neuron = snntorch.Leaky(**_options(neurons))

    def step(self, arriving: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        fired, potential = self._neuron(arriving, _potential(arriving, state))
        return fired, potential


def build(network: Network) -> PeerNetwork:
    """Return a network of `snntorch.Leaky`, see `benchmarks.peers.build`."""
    return PeerNetwork(network, _Leaky)


class _RecurrentLeaky(SteppedRecurrentLayer):
    """`Leaky`, and a linear layer from its spikes to its input."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._neuron = snntorch.Leaky(**_options(neurons))

    def step(self, arriving: Tensor, fired: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        fired, potential = self._neuron(arriving + self.own(fired), _potential(arriving, state))
        return fired, potential


class _RLeaky(SteppedRecurrentLayer):
    """`RLeaky`, which computes the recurrent input twice for a reset to 0."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._neuron = snntorch.RLeaky(linear_features=len(wiring.own), **_options(neurons))
        self._neuron.recurrent = self.own

    def step(self, arriving: Tensor, fired: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        fired, potential = self._neuron(arriving, fired, _potential(arriving, state))
        return fired, potential


def recurrent(neurons: Lif, wiring: Wiring) -> dict[str, RecurrentLayer]:
    """Return recurrent layers by the names of their parts in the library."""
    return {
        "Leaky and Linear": _RecurrentLeaky(neurons, wiring),
        "RLeaky": _RLeaky(neurons, wiring),
    }
