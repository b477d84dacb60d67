"""Goodness of a layer: the measure of activity by which contrastive rules tell true from false."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bioae.analysis.results.layers import described, layer_data, root_of
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
    data, root = layer_data(tree, layer), root_of(tree)
    dt, steps = float(root.attrs["dt_ms"]), int(root.attrs["steps"])
    kept = (1 - dt / number(tau_ms, "tau_ms", above=dt)) ** 2
    example, neuron, step = (data[f"spike_{name}"].to_numpy() for name in _COLUMNS)
    step = np.rint(step / dt).astype(np.int64)
    order = np.lexsort((step, neuron, example))
    example, neuron, step = example[order], neuron[order], step[order]
    # A trace lasts until the neuron's next spike, or the end of the presentation.
    lasts = steps - step
    again = (example[1:] == example[:-1]) & (neuron[1:] == neuron[:-1])
    lasts[:-1] = np.where(again, np.diff(step), lasts[:-1])
    squares = (1 - kept**lasts) / (1 - kept)
    examples = root.sizes["example"]
    sums = np.bincount(example, squares, minlength=examples)[:examples] / steps
    values = xr.DataArray(sums, dims="example", coords={"example": root["example"].to_numpy()})
    return described(values, "goodness", "goodness of the layer")


_COLUMNS = ("example", "neuron", "time_ms")
