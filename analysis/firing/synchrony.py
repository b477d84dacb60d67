"""How far the neurons of a layer spike together."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import along, ratio, runs, whole_steps
from bioae.analysis.results.layers import described, layer_data, steps
from bioae.analysis.results.spikes import Spikes, blocks, trains

__all__ = ["synchrony"]


def synchrony(tree: xr.DataTree, layer: str, *, bin_ms: float | None = None) -> xr.DataArray:
    """Return the synchrony χ of each presentation, (example,).

    χ² is the variance over time of the mean signal of all neurons, over the mean of the variances
    of theirs: χ is 1 if all are the same, 1/√n for n that are independent, 0 if they cancel out.
    Golomb & Rinzel (1993), Phys. Rev. E 48:4810; Golomb (2007), Scholarpedia 2(1):1347. Their
    signal is the membrane potential; here it is the spikes in a bin. A silent neuron has no
    variance, yet counts among the n.

    Parameters
    ----------
    bin_ms
        The length of a bin, a whole number of steps; a step by default. Steps that fill no bin are
        left out.

    Returns
    -------
    xarray.DataArray
        NaN for a presentation in which every neuron does the same in all bins, such as nothing.

    Raises
    ------
    ResultError
        If the bin is no whole number of steps, or longer than a presentation.
    """
    data = layer_data(tree, layer)
    width = 1 if bin_ms is None else whole_steps(tree, "bin_ms", bin_ms)
    squared = np.full(data.sizes["example"], np.nan)
    for block in blocks(tree, layer):
        together, alone = _variances(block, width, steps(tree) // width)
        # The mean of n signals has 1/n² of the variance of their sum.
        squared[block.start : block.start + block.examples] = ratio(
            together, data.sizes["neuron"] * alone
        )
    array = along(data, np.sqrt(squared), "example")
    return described(array, "synchrony", "synchrony χ", "1")


def _variances(block: Spikes, width: int, bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return bins² times the variance of the summed signal, and of each, summed, (example,)."""
    bounds, position, step = trains(block)
    neuron = np.repeat(np.arange(block.neurons), np.diff(bounds))
    kept = step // width < bins
    position, neuron, bin_ = position[kept], neuron[kept], (step // width)[kept]
    place = position * bins + bin_
    summed = np.bincount(place, minlength=block.examples * bins).reshape(block.examples, bins)
    together = bins * (summed**2).sum(1) - summed.sum(1) ** 2
    at, in_bin = runs(place, neuron)
    of, in_all = runs(position, neuron)
    alone = bins * _summed(at // bins, in_bin**2, block) - _summed(of, in_all**2, block)
    return together, alone


def _summed(
    position: NDArray[np.int64], values: NDArray[np.int64], block: Spikes
) -> NDArray[np.int64]:
    total = np.zeros(block.examples, np.int64)
    np.add.at(total, position, values)
    return total
