"""Reaching the layers of a result, and their spikes as integers."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError

__all__ = [
    "Dims",
    "described",
    "duration_s",
    "images_of",
    "layer_data",
    "layer_names",
    "spike_position",
    "spike_step",
    "steps",
]

Dims = str | Collection[Hashable]


def layer_names(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers, from the input's side."""
    return list(tree["layers"].children)


def layer_data(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the variables of one layer, with the coordinate `example`.

    Raises
    ------
    ResultError
        If the result has no such layer.
    """
    names = layer_names(tree)
    if layer not in names:
        raise ResultError(
            "there is no such layer", expected=" or ".join(map(repr, names)), found=repr(layer)
        )
    return tree["layers"].children[layer].to_dataset()


def steps(tree: xr.DataTree) -> int:
    """Return the number of steps of a presentation."""
    return int(tree.attrs["steps"])


def duration_s(tree: xr.DataTree) -> float:
    """Return the length of a presentation in seconds."""
    return steps(tree) * float(tree.attrs["dt_ms"]) / 1000


def spike_position(data: xr.Dataset, like: xr.DataArray | None = None) -> NDArray[np.intp]:
    """Return the position of each spike's example along `example`, (spike,).

    Parameters
    ----------
    data
        One layer, as from `layer_data`.
    like
        (example,) The examples to number by; by default those of `data`.
    """
    examples = data["example"] if like is None else like
    order = examples.to_index()
    position: NDArray[np.intp] = order.get_indexer(data["spike_example"].to_numpy())
    return position


def spike_step(tree: xr.DataTree, data: xr.Dataset) -> NDArray[np.int64]:
    """Return the step of each spike within its presentation, (spike,)."""
    times: NDArray[Any] = data["spike_time_ms"].to_numpy()
    return np.rint(times / float(tree.attrs["dt_ms"])).astype(np.int64)


def images_of(tree: xr.DataTree, name: str) -> xr.DataArray:
    """Return the images ``"input"`` or ``"reconstruction"``, (example, [channel,] y, x)."""
    return tree.to_dataset()[name]


def described(
    array: xr.DataArray, name: str, long_name: str, units: str | None = None
) -> xr.DataArray:
    """Name an array, and say in its attributes what it is and in which unit."""
    attrs = {"long_name": long_name} if units is None else {"long_name": long_name, "units": units}
    # `drop_attrs` and `rename` copy the numbers, which may be as many as a result has.
    found = array.copy(deep=False)
    found.attrs = attrs
    found.name = name
    return found
