"""Contents of a result: input, outputs, examples, and spikes that agree with one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import CAN_FIRE, REPEAT
from bioae.errors import ResultError

__all__ = ["check_contents"]

# Numbers that are held at a time: pixels of images, or steps of trains.
_BLOCK = 2**22
#: The most by which the time of a spike may differ from that of its step, in steps.
_OFF_GRID = 0.01


def check_contents(tree: xr.DataTree, *, where: str) -> None:
    """Check the values of a result whose variables fit, reading each once, by blocks.

    Raises
    ------
    ResultError
        If a pixel is not finite or outside [0, 1], an output is not finite, a label is not that of
        a class, an example is repeated, or the spikes of an example are not in order, outside its
        layer or presentation, or not those counted, or a layer that cannot fire has some.
    """
    root = tree.to_dataset(inherit=False)
    example = root["example"].to_numpy()
    _refuse(len(np.unique(example)) < example.size, "an example is repeated", where)
    repeat = root[REPEAT].to_numpy() if REPEAT in root.dims else np.zeros(1, np.int64)
    _refuse(len(np.unique(repeat)) < repeat.size, "a repeat has the number of another", where)
    _check_outputs(tree, root, where)
    for name in {"input", "reconstruction", "output", "target"} & {*map(str, root.data_vars)}:
        pixels = name == "input" and "y" in root[name].dims
        least, most = (0.0, 1.0) if pixels else (-np.inf, np.inf)
        values = root[name].variable
        rows = max(1, _BLOCK * example.size // max(1, values.size))
        for start in range(0, example.size, rows):
            block = values.isel(example=slice(start, start + rows)).to_numpy()
            inside = np.isfinite(block).all() and _within(block, least, most)
            _refuse(not inside, f"{name!r} has values that are not finite or out of range", where)
    for layer, node in tree["layers"].children.items():
        data = node.to_dataset().assign_attrs(root.attrs)
        spikes = data.sizes["spike"] and not node.attrs.get(CAN_FIRE, 1)
        _refuse(bool(spikes), "neurons that cannot fire have spikes", f"{where}, layer {layer!r}")
        _check_layer(data, example, repeat, f"{where}, layer {layer!r}")


def _check_outputs(tree: xr.DataTree, root: xr.Dataset, where: str) -> None:
    task = tree.attrs.get("task", "reconstruction")
    if task == "sequence":
        wrong = root.sizes["time"] != int(tree.attrs["steps"])
        _refuse(wrong, "there is not one output for each of `steps`", where)
    if task == "classification" and "label" in root:
        inside = _within(root["label"].to_numpy(), 0, root.sizes["unit"] - 1)
        _refuse(not inside, "a label is not that of a class", where)


def _check_layer(data: xr.Dataset, example: NDArray[Any], repeat: NDArray[Any], where: str) -> None:
    length, dt_ms = int(data.attrs["steps"]), float(data.attrs["dt_ms"])
    neurons, spikes = data.sizes["neuron"], data.sizes["spike"]
    rows = max(1, _BLOCK // max(1, neurons * length * repeat.size))
    end = 0
    for start in range(0, example.size, rows):
        block = slice(start, start + rows)
        count = data["spike_count"].variable.isel(example=block).to_numpy()
        count = count.reshape(-1, neurons)  # of presentations
        _refuse(not _within(count, 0, length), "a count of spikes is outside 0 to `steps`", where)
        begin, end = end, end + int(count.sum(dtype=np.int64))
        _refuse(end > spikes, "there are fewer spikes than counted", where)
        train = _trains(data, slice(begin, end), dt_ms, length, where)
        each = count.sum(1, dtype=np.int64)
        owner = np.repeat(np.repeat(example[block], repeat.size), each)
        known = np.array_equal(train[0], owner)
        if known and "spike_repeat" in data:
            numbers = np.repeat(np.tile(repeat, len(example[block])), each)
            known = np.array_equal(data["spike_repeat"].variable[begin:end].to_numpy(), numbers)
        _refuse(
            not known, "the spikes are not in order of the examples, or not those counted", where
        )
        key = np.repeat(np.arange(len(count)), each) * length + train[2]
        key = key * neurons + train[1]
        _refuse((key[1:] <= key[:-1]).any(), "spikes are not in order, or repeated", where)
        place = key // (length * neurons) * neurons + train[1]
        counted = np.bincount(place, minlength=count.size).reshape(count.shape)
        _refuse(not np.array_equal(counted, count), "the spikes are not those counted", where)
    _refuse(end < spikes, "there are more spikes than counted", where)


def _trains(
    data: xr.Dataset, part: slice, dt_ms: float, length: int, where: str
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Read the examples, neurons and steps of some spikes (spike,)."""
    example, neuron, time = (
        data[name].variable[part].to_numpy()
        for name in ("spike_example", "spike_neuron", "spike_time_ms")
    )
    inside = _within(neuron, 0, data.sizes["neuron"] - 1)
    _refuse(not inside, "a spike's neuron is not in the layer", where)
    step = np.rint(time / dt_ms)
    inside = np.isfinite(time).all() and _within(step, 0, length - 1)
    _refuse(not inside, "a spike's time is outside the presentation", where)
    on_grid = np.abs(step * dt_ms - time) <= dt_ms * min(1e-6 * length, _OFF_GRID)
    _refuse(not on_grid.all(), "a spike's time is not that of a step", where)
    return example, neuron.astype(np.int64), step.astype(np.int64)


def _within(values: NDArray[Any], least: float, most: float) -> bool:
    return values.size == 0 or bool(least <= values.min() and values.max() <= most)


def _refuse(wrong: bool | np.bool_, what: str, where: str) -> None:
    if wrong:
        raise ResultError(what, where=where, hint="Simulate again, or name another file")
