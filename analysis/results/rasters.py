"""Rasters: spikes as bool arrays over time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import described
from bioae.analysis.results.layers import layer_data, of_result, steps
from bioae.analysis.results.spikes import blocks, find_run, read_runs, steps_of
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["raster", "rasters"]

# Places of a raster that are held at a time.
_PLACES = 2**23


@of_result
def raster(
    tree: xr.DataTree, layer: str, *, example: int | None = None, neuron: int | None = None
) -> xr.DataArray:
    """Return the spikes of one presentation, or of one neuron, as a bool array over time.

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
    """
    if (example is None) == (neuron is None):
        raise ResultError("a raster is of one example or of one neuron", expected="one of the two")
    if example is not None:
        example = whole(example, "example", least=-(2**63), error=ResultError)
        return _with_time(tree, _of_example(tree, layer, example), "neuron")
    neuron = whole(neuron, "neuron", least=-(2**63), error=ResultError)
    return _with_time(tree, _of_neuron(tree, layer, neuron), "example")


def rasters(
    tree: xr.DataTree, layer: str, chosen: NDArray[np.int64]
) -> Iterator[NDArray[np.bool_]]:
    """Yield rasters of some neurons, (chosen, example, step), with the examples in their order.

    A raster holds fewer than 2**24 places, or a single example.

    Parameters
    ----------
    chosen
        Neurons, by index, each once.
    """
    length = steps(tree)
    row = np.full(layer_data(tree, layer).sizes["neuron"], -1)
    row[chosen] = np.arange(chosen.size)
    size = max(1, _PLACES // max(1, chosen.size * length))
    for block in blocks(tree, layer):
        index = row[block.neuron]
        own = index >= 0
        index, position, step = index[own], block.position[own], block.step[own]
        for begin in range(0, block.examples, size):
            part = slice(*np.searchsorted(position, (begin, begin + size)))
            examples = min(size, block.examples - begin)
            raster = np.zeros((chosen.size, examples, length), bool)
            raster[index[part], position[part] - begin, step[part]] = True
            yield raster


def _of_example(tree: xr.DataTree, layer: str, example: int) -> xr.DataArray:
    data = layer_data(tree, layer)
    if example not in data.indexes["example"]:
        raise ResultError("there is no such example", where=layer, found=str(example))
    run = find_run(data, example)
    neuron, time = (read_runs(data[name], run) for name in ("spike_neuron", "spike_time_ms"))
    dense = np.zeros((data.sizes["neuron"], steps(tree)), bool)
    dense[neuron, steps_of(tree, time)] = True
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
