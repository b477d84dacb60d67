"""Spikes as integers, read by blocks of whole examples.

Time is a grid of steps, so a spike is three integers, and most measures of trains are counts. A
block bounds the memory whatever the number of spikes, and reads no more than it holds if the result
is still on disk.

A result is sorted by example, so that the spikes of an example are one run of them. If examples
were selected or reordered, the runs are still there, in another order and among others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.checks import whole
from bioae.errors import ResultError

BLOCK = 4_000_000


class Runs(NamedTuple):
    """Stretches of spikes of one example, in the order of the examples, (run,)."""

    position: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]


class Spikes(NamedTuple):
    """The spikes of some consecutive examples, sorted by example, time and neuron.

    Attributes
    ----------
    start, examples
        The position along `example` of the first example of the block, and the number of examples.
    neurons, steps
        The neurons of the layer and the steps of a presentation.
    position, neuron, step
        (spike,) int64. The example, counted from `start`, so below `examples`; the neuron; and
        the step within the presentation.
    """

    start: int
    examples: int
    neurons: int
    steps: int
    position: NDArray[np.int64]
    neuron: NDArray[np.int64]
    step: NDArray[np.int64]


class Trains(NamedTuple):
    """The spikes of a block, sorted by neuron, example and time.

    `bounds`: (neuron + 1,) The spikes of neuron n are at ``bounds[n]:bounds[n + 1]``; `position`,
    `step`: (spike,) As in `Spikes`.
    """

    bounds: NDArray[np.int64]
    position: NDArray[np.int64]
    step: NDArray[np.int64]


@of_layer
def blocks(tree: xr.DataTree, layer: str, *, spikes: int | None = None) -> Iterator[Spikes]:
    """Read a layer's spikes in blocks of whole examples, in order.

    Every example is in exactly one block, also an example without spikes. Spikes of examples that
    were not selected, after ``tree.isel(example=...)``, are left out. If the variables are lazy, as
    from `xarray.open_datatree` or dask, only one block is held in memory.

    Parameters
    ----------
    spikes
        The largest number of spikes of a block, and of steps of its examples; if None, `BLOCK`. A
        block of one example may hold more.

    Raises
    ------
    ResultError
        If neurons of the layer were selected: its spikes are those of all.
    """
    data = layer_data(tree, layer)
    size = int(np.prod(np.asarray(data.attrs.get("shape", data.sizes["neuron"]))))
    if size != data.sizes["neuron"]:
        raise ResultError(
            "neurons of the layer were selected, and spikes are those of all neurons",
            expected=f"{size} neurons", found=str(data.sizes["neuron"]),
            hint="Select from the answer, not from the result",
        )  # fmt: skip
    spikes = whole(BLOCK if spikes is None else spikes, "spikes", least=1, error=ResultError)
    runs = _find_runs(data, spikes)
    examples = data.sizes["example"]
    counts = np.zeros(examples, np.int64)
    np.add.at(counts, runs.position, runs.end - runs.begin)
    for start, stop in _cuts(counts, spikes, max(1, spikes // steps(tree))):
        chosen = slice(*np.searchsorted(runs.position, (start, stop)))
        part = Runs(*(column[chosen] for column in runs))
        neuron, time = (_read(data[name], part) for name in ("spike_neuron", "spike_time_ms"))
        step = np.rint(time / float(tree.attrs["dt_ms"])).astype(np.int64)
        position = np.repeat(np.arange(stop - start), counts[start:stop])
        sizes = (start, stop - start, data.sizes["neuron"], steps(tree))
        yield Spikes(*sizes, position, neuron.astype(np.int64), step)


def trains(block: Spikes) -> Trains:
    """Sort a block's spikes by neuron, example and time."""
    keys, stride = spike_keys(block)
    place = keys // stride
    step = keys - place * stride
    neuron = place // block.examples
    position = place - neuron * block.examples
    bounds = np.concatenate(([0], np.cumsum(np.bincount(neuron, minlength=block.neurons))))
    return Trains(bounds, position, step)


def spike_keys(block: Spikes) -> tuple[NDArray[np.int64], int]:
    """Return one number per spike, sorted, that orders a block by neuron, example and time.

    It is (neuron * examples + position) * stride + step. The stride, the second value, is so large
    that numbers of one train differ by less than `steps`, and those of two trains do not.
    """
    stride = 2 * block.steps - 1
    keys = (block.neuron * block.examples + block.position) * stride + block.step
    keys.sort()
    return keys, stride


def _read(array: xr.DataArray, runs: Runs) -> NDArray[Any]:
    """Read runs in sequence, those that are adjacent in the file together."""
    separate = np.append(True, runs.begin[1:] != runs.end[:-1])[: runs.begin.size]
    first = np.flatnonzero(separate)
    last = np.append(first[1:], runs.begin.size) - 1
    pairs = zip(runs.begin[first], runs.end[last] if first.size else [], strict=True)
    variable = array.variable
    parts = [variable[int(begin) : int(end)].to_numpy() for begin, end in pairs]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.zeros(0, array.dtype)


def _find_runs(data: xr.Dataset, size: int = 2**22) -> Runs:
    """Find the spikes of each example, reading `spike_example` by blocks.

    The counts do not suffice: they do not tell the examples of the spikes if some were selected or
    reordered.
    """
    variable = data["spike_example"].variable
    begins, values = [], []
    last: int | None = None
    for begin in range(0, variable.size, size):
        value = variable[begin : begin + size].to_numpy()
        new = np.flatnonzero(value[1:] != value[:-1]) + 1
        if value[0] != last:
            new = np.append(0, new)
        begins.append(new + begin)
        values.append(value[new])
        last = value[-1]
    if not begins:
        return Runs(*(np.zeros(0, np.int64) for _ in Runs._fields))
    starts = np.concatenate(begins)
    end = np.append(starts[1:], variable.size)
    index = data.indexes["example"]
    if not index.is_unique:
        raise ResultError(
            "an example is selected twice, and its spikes are there once", where="example",
            expected="each example once", found=f"{index[index.duplicated()][0]} again",
            hint="Select examples from the answer, not from the result",
        )  # fmt: skip
    position = index.get_indexer(np.concatenate(values)).astype(np.int64)
    order = np.argsort(position, kind="stable")
    order = order[np.searchsorted(position[order], 0) :]
    return Runs(position[order], starts[order], end[order])


def _cuts(counts: NDArray[np.int64], most: int, examples: int) -> Iterator[tuple[int, int]]:
    """Cut the examples where a block would hold too many spikes, or examples."""
    until = np.concatenate(([0], np.cumsum(counts)))
    start = 0
    while start < counts.size:
        stop = int(np.searchsorted(until, until[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), start + examples)
        yield start, stop
        start = stop
