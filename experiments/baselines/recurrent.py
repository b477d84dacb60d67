"""Conventional recurrent networks with the layers of a network's description."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.networks.initial import orthogonal
from bioae.noise import Key
from experiments.baselines.config import Place, RecurrentKind
from experiments.baselines.layers import (
    Activations,
    ConventionalLayer,
    ConventionalModule,
    normal_weights,
)


class RecurrentLayer(ConventionalLayer):
    """A layer of `torch.nn.RNN` or `torch.nn.LSTM`, with one vector of biases.

    The second one of PyTorch, which is added to the first, is 0 and not trained.

    `place`: the layer and its shapes; `cell`: see `RecurrentKind`; `arrays`: ``weight`` (unit,
    input), ``recurrent`` (unit, unit) and, where the layer has biases, ``bias`` (unit,), of long
    short-term memory with 4 times the rows: those of the input, forget, cell and output gates.
    """

    def __init__(self, place: Place, cell: str, arrays: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.place = place
        sizes = math.prod(place.input_shape), arrays["recurrent"].shape[1]
        bias = "bias" in arrays
        # Without memory, and without PyTorch's random numbers: all arrays are replaced.
        self.cell: nn.RNNBase = (
            nn.LSTM(*sizes, bias=bias, device="meta")
            if cell == "lstm"
            else nn.RNN(*sizes, nonlinearity=cell, bias=bias, device="meta")
        )
        self.cell.weight_ih_l0 = nn.Parameter(arrays["weight"])
        self.cell.weight_hh_l0 = nn.Parameter(arrays["recurrent"])
        if bias:
            self.cell.bias_ih_l0 = nn.Parameter(arrays["bias"])
            zero = torch.zeros_like(arrays["bias"])
            self.cell.bias_hh_l0 = nn.Parameter(zero, requires_grad=False)

    @property
    def arrays(self) -> dict[str, nn.Parameter]:
        """The trained tensors by ``weight``, ``recurrent`` and ``bias``."""
        names = {"weight": "weight_ih_l0", "recurrent": "weight_hh_l0", "bias": "bias_ih_l0"}
        return {ours: getattr(self.cell, name) for ours, name in names.items() if self._has(name)}

    def forward(self, emitted: Tensor) -> Tensor:
        """Return the units' outputs (time, example, *shape), from a state of 0."""
        outputs: Tensor = self.cell(emitted.flatten(2))[0]
        return outputs.reshape(*outputs.shape[:2], *self.place.shape)

    def _has(self, name: str) -> bool:
        return getattr(self.cell, name, None) is not None


class SpikingLSTM(ConventionalLayer):
    """Spiking long short-term memory (Henkes et al. 2022, arXiv:2210.03515).

    The membrane of a unit is the output of long short-term memory, less its threshold if it emitted
    a spike in the last step; above the threshold it emits one. Gates read the membranes of the last
    step. Cells and membranes are numbers, binary is what a layer hands on: its spikes, or, if it is
    `graded`, its membranes. The derivative of a spike is that of the arctan; none passes through
    the reset.

    `place`: the layer and its shapes; `arrays`: as of `RecurrentLayer`, and ``threshold`` (unit,).
    """

    def __init__(self, place: Place, arrays: Mapping[str, Tensor], *, graded: bool) -> None:
        super().__init__()
        self.place, self.graded = place, graded
        for name in sorted(arrays, key=("threshold", "recurrent", "weight", "bias").index):
            self.register_parameter(name, nn.Parameter(arrays[name]))

    def forward(self, emitted: Tensor) -> Tensor:
        """Return the spikes or membranes (time, example, *shape), from a state of 0."""
        arrays, membranes = self.arrays, []
        threshold, recurrent = arrays["threshold"], arrays["recurrent"].T
        sums = nn.functional.linear(emitted.flatten(2), arrays["weight"], arrays.get("bias"))
        membrane = cell = spikes = sums.new_zeros(sums.shape[1], len(threshold))
        for each in sums:
            admit, keep, new, release = torch.addmm(each, membrane, recurrent).chunk(4, dim=1)
            cell = keep.sigmoid() * cell + admit.sigmoid() * new.tanh()
            membrane = release.sigmoid() * cell.tanh() - spikes * threshold
            spikes = membrane > threshold  # no gradient passes through the reset
            membranes.append(membrane)
        outputs = torch.stack(membranes)
        if not self.graded:
            smooth = torch.atan(math.pi * (outputs - threshold)) / math.pi
            outputs = (outputs > threshold) + (smooth - smooth.detach())
        return outputs.reshape(*outputs.shape[:2], *self.place.shape)


class RecurrentModule(ConventionalModule):
    """Layers that work step by step, recurrent ones among them; the decoder reads the last one.

    Recurrent weights start from an orthogonal matrix times the layer's `recurrent_gain` (1 by
    default; Le, Jaitly, Hinton 2015, arXiv:1504.00941, take the identity for rectified units), the
    other arrays as in `ConventionalModule`. All weights of a layer of long short-term memory are
    uniform within 1 / sqrt(units) of 0, as in PyTorch; its biases are 0, and 1 for the forget gates
    (Jozefowicz, Zaremba, Sutskever 2015, ICML). Thresholds of its spiking form are uniform from 0
    to 0.2, since outputs are below 1; the last layer that is recurrent is graded.

    `config`: see `ConventionalModule`.
    """

    def inputs(self, values: NDArray[np.float64]) -> Tensor:
        """Return signals (example, time, channel) step by step (time, example, *shape)."""
        network = self.config.network
        held = np.repeat(values, network.steps // network.points, axis=1).swapaxes(0, 1)
        shape = self.places[0].input_shape
        return self._tensor(held).reshape(*held.shape[:2], *shape)

    def forward(self, inputs: Tensor, key: Key | None = None) -> Activations:
        """Return the activations of each step, and the decoded outputs."""
        activations, emitted = {}, inputs
        for place, layer in zip(self.places, self.layers, strict=True):
            name = place.layer.name
            if place.layer.recurrent:
                emitted = layer(emitted)
            else:
                sums = layer(emitted.flatten(0, 1))
                emitted = self._activate(name, sums).reshape(*emitted.shape[:2], *place.shape)
            activations[name] = emitted
        network = self.config.network
        decoded = network.decoder.decode(emitted, default_scale=network.default_scale)
        return Activations(activations, decoded.reshape(-1, *network.output_shape))

    def _layer(self, place: Place, generator: Generator) -> ConventionalLayer:
        if not place.layer.recurrent:
            return super()._layer(place, generator)
        cell, (units, _) = self._kind.cell, place.layer.weight_shape(place.input_shape)
        gated = cell in ("lstm", "slstm")
        if gated:
            arrays = _drawn_lstm(place, generator)
        else:
            gain = place.layer.recurrent_gain or 1.0
            arrays = {
                "weight": normal_weights(place, generator, self._gain(place)),
                "recurrent": torch.from_numpy(gain * orthogonal((units, units), generator)),
            }
        if self._kind.bias or place.layer.bias:
            arrays["bias"] = torch.zeros(len(arrays["weight"]), dtype=torch.float64)
            if gated:
                arrays["bias"][units : 2 * units] = 1.0  # the second gate is the forget gate
        if cell != "slstm":
            return RecurrentLayer(place, cell, arrays)
        arrays["threshold"] = torch.from_numpy(generator.uniform(0.0, 0.2, units))
        last = [each for each in self.places if each.layer.recurrent][-1]
        return SpikingLSTM(place, arrays, graded=place == last)

    @property
    def _kind(self) -> RecurrentKind:
        kind = self.config.baseline
        assert isinstance(kind, RecurrentKind)
        return kind

    def _activations(self) -> dict[str, str]:
        recurrent = {p.layer.name: self._kind.cell for p in self.places if p.layer.recurrent}
        return super()._activations() | recurrent


def _drawn_lstm(place: Place, generator: Generator) -> dict[str, Tensor]:
    """Draw the weights of the four gates of long short-term memory."""
    units, inputs = place.layer.weight_shape(place.input_shape)
    bound = 1.0 / math.sqrt(units)
    shapes = {"weight": (4 * units, inputs), "recurrent": (4 * units, units)}
    return {
        name: torch.from_numpy(generator.uniform(-bound, bound, shape))
        for name, shape in shapes.items()
    }
