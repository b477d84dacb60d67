"""Spikes as integers: read by blocks of whole examples, or laid out as a raster.

Time is a grid of steps, so a spike is three integers, and most of what can be asked of trains is
counting. A block bounds the memory however many spikes there are, and reads no more than it holds
when the result is still on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import described, layer_data, steps
from bioae.analysis.results.spike_runs import Runs, find_run, find_runs, read_runs
from bioae.errors import ResultError

__all__ = ["BLOCK", "Spikes", "Trains", "blocks", "raster", "spike_keys", "trains"]

BLOCK = 4_000_000


class Spikes(NamedTuple):
    """The spikes of some consecutive examples, sorted by example, time and neuron.

    Attributes
    ----------
    start, examples
        The position along `example` of the first example of the block, and how many there are.
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

    Attributes
    ----------
    bounds
        (neuron + 1,) Those of neuron n are at ``bounds[n]:bounds[n + 1]``.
    position, step
        (spike,) As in `Spikes`.
    """

    bounds: NDArray[np.int64]
    position: NDArray[np.int64]
    step: NDArray[np.int64]


def blocks(tree: xr.DataTree, layer: str, *, spikes: int = BLOCK) -> Iterator[Spikes]:
    """Read a layer's spikes by blocks of whole examples, in their order.

    Every example is in exactly one block, also one without spikes. Spikes of examples that were
    not selected, after ``tree.isel(example=...)``, are left out. Nothing but a block is held in
    memory if the variables are not: they may be those of `xarray.open_datatree`, or dask's.

    Parameters
    ----------
    spikes
        How many a block holds at most, and how many steps of examples. A block of one example may
        hold more.

    Yields
    ------
    Spikes

    Raises
    ------
    ResultError
        If there is no such layer.
    """
    data = layer_data(tree, layer)
    runs = find_runs(data, spikes)
    examples = data.sizes["example"]
    counts = np.zeros(examples, np.int64)
    np.add.at(counts, runs.position, runs.end - runs.begin)
    for start, stop in _cuts(counts, spikes, max(1, spikes // steps(tree))):
        chosen = slice(*np.searchsorted(runs.position, (start, stop)))
        part = Runs(*(column[chosen] for column in runs))
        neuron, time = (read_runs(data[name], part) for name in ("spike_neuron", "spike_time_ms"))
        step = _steps_of(tree, time)
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
    return Trains(bounds, position.astype(np.int64), step.astype(np.int64))


def spike_keys(block: Spikes) -> tuple[NDArray[np.signedinteger[Any]], int]:
    """Return one number a spike, sorted, that orders a block's spikes by neuron, example and time.

    It is (neuron * examples + position) * stride + step. The stride, the second value, is so long
    that two spikes of one train are less than `steps` apart, and those of two trains are not.
    """
    stride = 2 * block.steps - 1
    # NumPy sorts narrow integers twice as fast.
    narrow = block.neurons * block.examples * stride < 2**31
    dtype: type[np.signedinteger[Any]] = np.int32 if narrow else np.int64
    keys: NDArray[np.signedinteger[Any]] = block.neuron.astype(dtype)
    for factor, added in ((block.examples, block.position), (stride, block.step)):
        keys *= factor
        keys += added.astype(dtype)
    keys.sort()
    return keys, stride


def raster(
    tree: xr.DataTree, layer: str, *, example: int | None = None, neuron: int | None = None
) -> xr.DataArray:
    """Return who spikes when, in one presentation or of one neuron, as bool.

    Parameters
    ----------
    example
        The presentation, by its value of the coordinate `example`: the raster is
        (neuron, time).
    neuron
        The neuron, by its index: the raster is (example, time).

    Returns
    -------
    xarray.DataArray
        bool, with the coordinate `time` in milliseconds.

    Raises
    ------
    ResultError
        If not exactly one of the two is given, or the result does not have it.
    """
    if (example is None) == (neuron is None):
        raise ResultError("a raster is of one example or of one neuron", expected="one of the two")
    if example is not None:
        return _with_time(tree, _of_example(tree, layer, example), "neuron")
    return _with_time(tree, _of_neuron(tree, layer, int(neuron or 0)), "example")


def _of_example(tree: xr.DataTree, layer: str, example: int) -> xr.DataArray:
    data = layer_data(tree, layer)
    if example not in data.indexes["example"]:
        raise ResultError("there is no such example", where=layer, found=str(example))
    run = find_run(data, example)
    neuron, time = (read_runs(data[name], run) for name in ("spike_neuron", "spike_time_ms"))
    dense = np.zeros((data.sizes["neuron"], steps(tree)), bool)
    dense[neuron, _steps_of(tree, time)] = True
    like = data["spike_count"].sel(example=example)
    return xr.DataArray(dense, coords=like.coords, dims=("neuron", "time"))


def _of_neuron(tree: xr.DataTree, layer: str, neuron: int) -> xr.DataArray:
    data = layer_data(tree, layer)
    if not 0 <= neuron < data.sizes["neuron"]:
        expected = f"0 to {data.sizes['neuron'] - 1}"
        raise ResultError(
            "there is no such neuron", where=layer, expected=expected, found=str(neuron)
        )
    dense = np.zeros((data.sizes["example"], steps(tree)), bool)
    for block in blocks(tree, layer):
        own = block.neuron == neuron
        dense[block.start + block.position[own], block.step[own]] = True
    like = data["spike_count"].isel(neuron=neuron)
    return xr.DataArray(dense, coords=like.coords, dims=("example", "time"))


def _with_time(tree: xr.DataTree, dense: xr.DataArray, dim: str) -> xr.DataArray:
    time = np.arange(dense.sizes["time"]) * float(tree.attrs["dt_ms"])
    attrs = {"long_name": "time", "units": "ms"}
    dense = dense.assign_coords(time=("time", time, attrs))
    return described(dense.transpose(dim, "time"), "raster", "spikes")


def _cuts(counts: NDArray[np.int64], most: int, examples: int) -> Iterator[tuple[int, int]]:
    """Cut the examples where a block would hold too many spikes, or examples."""
    until = np.concatenate(([0], np.cumsum(counts)))
    start = 0
    while start < counts.size:
        stop = int(np.searchsorted(until, until[start] + most, side="right")) - 1
        stop = min(max(stop, start + 1), start + examples)
        yield start, stop
        start = stop


def _steps_of(tree: xr.DataTree, time_ms: NDArray[Any]) -> NDArray[np.int64]:
    step = time_ms / float(tree.attrs["dt_ms"])
    return np.rint(step, out=step).astype(np.int64)
