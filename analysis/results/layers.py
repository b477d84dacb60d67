"""Access to the layers of a result, its timing and its images."""

from __future__ import annotations

from collections.abc import Collection, Hashable

import xarray as xr

from bioae.errors import ResultError

__all__ = [
    "Dims",
    "described",
    "duration_s",
    "images_of",
    "layer_data",
    "layer_names",
    "layers_of",
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


def layers_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the variables of all layers by name, from the input's side."""
    return {name: layer_data(tree, name) for name in layer_names(tree)}


def steps(tree: xr.DataTree) -> int:
    """Return the number of steps of a presentation."""
    return int(tree.attrs["steps"])


def duration_s(tree: xr.DataTree) -> float:
    """Return the length of a presentation in seconds."""
    return steps(tree) * float(tree.attrs["dt_ms"]) / 1000


def images_of(tree: xr.DataTree, name: str) -> xr.DataArray:
    """Return the images ``"input"`` or ``"reconstruction"``, (example, [channel,] y, x)."""
    return tree.to_dataset()[name]


def described(
    array: xr.DataArray, name: str, long_name: str, units: str | None = None
) -> xr.DataArray:
    """Name an array, and set its long name and unit."""
    attrs = {"long_name": long_name} if units is None else {"long_name": long_name, "units": units}
    # `drop_attrs` and `rename` copy the numbers, which may be as many as a result has.
    labelled = array.copy(deep=False)
    labelled.attrs = attrs
    labelled.name = name
    return labelled
