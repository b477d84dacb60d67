"""Compilation of ReLU networks to spike times.

A neuron whose inputs all arrive before it fires computes an affine function of their times, the
coefficients of which sum to 1: the weight of a reference spike makes up for the others. A neuron
with a reference spike of weight 1, and an input of weight -1/2, fires at ``t* + max(0, t* - t)``,
where t* is the time at which it fires without the input (Singh, Fono & Kutyniok 2023,
arXiv:2308.08218). A layer of either kind makes a layer of a ReLU network; the last layer needs the
affine one only. Reference spikes of deeper layers come from a neuron per layer that relays them.

In place of one threshold and small weights, as there, the weights of a neuron here sum to 1 per
millisecond and thresholds differ, so that rounding weights to a grid leaves the sum exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.spike_response.network import SpikeTimeLayer, SpikeTimeNetwork, TimeCode

Numbers = NDArray[np.float64]


def relu_outputs(
    weights: Sequence[ArrayLike], biases: Sequence[ArrayLike], values: ArrayLike
) -> Numbers:
    """Return the outputs of a ReLU network (example, output), the last layer of which is affine.

    `weights`, `biases`: for each layer (neuron, input) and (neuron,); `values`: numbers (example,
    input).
    """
    layers, outputs = _layers(weights, biases), np.asarray(values, np.float64)
    for matrix, bias in layers[:-1]:
        outputs = np.maximum(outputs @ matrix.T + bias, 0.0)
    matrix, bias = layers[-1]
    return np.asarray(outputs @ matrix.T + bias)


def compile_relu(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    *,
    low: ArrayLike = 0.0,
    high: ArrayLike = 1.0,
    window: float = 16.0,
    bits: int | None = None,
) -> SpikeTimeNetwork:
    """Compile a ReLU network to a network of spike times that computes the same.

    The outputs are equal, up to rounding, for all values within the bounds. The network refuses
    values beyond them, where an input may come after a neuron has fired. Hidden layers become two
    layers of spiking neurons, the last layer becomes one.

    `weights`, `biases`: for each layer (neuron, input) and (neuron,); the last layer is affine.
    `low`, `high`: the bounds of the inputs (input,), or one for all.
    `window`: milliseconds over which the spikes of the inputs, and those of each layer, are spread
        at most. A value of a layer has `window` divided by its range milliseconds per unit.
    `bits`: round weights and thresholds to multiples of ``2**-bits``, as targets need to agree to
        the last bit. By default they are not rounded.
    """
    layers = _layers(weights, biases)
    grid = None if bits is None else 2.0**bits
    shape = layers[0][0].shape[1:]
    low, high = (np.broadcast_to(np.asarray(each, np.float64), shape) for each in (low, high))
    slope = window / float((high - low).max())
    code = TimeCode(-slope * low, slope)
    reference = float(math.ceil(window))
    signal = _Signal(code, low, high, reference)
    compiled: list[SpikeTimeLayer] = []
    latest = 0.0
    for place, (matrix, bias) in enumerate(layers):
        hidden = place < len(layers) - 1
        layer, signal = _affine(matrix, bias, signal, window=window, grid=grid, hidden=hidden)
        compiled.append(layer)
        latest = max(latest, signal.latest)
        if hidden:
            layer, signal = _rectified(signal)
            compiled.append(layer)
    # Whole windows: networks of one shape mostly share a duration, and with it a build of Brian2.
    duration = window * math.ceil(latest / window + 0.25)
    return SpikeTimeNetwork(
        tuple(compiled), duration, code, signal.code, reference, bounds=(low, high)
    )


@dataclass(frozen=True)
class _Signal:
    """The values of a layer: their code, their bounds (neuron,), and the reference spike's time."""

    code: TimeCode
    low: Numbers
    high: Numbers
    reference: float

    @property
    def earliest(self) -> Numbers:
        """The earliest spike of each neuron."""
        return np.minimum(self.code.encode(self.low), self.code.encode(self.high))

    @property
    def latest(self) -> float:
        """The latest spike of any neuron, and of the reference."""
        latest = np.maximum(self.code.encode(self.low), self.code.encode(self.high)).max()
        return max(float(latest), self.reference)


def _affine(
    matrix: Numbers,
    bias: Numbers,
    signal: _Signal,
    *,
    window: float,
    grid: float | None,
    hidden: bool,
) -> tuple[SpikeTimeLayer, _Signal]:
    """Return the neurons of an affine map; for a hidden layer also that of the reference.

    Values of a hidden layer spike earlier the larger they are, as `_rectified` needs them.
    """
    low = np.maximum(matrix, 0) @ signal.low + np.minimum(matrix, 0) @ signal.high + bias
    high = np.maximum(matrix, 0) @ signal.high + np.minimum(matrix, 0) @ signal.low + bias
    spread = float((high - low).max())
    slope = window / (spread or 1.0) * (-1 if hidden else 1)
    weights = _rounded(matrix * (slope / signal.code.slope), grid)
    weights = np.column_stack([weights, 1 - weights.sum(1)])
    # A neuron fires at its threshold plus this sum, which the code asks to be at zero + slope z.
    zeros = np.append(np.broadcast_to(signal.code.zero, matrix.shape[1]), signal.reference)
    offsets = slope * bias - weights @ zeros
    # Before the last input the potential stays below this bound, and so below the threshold.
    since = signal.latest - np.append(signal.earliest, signal.reference)
    needed = np.maximum(weights, 0) @ since + window / 4
    # Two milliseconds at least, so that the relayed reference spike has its place between.
    zero = float(np.ceil(np.maximum((needed - offsets).max(), signal.latest + 2)))
    thresholds = _rounded(zero + offsets, grid)
    relayed = signal.reference + float((zero - signal.reference) // 2)
    reference = relayed if hidden else signal.reference
    after = _Signal(TimeCode(zero, slope), low, high, reference)
    if hidden:
        weights, thresholds = _with_relay(weights, thresholds, relayed - signal.reference)
    return SpikeTimeLayer(weights, thresholds), after


def _rectified(signal: _Signal) -> tuple[SpikeTimeLayer, _Signal]:
    """Return the neurons that rectify values, and that of the reference."""
    zero, slope = float(signal.code.zero), -signal.code.slope
    neurons = len(signal.low)
    weights = np.column_stack([np.diag(np.full(neurons, -0.5)), np.ones(neurons)])
    thresholds = np.full(neurons, zero - signal.reference)
    low, high = np.maximum(signal.low, 0), np.maximum(signal.high, 0)
    relayed = float(math.ceil(zero + slope * high.max()))
    weights, thresholds = _with_relay(weights, thresholds, relayed - signal.reference)
    return SpikeTimeLayer(weights, thresholds), _Signal(TimeCode(zero, slope), low, high, relayed)


def _with_relay(weights: Numbers, thresholds: Numbers, after: float) -> tuple[Numbers, Numbers]:
    """Add the neuron that fires some milliseconds after the reference spike, the last input."""
    relay = np.zeros((1, weights.shape[1]))
    relay[0, -1] = 1.0
    return np.vstack([weights, relay]), np.append(thresholds, after)


def _rounded(values: Numbers, grid: float | None) -> Numbers:
    return values if grid is None else np.rint(values * grid) / grid


def _layers(
    weights: Sequence[ArrayLike], biases: Sequence[ArrayLike]
) -> list[tuple[Numbers, Numbers]]:
    """Return the weights and biases of each layer in float64."""
    return [
        (np.asarray(matrix, np.float64), np.asarray(bias, np.float64))
        for matrix, bias in zip(weights, biases, strict=True)
    ]
