"""How fast neurons fire for each class of images."""

from __future__ import annotations

import xarray as xr

from bioae.analysis.coding.class_sums import class_sums
from bioae.analysis.results.arrays import along, classes
from bioae.analysis.results.layers import described, duration_s, layer_data

__all__ = ["rates_by_class"]


def rates_by_class(tree: xr.DataTree, layer: str) -> xr.DataArray:
    """Return the mean rate of each neuron over the examples of each class, (class, neuron) in Hz.

    Raises
    ------
    ResultError
        If the result has no labels, or no such layer.
    """
    names, _ = classes(tree)
    sums = class_sums(tree, layer)
    rate = sums.total / (sums.sizes[:, None] * duration_s(tree))
    found = along(layer_data(tree, layer), rate, "class", "neuron")
    found = found.assign_coords({"class": ("class", names, {"long_name": "class"})})
    return described(found, "rates_by_class", "firing rate by class", "Hz")
