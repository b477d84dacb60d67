"""The result of a simulation as a tree of inputs, spikes and outputs.

`docs/result.md` specifies every variable. The Brian2 targets and the PyTorch mirror both build
their results here, so any analysis reads either.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, Unpack

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError
from bioae.simulation.results.chunk import LayerSpikes
from bioae.simulation.results.root import (
    Root,
    by_repeat,
    cf_attributes,
    presentation_dims,
    root_dataset,
)

# Results have its functions as methods; by name, since a simulation needs none of them.
import_module("bioae.analysis")


#: The nodes of a tree refer to one another, so that only a collection of garbage frees it, which
#: Python begins after a number of new objects. Here one begins after a number of bytes.
_COLLECTED_BYTES = 2**28
_bytes = [0]


def build_result(*, layers: Sequence[LayerSpikes], **root: Unpack[Root]) -> xr.DataTree:
    """Build the tree of a result.

    Parameters
    ----------
    layers
        The layers in order, from the input's side.
    **root
        The contents of the root, see `Root`.

    Returns
    -------
    xarray.DataTree
        The result, with the spikes sorted by example, time and neuron.

    Raises
    ------
    ResultError
        If the parts do not fit together: shapes that differ, a repeated example or layer, a spike
        outside its layer or presentation, a neuron that spikes twice in a step.
    """
    _check_names(layers)
    if _bytes[0] > _COLLECTED_BYTES:
        gc.collect()
        _bytes[0] = 0
    data = root_dataset(**root)
    index, dt_ms, steps = data["example"].to_numpy(), data.attrs["dt_ms"], data.attrs["steps"]
    repeats = root.get("repeats", 1)
    nodes = {
        f"/layers/{layer.name}": layer_dataset(layer, index, dt_ms, steps, repeats)
        for layer in layers
    }
    _bytes[0] += data.nbytes + sum(each.nbytes for each in nodes.values())
    return xr.DataTree.from_dict({"/": data, **nodes})


def layer_dataset(
    layer: LayerSpikes,
    example: NDArray[np.int64],
    dt_ms: float,
    steps: int,
    repeats: int = 1,
    *,
    stored: bool = False,
) -> xr.Dataset:
    """Build the group of a layer: its spikes in order, their counts, its states and coordinates.

    `example` is the coordinate of the result; for other arguments see `Root`. Times that are
    `stored` are steps with a `scale_factor`, which xarray multiplies by. Raises a `ResultError` if
    spikes or states do not fit.
    """
    presentations = example.size * repeats
    layer.check(presentations, steps)
    each = layer.counts.sum(1, np.int64)
    step = np.arange(steps).astype(np.min_scalar_type(steps))
    time = np.tile(step if stored else step * dt_ms, presentations)
    spikes: dict[str, tuple[NDArray[Any], *tuple[str, ...]]] = {
        "example": (
            np.repeat(np.repeat(example, repeats), each), "value of the coordinate `example`"
        ),
        "neuron": (
            layer.neuron.astype(np.int32, copy=False),
            "neuron, from 0, in C order of the layer's shape",
        ),
        "time_ms": (
            np.repeat(time, layer.counts.ravel()),
            "time since the start of the presentation at the layer", "ms",
        ),
    }  # fmt: skip
    if repeats > 1:
        repeat = np.repeat(np.tile(np.arange(repeats, dtype=np.int32), example.size), each)
        spikes["repeat"] = repeat, "value of the coordinate `repeat`"
    dims = (*presentation_dims(repeats), "neuron")
    count = by_repeat(layer.spike_count(), repeats)
    data = xr.Dataset(
        {
            "spike_count": (dims, count, cf_attributes("spikes", "1")),
            **{
                f"spike_{name}": ("spike", values, cf_attributes(*described))
                for name, (values, *described) in spikes.items()
            },
        },
        coords=_neuron_coordinates(layer.shape),
        attrs={"shape": _shape_attribute(layer.shape), "can_fire": int(layer.can_fire)},
    )
    if stored:
        data["spike_time_ms"].attrs["scale_factor"] = dt_ms
    return _with_states(data, layer, (presentations, steps, layer.size), dt_ms, repeats)


def group_of(tree: xr.DataTree, path: str) -> xr.Dataset:
    """Return a group of a result, without inherited coordinates."""
    node = tree[path]
    assert isinstance(node, xr.DataTree)
    return node.to_dataset(inherit=False)


def in_order(data: xr.Dataset, root: xr.Dataset) -> xr.Dataset:
    """Return a group with the spikes of the presentations in a root only, in their order.

    Selecting or reordering examples or repeats leaves the spikes as they were. Raises a
    `ResultError` if the root has lost a dimension of presentations, or has one of them twice.
    """
    names = [name for name in ("example", "repeat") if f"spike_{name}" in data]
    columns = [data[f"spike_{name}"].to_numpy() for name in names]
    new = np.ones(data.sizes.get("spike", 0), bool)
    new[1:] = np.any([column[1:] != column[:-1] for column in columns], 0) if names else False
    first = np.flatnonzero(new)
    position = np.zeros(len(first), np.int64)  # of runs of spikes of one presentation
    for name, column in zip(names, columns, strict=True):
        index = _index(root, name)
        place = index.get_indexer(column[first])
        known = (position >= 0) & (place >= 0)
        position = np.where(known, position * index.size + place, -1)
    if (position >= 0).all() and (position[1:] >= position[:-1]).all():
        return data
    position = np.repeat(position, np.diff(first, append=data.sizes["spike"]))
    order = np.argsort(position, kind="stable")  # times stay in order
    return data.isel(spike=order[position[order] >= 0])


def _index(root: xr.Dataset, name: str) -> pd.Index:
    if name not in root.dims:
        raise ResultError(
            f"the result has no dimension {name!r}", hint=f"Select one with isel({name}=[0])"
        )
    index = root[name].to_index()
    if not index.is_unique:
        raise ResultError(
            "a presentation is repeated", where=name, expected="each number once",
            found=f"{index[index.duplicated()][0]} again",
        )  # fmt: skip
    return index


def _check_names(layers: Sequence[LayerSpikes]) -> None:
    names = sorted(layer.name for layer in layers)
    if not names:
        raise ResultError("there are no layers", expected="at least one")
    for name in names:
        if not name or "/" in name or name in {".", ".."}:
            raise ResultError(
                "a layer's name cannot be that of a group", expected="a word without '/'",
                found=repr(name),
            )  # fmt: skip
    for name, following in pairwise(names):
        if name == following:
            raise ResultError("two layers have the same name", found=repr(name))


def _with_states(
    data: xr.Dataset,
    layer: LayerSpikes,
    shape: tuple[int, int, int],
    dt_ms: float,
    repeats: int,
) -> xr.Dataset:
    for name, (values, units) in layer.states.items():
        if np.shape(values) != shape:
            raise ResultError(
                f"the recorded {name!r} has a wrong shape (example, time, neuron)",
                where=f"layer {layer.name!r}", expected=str(shape), found=str(np.shape(values)),
            )  # fmt: skip
        truth = np.asarray(values).dtype == bool  # netCDF has no Booleans
        stored = by_repeat(np.asarray(values, np.int8) if truth else values, repeats)
        dims = (*presentation_dims(repeats), "time", "neuron")
        data[f"state_{name}"] = (dims, stored, cf_attributes(name, units))
    if layer.states:
        time = ("time", np.arange(shape[1]) * dt_ms, cf_attributes("time since the start", "ms"))
        data = data.assign_coords(time=time)
    return data


def _shape_attribute(shape: tuple[int, ...]) -> int | NDArray[np.int32]:
    # netCDF has no array of one number: it would be read as the number.
    return shape[0] if len(shape) == 1 else np.array(shape, np.int32)


def _neuron_coordinates(shape: tuple[int, ...]) -> dict[str, Any]:
    if len(shape) != 3:
        return {}
    indices = np.indices(shape, dtype=np.int32).reshape(3, -1)
    names = ("channel", "y", "x")
    return {
        name: ("neuron", index, cf_attributes(f"{name} of the neuron"))
        for name, index in zip(names, indices, strict=True)
    }
