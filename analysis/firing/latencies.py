"""Response latency: the time from a presentation's arrival at a layer to a first spike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import along
from bioae.analysis.results.layers import described, layer_data, steps
from bioae.analysis.results.spikes import blocks

__all__ = ["first_spike_latency", "first_spikes"]

# Numbers in a block of responses.
_ENTRIES = 2**22


def first_spike_latency(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """First-spike latency of each neuron, median over the examples it responds to, (neuron,) in ms.

    Time is that of the layer's own window: a spike in the first step that the presentation can
    reach has the latency 0. At depth d, from 0, add d steps for the time since the presentation's
    start. NaN for neurons that never spike.
    """
    number = steps(tree)
    data = layer_data(tree, layer)
    neurons = data.sizes["neuron"]
    counts = np.zeros(neurons * (number + 1), np.int64)
    for _, first in first_spikes(tree, layer):
        place = first + np.arange(neurons) * (number + 1)
        counts += np.bincount(place.ravel(), minlength=counts.size)
    # Neurons without a spike in an example are in the last column.
    upto = counts.reshape(neurons, number + 1)[:, :-1].cumsum(1)
    responses = upto[:, -1] if number else np.zeros(neurons, np.int64)
    # The middle response, or the two in the middle: the first step with more responses than before.
    middle = [(upto <= place[:, None]).sum(1) for place in ((responses - 1) // 2, responses // 2)]
    latency = np.where(responses > 0, sum(middle) / 2, np.nan) * float(tree.attrs["dt_ms"])
    return described(
        along(data, latency, "neuron"), "first_spike_latency", "first-spike latency", "ms"
    )


def first_spikes(
    tree: xr.DataTree, layer: str, width: int = 1
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Read the bin of the first spike of each neuron in each example, by blocks of examples.

    Parameters
    ----------
    width
        The steps of a bin.

    Yields
    ------
    tuple
        The position of the block's first example, and the bins (example, neuron); the number of
        bins where there is no spike.
    """
    never = -(-steps(tree) // width)
    for block in blocks(tree, layer):
        rows = max(1, _ENTRIES // max(1, block.neurons))
        for start in range(0, block.examples, rows):
            stop = min(start + rows, block.examples)
            chosen = slice(*np.searchsorted(block.position, (start, stop)))
            first = np.full((stop - start, block.neurons), never)
            # In reverse, so that the first of several spikes is written last.
            place = block.position[chosen][::-1] - start, block.neuron[chosen][::-1]
            first[place] = block.step[chosen][::-1] // width
            yield block.start + start, first
