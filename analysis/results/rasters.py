"""Rasters: spikes as bool arrays over time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import described
from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.analysis.results.spikes import blocks
from bioae.checks import whole
from bioae.errors import ResultError

# Places of a raster that are held at a time.
_PLACES = 2**23


@of_layer
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
    data, name, dims = layer_data(tree, layer), "example", ("neuron", "time")
    if example is None:
        name, dims = "neuron", ("example", "time")
    index = whole(neuron if example is None else example, name, least=-(2**63), error=ResultError)
    known = data.indexes["example"] if example is not None else range(data.sizes["neuron"])
    if index not in known:
        expected = None if example is not None else f"0 to {len(known) - 1}"
        message = f"there is no such {name}"
        raise ResultError(message, where=layer, expected=expected, found=str(index))
    dense = np.zeros((data.sizes[dims[0]], steps(tree)), bool)
    if example is not None:
        like = data["spike_count"].sel(example=index)
        for block in blocks(tree.sel(example=[index]), layer):
            dense[block.neuron, block.step] = True
    else:
        like = data["spike_count"].isel(neuron=index)
        for block in blocks(tree, layer):
            own = block.neuron == index
            dense[block.start + block.position[own], block.step[own]] = True
    attrs = {"long_name": "time", "units": "ms"}
    time = np.arange(steps(tree)) * float(tree.attrs["dt_ms"])
    array = xr.DataArray(dense, coords=like.coords, dims=dims)
    return described(array.assign_coords(time=("time", time, attrs)), "raster", "spikes")


def rasters(
    tree: xr.DataTree, layer: str, chosen: NDArray[np.int64]
) -> Iterator[NDArray[np.bool_]]:
    """Yield rasters of some neurons, (chosen, example, step), with the examples in their order.

    A raster holds fewer than 2**24 places, or a single example.

    `chosen`: neurons, by index, each once.
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
