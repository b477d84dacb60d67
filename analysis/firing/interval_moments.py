"""One pass over the spikes, from which every measure of their intervals follows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data, steps
from bioae.analysis.results.spikes import Spikes, blocks, spike_keys

__all__ = ["IntervalSums", "interval_sums", "intervals_of", "sums_of"]

Part = Literal[
    "total", "squares", "difference", "squared_difference", "per_length", "pooled", "histogram"
]

_LARGEST_HISTOGRAM = 2**26


class IntervalSums(NamedTuple):
    """Sums over the intervals between successive spikes of a neuron, in steps.

    An interval lies within one presentation, a pair is two successive intervals of one; they are
    pooled over the presentations. What is an integer is exact.

    Attributes
    ----------
    intervals, pairs
        (neuron,) int64. How many there are.
    total, squares
        (neuron,) int64. The sum of the intervals, and of their squares.
    difference, squared_difference, per_length
        (neuron,) The sums over pairs (I, J) of abs(I - J) / (I + J), of its square, and of that
        square over I + J.
    pooled
        (steps,) int64. How many intervals of the layer have each length.
    histogram
        (neuron, steps) int64. The same for each neuron; None where it would take over 512 MiB.
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


class Intervals(NamedTuple):
    """The intervals of a block in steps, by neuron, and which are followed by another.

    Attributes
    ----------
    neuron, length
        (interval,) int32 or int64
    first
        (pair,) int64. The index of the first interval of each pair; the second stands behind it.
    """

    neuron: NDArray[np.signedinteger[Any]]
    length: NDArray[np.signedinteger[Any]]
    first: NDArray[np.int64]


def interval_sums(tree: xr.DataTree, layer: str) -> IntervalSums:
    """Read the spikes once, for any number of measures of their intervals.

    Every function of `bioae.analysis.firing.intervals` and `bioae.analysis.firing.irregularity`
    takes what this returns as `sums`.

    Raises
    ------
    ResultError
        If there is no such layer.
    """
    return sums_of(tree, layer, *get_args(Part))


def sums_of(tree: xr.DataTree, layer: str, *parts: Part) -> IntervalSums:
    """Read the spikes for one measure: the sums that are of other parts stay 0.

    How many intervals there are is with those of them, how many pairs with those of pairs.
    """
    neurons, length = layer_data(tree, layer).sizes["neuron"], steps(tree)
    whole = np.zeros((4, neurons), np.int64)
    real = np.zeros((3, neurons))
    pooled = np.zeros(length, np.int64)
    fits = "histogram" in parts and neurons * length <= _LARGEST_HISTOGRAM
    histogram = np.zeros((neurons, length), np.int64) if fits else None
    for found in _by_block(tree, layer):
        _add_intervals(found, whole, parts)
        _add_pairs(found, whole[3], real, parts)
        if "pooled" in parts:
            pooled += np.bincount(found.length, minlength=length)
        if histogram is not None:
            place = found.neuron.astype(np.int64) * length + found.length
            np.add.at(histogram.reshape(-1), place, 1)
    intervals, total, squares, pairs = whole
    difference, squared, per_length = real
    return IntervalSums(
        intervals, pairs, total, squares, difference, squared, per_length, pooled, histogram
    )


def intervals_of(block: Spikes) -> Intervals:
    """Return the intervals of a block of spikes, and the pairs of them."""
    keys, stride = spike_keys(block)
    apart = np.diff(keys)
    within = np.flatnonzero(apart < block.steps)
    neuron = keys[within] // (stride * block.examples)
    first = np.flatnonzero(np.diff(within) == 1)
    return Intervals(neuron, apart[within], first)


def _by_block(tree: xr.DataTree, layer: str) -> Iterator[Intervals]:
    return (intervals_of(block) for block in blocks(tree, layer))


def _add_intervals(found: Intervals, whole: NDArray[np.int64], parts: Collection[Part]) -> None:
    """Add a block's intervals, their lengths and their squares, as far as they are asked for."""
    if not {"total", "squares", "histogram"} & {*parts}:
        return
    neuron, length = found.neuron.astype(np.intp), found.length.astype(float)
    whole[0] += np.bincount(neuron, minlength=whole.shape[1])
    # Sums of weights are exact: integers far below 2**53.
    if "total" in parts:
        whole[1] += np.bincount(neuron, length, whole.shape[1]).astype(np.int64)
    if "squares" in parts:
        whole[2] += np.bincount(neuron, length * length, whole.shape[1]).astype(np.int64)


def _add_pairs(
    found: Intervals, count: NDArray[np.int64], real: NDArray[np.float64], parts: Collection[Part]
) -> None:
    """Add a block's pairs, and what they are like, as far as it is asked for."""
    if not {"difference", "squared_difference", "per_length"} & {*parts}:
        return
    neuron = found.neuron[found.first].astype(np.intp)
    before, after = found.length[found.first], found.length[found.first + 1]
    both = before + after
    relative = np.abs(before - after) / both
    count += np.bincount(neuron, minlength=count.size)
    if "difference" in parts:
        real[0] += np.bincount(neuron, relative, count.size)
    if "squared_difference" in parts:
        real[1] += np.bincount(neuron, relative * relative, count.size)
    if "per_length" in parts:
        real[2] += np.bincount(neuron, relative * relative / both, count.size)
