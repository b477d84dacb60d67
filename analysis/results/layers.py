"""Access to the layers of a result, its timing and its images."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np
import xarray as xr

from bioae.checks import instance
from bioae.errors import ResultError

__all__ = [
    "Dims",
    "averaged",
    "check_dims",
    "chosen_layers",
    "described",
    "duration_s",
    "first_example",
    "images_of",
    "layer_data",
    "layer_names",
    "layers_of",
    "root_of",
    "steps",
]

Dims = str | Collection[Hashable]


def root_of(tree: xr.DataTree) -> xr.DataTree:
    """Return a result as it is; refuse everything else.

    Raises
    ------
    ResultError
        If it is not a result, or has lost the dimension of its examples.
    """
    instance(tree, "the result", xr.DataTree, error=ResultError)
    if "layers" not in tree.children or not {"steps", "dt_ms"} <= tree.attrs.keys():
        raise ResultError(
            "this is not the result of a simulation",
            expected="the xarray.DataTree of bioae.simulate or open_result",
            found=type(tree).__name__,
        )
    if "example" not in tree.dims:
        raise ResultError(
            "the result has no dimension 'example'",
            expected="a result with its examples, even if there is one",
            mend="Select one with isel(example=[0]), and average the answer, not the result",
        )
    return tree


def layer_names(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers, from the input's side.

    Raises
    ------
    ResultError
        If it is not a result.
    """
    return list(root_of(tree).children["layers"].children)


def layer_data(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the variables of one layer, with the coordinate `example`.

    Raises
    ------
    ResultError
        If the result has no such layer, or the layer has lost a dimension.
    """
    names = layer_names(tree)
    instance(layer, "the layer", str, error=ResultError)
    if layer not in names:
        raise ResultError(
            "there is no such layer", expected=" or ".join(map(repr, names)), found=repr(layer)
        )
    data = tree["layers"].children[layer].to_dataset()
    for variable, dimension in (("spike_count", "neuron"), ("spike_time_ms", "spike")):
        if variable in data and dimension not in data[variable].dims:
            raise ResultError(
                f"layer {layer!r} has no dimension {dimension!r}",
                expected="a result with all its neurons and spikes",
                mend="Select from the answer, not from the result",
            )
    return data


def chosen_layers(tree: xr.DataTree, layers: Sequence[str] | None) -> list[str]:
    """Return the names of some layers, all by default.

    Raises
    ------
    ResultError
        If `layers` is not a list of names.
    """
    if layers is None:
        return layer_names(tree)
    instance(layers, "layers", (list, tuple), error=ResultError)
    return list(layers)


def layers_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the variables of all layers by name, from the input's side."""
    return {name: layer_data(tree, name) for name in layer_names(tree)}


def averaged(array: xr.DataArray, dims: Dims) -> xr.DataArray:
    """Return the mean over some dimensions, NaN of nothing.

    Raises
    ------
    ResultError
        If the array has no such dimension.
    """
    check_dims(array, dims)
    with np.errstate(invalid="ignore"):
        return array.mean(dims)


def check_dims(array: xr.DataArray, dims: Dims) -> None:
    """Refuse dimensions that an array does not have.

    Raises
    ------
    ResultError
        If one of `dims` is not a dimension of the array.
    """
    instance(array, "the array", xr.DataArray, error=ResultError)
    instance(dims, "dims", (str, Collection), error=ResultError)
    named = [dims] if isinstance(dims, str) else dims
    if not all(name in array.dims for name in named):
        raise ResultError(
            "there is no such dimension",
            where="dims",
            expected=f"some of {', '.join(map(str, array.dims))}",
            found=repr(dims),
        )


def steps(tree: xr.DataTree) -> int:
    """Return the number of steps of a presentation."""
    return int(root_of(tree).attrs["steps"])


def duration_s(tree: xr.DataTree) -> float:
    """Return the length of a presentation in seconds."""
    return steps(tree) * float(tree.attrs["dt_ms"]) / 1000


def first_example(tree: xr.DataTree) -> int:
    """Return the number of the first example.

    Raises
    ------
    ResultError
        If there is none.
    """
    known = root_of(tree)["example"].to_numpy()
    if not known.size:
        raise ResultError("there are no examples", expected="at least one")
    return int(known[0])


def images_of(tree: xr.DataTree, name: str) -> xr.DataArray:
    """Return the images ``"input"`` or ``"reconstruction"``, (example, [channel,] y, x).

    Raises
    ------
    ResultError
        If the network does not reconstruct images.
    """
    root = root_of(tree).to_dataset()
    if name not in root:
        raise ResultError(
            f"the result has no {name}",
            where="task",
            expected="reconstruction",
            found=str(tree.attrs.get("task")),
        )
    return root[name]


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
