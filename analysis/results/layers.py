"""Access to the layers of a result, its timing and its images."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np
import xarray as xr

from bioae.checks import instance
from bioae.errors import ResultError
from bioae.simulation.results.root import check_tree

__all__ = [
    "CAN_FIRE",
    "REPEAT",
    "Dims",
    "averaged",
    "check_dims",
    "check_fires",
    "chosen_layers",
    "described",
    "duration_s",
    "firing_layers",
    "first_example",
    "has_repeats",
    "images_of",
    "layer_data",
    "layer_names",
    "layers_of",
    "neurons_of",
    "readout_layers",
    "readout_note",
    "root_of",
    "steps",
    "still_images_of",
    "structured",
]

#: The dimension, and the coordinate, of several presentations of one example.
REPEAT = "repeat"
#: The attribute of a layer that is 0 if its neurons have no threshold; older files have none.
CAN_FIRE = "can_fire"

Dims = str | Collection[Hashable]


def root_of(tree: xr.DataTree) -> xr.DataTree:
    """Return a result as it is; refuse everything else.

    Raises
    ------
    ResultError
        If it is not a result, has lost the dimension of its examples, or has repeats of them.
    """
    tree = structured(tree)
    if has_repeats(tree):
        raise ResultError(
            "the result has several repeats of each example",
            where=REPEAT,
            expected="a result in which each presentation is an example",
            hint="Call bioae.analysis.presentations(result) first, and select repeats afterwards",
        )
    return tree


def neurons_of(tree: xr.DataTree) -> str:
    """Return the text of the neuron models, and the parameters of layers that differ from it."""
    text = str(tree.attrs["neuron_model"]).strip()
    own = str(tree.attrs.get("parameters", ""))
    return f"{text}\n\n# Parameters of the network's layers: {own}" if own else text


def has_repeats(tree: xr.DataTree) -> bool:
    """Return whether a result has the dimension `repeat`, or had it before a selection."""
    layers = tree.children["layers"].children.values()
    return any("spike_repeat" in layer.variables for layer in layers)


def structured(tree: xr.DataTree) -> xr.DataTree:
    """Return a result, also one with repeats, as it is; refuse everything else.

    Raises
    ------
    ResultError
        If it is not a result, or has lost the dimension of its examples.
    """
    instance(tree, "the result", xr.DataTree, error=ResultError)
    check_tree(tree, "steps", "dt_ms")
    if "example" not in tree.dims:
        raise ResultError(
            "the result has no dimension 'example'",
            expected="a result with its examples, even if there is one",
            hint="Select one with isel(example=[0]), and average the answer, not the result",
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


def firing_layers(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers that can fire, from the input's side.

    A layer whose neurons have no threshold, such as a read-out whose potential the decoder reads,
    never fires, and statistics of firing leave it out. Files from before bioae 0.3 do not tell
    it from a silent layer: all their layers are in the list.

    Raises
    ------
    ResultError
        If it is not a result.
    """
    left_out = readout_layers(tree)
    return [name for name in layer_names(tree) if name not in left_out]


def readout_layers(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers that cannot fire, whose potential is read."""
    layers = root_of(tree).children["layers"].children
    return [name for name, layer in layers.items() if not layer.attrs.get(CAN_FIRE, True)]


def readout_note(layers: Sequence[str]) -> str:
    """Return the sentence on layers that cannot fire, for readers of tables without them."""
    *others, last = layers
    if not others:
        return f"{last} does not fire: its potential is read."
    return f"{', '.join(others)} and {last} do not fire: their potential is read."


def check_fires(tree: xr.DataTree, layer: str) -> None:
    """Reject a layer that cannot fire.

    Raises
    ------
    ResultError
        If the neurons of the layer have no threshold, or the result has no such layer.
    """
    layer_data(tree, layer)
    if layer in readout_layers(tree):
        raise ResultError(
            f"layer {layer!r} does not fire: its neurons have no threshold",
            expected=" or ".join(map(repr, firing_layers(tree))) or None,
            hint="Its potential is read: record it with bioae simulate --record",
        )


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
                hint="Select from the answer, not from the result",
            )
    return data


def chosen_layers(tree: xr.DataTree, layers: Sequence[str] | None) -> list[str]:
    """Return the names of some layers, by default of all that can fire.

    Raises
    ------
    ResultError
        If `layers` is not a list of names, or there is none.
    """
    if layers is not None:
        instance(layers, "layers", (list, tuple), error=ResultError)
    names = firing_layers(tree) if layers is None else list(layers)
    if not names:
        raise ResultError("there is no layer", where="layers", expected="one that can fire")
    return names


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
    """Reject dimensions that an array does not have, and repeated ones.

    Raises
    ------
    ResultError
        If one of `dims` is not a dimension of the array, or is named twice.
    """
    instance(array, "the array", xr.DataArray, error=ResultError)
    instance(dims, "dims", (str, Collection), error=ResultError)
    named = [dims] if isinstance(dims, str) else dims
    known = all(name in array.dims for name in named)
    if not known or len(set(named)) < len(named):
        raise ResultError(
            "a dimension is named twice" if known else "there is no such dimension",
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


def still_images_of(tree: xr.DataTree, what: str) -> xr.DataArray:
    """Return the input images, (example, [channel,] y, x); refuse input that varies in time.

    Parameters
    ----------
    what
        The measure that needs them, for the message.

    Raises
    ------
    ResultError
        If the input varies in time, or there are no input images.
    """
    images = images_of(tree, "input")
    if "time" in images.dims:
        raise ResultError(
            f"the input varies in time: {what} is one of images",
            where="input",
            expected="(example, y, x) or (example, channel, y, x)",
            found=str(images.dims),
        )
    return images


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
