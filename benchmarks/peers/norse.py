"""Norse: `LIFBoxCell`, the neuron without a synaptic current, one step at a time."""

from __future__ import annotations

from typing import Any

import torch
from norse.torch import LIFBoxCell, LIFBoxParameters, LIFParameters, LIFRecurrent
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

_DT = 0.001


def _options(neurons: Lif) -> dict[str, Any]:
    return {
        "tau_mem_inv": torch.tensor((1 - neurons.decay) / _DT),
        "v_th": torch.tensor(neurons.threshold),
        "method": "super",
        "alpha": torch.tensor(SLOPE),
    }


class _LIFBox(SteppedPopulation):
    def __init__(self, neurons: Lif) -> None:
        super().__init__()
        self._cell = LIFBoxCell(LIFBoxParameters(**_options(neurons)), dt=_DT)

    def step(self, arriving: Tensor, state: Any) -> tuple[Tensor, Any]:
        fired, state = self._cell(arriving, state)
        return fired, state


def build(network: Network) -> PeerNetwork:
    """Return a network of `LIFBoxCell`, see `benchmarks.peers.build`."""
    # Its potential moves by (1 - decay) (input - potential) per step.
    return PeerNetwork(network, _LIFBox, unit=lambda neurons: 1 - neurons.decay)


class _RecurrentBox(SteppedRecurrentLayer):
    """`LIFBoxCell`, and a linear layer from its spikes to its input."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring, 1 - neurons.decay)
        self._cell = LIFBoxCell(LIFBoxParameters(**_options(neurons)), dt=_DT)

    def step(self, arriving: Tensor, fired: Tensor, state: Any) -> tuple[Tensor, Any]:
        fired, state = self._cell(arriving + self.own(fired), state)
        return fired, state


class _Recurrent(RecurrentLayer):
    """`LIFRecurrent`, whose synaptic current lasts one step."""

    def __init__(self, neurons: Lif, wiring: Wiring) -> None:
        super().__init__(wiring, 1 - neurons.decay)
        parameters = LIFParameters(tau_syn_inv=torch.tensor(1 / _DT), **_options(neurons))
        self._cells = LIFRecurrent(
            wiring.feed.shape[1],
            len(wiring.own),
            p=parameters,
            input_weights=self.feed.weight,
            recurrent_weights=self.own.weight,
            dt=_DT,
        )

    def forward(self, drive: Tensor) -> Tensor:
        spikes: Tensor = self._cells(drive)[0]
        return spikes


def recurrent(neurons: Lif, wiring: Wiring) -> dict[str, RecurrentLayer]:
    """Return recurrent layers by the names of their parts in the library."""
    return {
        "LIFBoxCell and Linear": _RecurrentBox(neurons, wiring),
        "LIFRecurrent": _Recurrent(neurons, wiring),
    }
