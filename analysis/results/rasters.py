"""Rasters of some neurons, of some presentations at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import layer_data, steps
from bioae.analysis.results.spikes import blocks

__all__ = ["rasters"]

# Places of a raster.
_PLACES = 2**23


def rasters(
    tree: xr.DataTree, layer: str, chosen: NDArray[np.int64]
) -> Iterator[NDArray[np.bool_]]:
    """Yield who spikes when, (chosen, example, step), of the examples in their order.

    A raster holds fewer than 2**24 places unless those of a single example are more.

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
