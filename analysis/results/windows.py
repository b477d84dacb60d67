"""A part of each presentation, as a result."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bioae.analysis.results.arrays import whole_steps
from bioae.analysis.results.layers import check_complete, steps, structured
from bioae.errors import ResultError
from bioae.simulation.results.root import check_shape
from bioae.simulation.results.tree import group_of, in_order


def time_slice(
    tree: xr.DataTree | Path | str, start_ms: float = 0.0, stop_ms: float | None = None
) -> xr.DataTree:
    """Return a part of each presentation as a result, such as one without the onset.

    Spikes, their counts and recorded states are those from `start_ms` on and before `stop_ms`,
    with times since `start_ms`. Signals, and outputs and targets at each step (of the task
    ``"sequence"``), are cut too. Images, and outputs of other tasks, are those of the whole
    presentation. Each layer is cut in its own window, as its times are (`docs/result.md`).

    Parameters
    ----------
    start_ms, stop_ms
        Times since the start of the presentation, multiples of the step; by default its start and
        its end.

    Returns
    -------
    xarray.DataTree
        The result, with or without repeats, in memory. Its attribute ``start_ms`` is the time in
        the whole presentation at which it begins, and ``recorded_sha256`` tells parts of one
        recording from others.

    Raises
    ------
    ResultError
        If neurons are missing, or the times are not those of steps of a presentation, in order.
    """
    tree = structured(tree)
    dt_ms, length = float(tree.attrs["dt_ms"]), steps(tree)
    times = {"start_ms": start_ms, "stop_ms": length * dt_ms if stop_ms is None else stop_ms}
    begin, end = (whole_steps(tree, name, ms, least=0) for name, ms in times.items())
    if begin >= end:
        raise ResultError(
            "the window is empty", where="stop_ms", expected=f"more than {start_ms:.12g} ms",
            found=f"{times['stop_ms']:.12g} ms",
        )  # fmt: skip
    root = tree.to_dataset(inherit=False)
    attrs = {**root.attrs, "steps": end - begin}
    if end - begin < length:
        attrs["start_ms"] = float(root.attrs.get("start_ms", 0.0)) + begin * dt_ms
    if "network_sha256" not in attrs:  # the neurons of parts of a recording are the same
        attrs.setdefault("recorded_sha256", _hash(tree))
    nodes = {"/": root.isel(time=slice(begin, end), missing_dims="ignore").assign_attrs(attrs)}
    for name in tree["layers"].children:
        data = group_of(tree, f"layers/{name}")
        check_complete(data, name)
        check_shape(data, f"layer {name!r}")
        if data.sizes.get("time", length) != length:
            raise ResultError(
                "states were selected along time", where=f"layer {name!r}",
                expected=f"{length} times", found=str(data.sizes["time"]),
                hint="Call time_slice first, and select from its result",
            )  # fmt: skip
        nodes[f"/layers/{name}"] = _cut(in_order(data, root), root, begin, end, dt_ms)
    return xr.DataTree.from_dict(nodes).load()


def _cut(data: xr.Dataset, root: xr.Dataset, begin: int, end: int, dt_ms: float) -> xr.Dataset:
    """Return a layer from one step to another, with times since the first."""
    step = np.rint(data["spike_time_ms"].to_numpy() / dt_ms).astype(np.int64)
    inside = (step >= begin) & (step < end)
    cut = data.isel(spike=inside)
    if "time" in data.dims:
        time = data["time"].isel(time=slice(end - begin))  # values at its own steps
        cut = cut.isel(time=slice(begin, end)).assign_coords(time=time)
    shifted = cut["spike_time_ms"].copy(data=(step[inside] - begin) * dt_ms).drop_encoding()
    return cut.assign(spike_time_ms=shifted, spike_count=_counted(cut, root))


def _hash(tree: xr.DataTree) -> str:
    """Return a number of the spikes of all layers, as text."""
    hashed = hashlib.sha256()
    for layer in tree["layers"].children.values():
        for name in ("spike_example", "spike_neuron", "spike_time_ms"):
            hashed.update(layer[name].to_numpy().tobytes())
    return hashed.hexdigest()


def _counted(layer: xr.Dataset, root: xr.Dataset) -> xr.DataArray:
    """Return how often each neuron of a layer spikes in each presentation."""
    like = layer["spike_count"]
    places: list[Any] = [
        root.indexes[str(name)].get_indexer(layer[f"spike_{name}"]) for name in like.dims[:-1]
    ]
    index = np.ravel_multi_index((*places, layer["spike_neuron"].to_numpy()), like.shape)
    return like.copy(
        data=np.bincount(index, minlength=like.size).reshape(like.shape).astype(np.int32)
    )
