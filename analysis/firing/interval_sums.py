"""Sums over interspike intervals from one pass over the spikes, shared by all interval measures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.analysis.results.spikes import Spikes, blocks, spike_keys
from bioae.checks import instance
from bioae.errors import ResultError

_LARGEST_HISTOGRAM = 2**26


class IntervalSums(NamedTuple):
    """Sums over the intervals between successive spikes of a neuron, in steps.

    Intervals, and pairs of successive intervals, are within one presentation, and pooled over
    presentations. Integers are exact.

    Attributes
    ----------
    intervals, pairs
        (neuron,) int64. Their numbers.
    total, squares
        (neuron,) int64. Sums of the intervals, and of their squares.
    difference, squared_difference, per_length
        (neuron,) Sums over pairs (I, J) of abs(I - J) / (I + J), of its square, and of this square
        divided by I + J.
    pooled
        (steps,) int64. Number of intervals of each length in the layer.
    histogram
        (neuron, steps) int64. The same for each neuron; None if it would exceed 512 MiB.
    origin
        The key of the layer: its name, result, neurons, examples, steps and spikes.
    """

    intervals: NDArray[np.int64]
    pairs: NDArray[np.int64]
    total: NDArray[np.int64]
    squares: NDArray[np.int64]
    difference: NDArray[np.float64]
    squared_difference: NDArray[np.float64]
    per_length: NDArray[np.float64]
    pooled: NDArray[np.int64]
    histogram: NDArray[np.int64] | None
    origin: tuple[Any, ...]


class Intervals(NamedTuple):
    """Intervals of a block in steps, by neuron, and pairs of successive intervals.

    `neuron`, `length`: (interval,) int64
    `first`: (pair,) int64. Index of the first interval of each pair; the second is the next one.
    """

    neuron: NDArray[np.int64]
    length: NDArray[np.int64]
    first: NDArray[np.int64]


@of_layer
def interval_sums(tree: xr.DataTree, layer: str) -> IntervalSums:
    """Exact sums over a layer's interspike intervals, from one pass over the spikes.

    Every function of `bioae.analysis.firing.intervals` accepts them as `sums`.
    """
    neurons, length = layer_data(tree, layer).sizes["neuron"], steps(tree)
    intervals, total, squares, pairs = np.zeros((4, neurons), np.int64)
    difference, squared_difference, per_length = np.zeros((3, neurons))
    pooled = np.zeros(length, np.int64)
    fits = neurons * length <= _LARGEST_HISTOGRAM
    histogram = np.zeros((neurons, length), np.int64) if fits else None
    for block in blocks(tree, layer):
        measured = intervals_of(block)
        neuron, real = measured.neuron, measured.length.astype(float)
        intervals += np.bincount(neuron, minlength=neurons)
        # Sums of weights are exact: they are integers far below 2**53.
        total += np.bincount(neuron, real, neurons).astype(np.int64)
        squares += np.bincount(neuron, real * real, neurons).astype(np.int64)
        pooled += np.bincount(measured.length, minlength=length)
        if histogram is not None:
            np.add.at(histogram.reshape(-1), neuron * length + measured.length, 1)
        owner = neuron[measured.first]
        before, after = measured.length[measured.first], measured.length[measured.first + 1]
        both = before + after
        relative = np.abs(before - after) / both
        pairs += np.bincount(owner, minlength=neurons)
        difference += np.bincount(owner, relative, neurons)
        squared_difference += np.bincount(owner, relative * relative, neurons)
        per_length += np.bincount(owner, relative * relative / both, neurons)
    return IntervalSums(
        intervals, pairs, total, squares, difference, squared_difference, per_length, pooled,
        histogram, _origin(tree, layer),
    )  # fmt: skip


def sums_of(tree: xr.DataTree, layer: str, sums: IntervalSums | None) -> IntervalSums:
    """Return the sums of a layer, computed unless they are given."""
    if sums is None:
        return interval_sums(tree, layer)
    instance(sums, "sums", IntervalSums, error=ResultError)
    if sums.origin != _origin(tree, layer):
        raise ResultError(
            "the sums are not of this layer of the result", where="sums",
            expected=f"interval_sums(tree, {layer!r})",
            found=f"those of {sums.origin[0]!r}, of {sums.origin[-1]:,} spikes",
        )  # fmt: skip
    return sums


def _origin(tree: xr.DataTree, layer: str) -> tuple[Any, ...]:
    data = layer_data(tree, layer)
    run = (str(tree.attrs.get(name, "")) for name in ("network_sha256", "seed", "target"))
    examples = tuple(tree["example"].to_numpy().tolist())
    return layer, *run, data.sizes["neuron"], hash(examples), steps(tree), data.sizes["spike"]


def intervals_of(block: Spikes) -> Intervals:
    """Return the intervals of a block of spikes, and the pairs of successive intervals."""
    keys, stride = spike_keys(block)
    lengths = np.diff(keys)
    within = np.flatnonzero(lengths < block.steps)
    neuron = keys[within] // (stride * block.examples)
    first = np.flatnonzero(np.diff(within) == 1)
    return Intervals(neuron, lengths[within], first)
