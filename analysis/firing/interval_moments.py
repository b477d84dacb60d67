"""Sums over interspike intervals from one pass over the spikes, shared by all interval measures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data, root_of, steps
from bioae.analysis.results.spikes import Spikes, blocks, spike_keys

__all__ = ["IntervalSums", "interval_sums", "intervals_of", "origin_of", "sums_of"]

Part = Literal[
    "total", "squares", "difference", "squared_difference", "per_length", "pooled", "histogram"
]

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
        What they are of: the layer, its neurons, examples, steps of a presentation, and spikes.
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

    Attributes
    ----------
    neuron, length
        (interval,) int32 or int64
    first
        (pair,) int64. Index of the first interval of each pair; the second is the next one.
    """

    neuron: NDArray[np.signedinteger[Any]]
    length: NDArray[np.signedinteger[Any]]
    first: NDArray[np.int64]


def interval_sums(tree: xr.DataTree, layer: str) -> IntervalSums:
    """Exact sums over a layer's interspike intervals, from one pass over the spikes.

    Every function of `bioae.analysis.firing.intervals` accepts them as `sums`.

    Raises
    ------
    ResultError
        If there is no such layer.
    """
    return sums_of(tree, layer, *get_args(Part))


def sums_of(tree: xr.DataTree, layer: str, *parts: Part) -> IntervalSums:
    """Compute some of the sums; the others remain 0.

    The number of intervals comes with any sum over intervals, the number of pairs with any over
    pairs.
    """
    neurons, length = layer_data(tree, layer).sizes["neuron"], steps(tree)
    whole = np.zeros((4, neurons), np.int64)
    real = np.zeros((3, neurons))
    pooled = np.zeros(length, np.int64)
    fits = "histogram" in parts and neurons * length <= _LARGEST_HISTOGRAM
    histogram = np.zeros((neurons, length), np.int64) if fits else None
    for block in blocks(tree, layer):
        measured = intervals_of(block)
        _add_intervals(measured, whole, parts)
        _add_pairs(measured, whole[3], real, parts)
        if "pooled" in parts:
            pooled += np.bincount(measured.length, minlength=length)
        if histogram is not None:
            place = measured.neuron.astype(np.int64) * length + measured.length
            np.add.at(histogram.reshape(-1), place, 1)
    intervals, total, squares, pairs = whole
    difference, squared, per_length = real
    return IntervalSums(
        intervals, pairs, total, squares, difference, squared, per_length, pooled, histogram,
        origin_of(tree, layer),
    )  # fmt: skip


def origin_of(tree: xr.DataTree, layer: str) -> tuple[Any, ...]:
    """Return what tells a layer of a result from others, see `IntervalSums`."""
    data, root = layer_data(tree, layer), root_of(tree)
    run = (str(root.attrs.get(name, "")) for name in ("network_sha256", "seed", "target"))
    examples = tuple(root["example"].to_numpy().tolist())
    return layer, *run, data.sizes["neuron"], hash(examples), steps(tree), data.sizes["spike"]


def intervals_of(block: Spikes) -> Intervals:
    """Return the intervals of a block of spikes, and the pairs of successive intervals."""
    keys, stride = spike_keys(block)
    lengths = np.diff(keys)
    within = np.flatnonzero(lengths < block.steps)
    neuron = keys[within] // (stride * block.examples)
    first = np.flatnonzero(np.diff(within) == 1)
    return Intervals(neuron, lengths[within], first)


def _add_intervals(block: Intervals, whole: NDArray[np.int64], parts: Collection[Part]) -> None:
    """Add the requested sums over a block's intervals."""
    if not {"total", "squares", "histogram"} & {*parts}:
        return
    neuron, length = block.neuron.astype(np.intp), block.length.astype(float)
    whole[0] += np.bincount(neuron, minlength=whole.shape[1])
    # Sums of weights are exact: they are integers far below 2**53.
    if "total" in parts:
        whole[1] += np.bincount(neuron, length, whole.shape[1]).astype(np.int64)
    if "squares" in parts:
        whole[2] += np.bincount(neuron, length * length, whole.shape[1]).astype(np.int64)


def _add_pairs(
    block: Intervals, count: NDArray[np.int64], real: NDArray[np.float64], parts: Collection[Part]
) -> None:
    """Add the requested sums over a block's pairs of successive intervals."""
    if not {"difference", "squared_difference", "per_length"} & {*parts}:
        return
    neuron = block.neuron[block.first].astype(np.intp)
    before, after = block.length[block.first], block.length[block.first + 1]
    both = before + after
    relative = np.abs(before - after) / both
    count += np.bincount(neuron, minlength=count.size)
    if "difference" in parts:
        real[0] += np.bincount(neuron, relative, count.size)
    if "squared_difference" in parts:
        real[1] += np.bincount(neuron, relative * relative, count.size)
    if "per_length" in parts:
        real[2] += np.bincount(neuron, relative * relative / both, count.size)
