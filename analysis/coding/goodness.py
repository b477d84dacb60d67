"""Goodness of a layer: the measure of activity by which contrastive rules tell true from false."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.results.layers import described, root_of
from bioae.analysis.results.spikes import blocks, trains
from bioae.checks import number

__all__ = ["goodness"]


def goodness(tree: xr.DataTree, layer: str, *, tau_ms: float = 13.0) -> xr.DataArray:
    """Goodness of a layer in each example, (example,): the sum of its neurons' squared traces.

    A trace is 1 after a spike, loses a part dt/tau in each step, and is 0 at the start. The result
    is the mean over the steps of a presentation.

    Parameters
    ----------
    tau_ms
        Time constant of the traces.

    Raises
    ------
    ResultError
        If the result has no such layer.
    InputError
        If the time constant is not above the time step.

    References
    ----------
    Ororbia (2024), Science Advances 10, eadn6076 (arXiv:2303.18187).
    """
    root = root_of(tree)
    dt, steps = float(root.attrs["dt_ms"]), int(root.attrs["steps"])
    kept = (1 - dt / number(tau_ms, "tau_ms", above=dt)) ** 2
    sums = np.zeros(root.sizes["example"])
    for block in blocks(tree, layer):
        bounds, position, step = trains(block)
        neuron = np.repeat(np.arange(block.neurons), np.diff(bounds))
        # A trace lasts until the neuron's next spike, or the end of the presentation.
        lasts = steps - step
        again = (position[1:] == position[:-1]) & (neuron[1:] == neuron[:-1])
        lasts[:-1] = np.where(again, np.diff(step), lasts[:-1])
        squares = (1 - kept**lasts) / (1 - kept)
        here = slice(block.start, block.start + block.examples)
        sums[here] = np.bincount(position, squares, minlength=block.examples)
    example = root["example"].to_numpy()
    values = xr.DataArray(sums / steps, dims="example", coords={"example": example})
    return described(values, "goodness", "goodness of the layer", "1")
