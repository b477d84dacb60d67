"""The spikes of one layer, and the group of a result that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError

__all__ = ["LayerSpikes", "Trace", "describe", "layer_dataset"]


class Trace(NamedTuple):
    """A recorded state variable: `values` (example, time, neuron) and their `units`."""

    values: NDArray[Any]
    units: str


@dataclass(frozen=True, eq=False)
class LayerSpikes:
    """What one layer did: its spikes, in any order, and the states recorded from it.

    Parameters
    ----------
    name
        The layer's name, which becomes that of its group.
    shape
        ``(channel, y, x)`` or ``(n,)``; neurons are numbered in C order of it.
    example
        (spike,) The position of the spike's example among the images, from 0.
    neuron
        (spike,) The neuron that spiked, from 0.
    step
        (spike,) The step since the start of the presentation, in the layer's own window, from 0.
    states
        Recorded state variables by name, each ``(values, units)``, of shape
        (example, time, neuron).
    """

    name: str
    shape: tuple[int, ...]
    example: NDArray[np.integer[Any]]
    neuron: NDArray[np.integer[Any]]
    step: NDArray[np.integer[Any]]
    states: Mapping[str, Trace | tuple[NDArray[Any], str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return int(np.prod(self.shape))


def layer_dataset(
    layer: LayerSpikes, example: NDArray[np.int64], dt_ms: float, steps: int
) -> xr.Dataset:
    """Return the group of a layer: its spikes in order, their counts, its states and coordinates.

    Parameters
    ----------
    example
        (example,) The coordinate `example` of the result.

    Raises
    ------
    ResultError
        If a spike is outside the layer or its presentation, a neuron spikes twice in a step, or
        a recorded state has a wrong shape.
    """
    position, step, neuron = _sorted_spikes(layer, example.size, steps)
    count = np.empty((example.size, layer.size), np.int32)
    for row, (start, stop) in zip(count, _bounds(position, example.size), strict=True):
        row[:] = np.bincount(neuron[start:stop], minlength=layer.size)
    data = xr.Dataset(
        {
            "spike_count": (("example", "neuron"), count, describe("spikes", "1")),
            "spike_example": (
                "spike",
                example[position],
                describe("value of the coordinate `example`"),
            ),
            "spike_neuron": (
                "spike",
                neuron.astype(np.int32, copy=False),
                describe("neuron, from 0, in C order of the layer's shape"),
            ),
            "spike_time_ms": (
                "spike",
                step * dt_ms,
                describe("time since the start of the presentation", "ms"),
            ),
        },
        coords=_neuron_coordinates(layer.shape),
        attrs={"shape": _shape_attribute(layer.shape)},
    )
    return _with_states(data, layer, (example.size, steps, layer.size), dt_ms)


def _sorted_spikes(
    layer: LayerSpikes, examples: int, steps: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the spikes' positions, steps and neurons, sorted by all three, each (spike,)."""
    where = f"layer {layer.name!r}"
    limits = {"example": examples, "step": steps, "neuron": layer.size}
    columns = [np.asarray(getattr(layer, name)) for name in limits]
    if len({column.shape for column in columns}) > 1:
        raise ResultError(
            "the spikes do not fit together",
            where=where,
            expected="as many examples and steps as neurons",
            found=" and ".join(str(column.shape) for column in columns),
        )
    for (name, limit), column in zip(limits.items(), columns, strict=True):
        if column.size and not 0 <= column.min() <= column.max() < limit:
            raise ResultError(
                f"a spike's {name} is outside",
                where=where,
                expected=f"0 to {limit - 1}",
                found=f"{column.min()} to {column.max()}",
            )
    position, step, neuron = columns
    if _in_order(position, step, neuron, examples, layer.size):  # as they mostly come
        return position, step, neuron
    key = (position.astype(np.int64) * steps + step) * layer.size + neuron
    order = np.argsort(key, kind="stable")
    if np.any(np.diff(key[order]) == 0):
        raise ResultError("a neuron spikes twice in one step", where=where)
    return position[order], step[order], neuron[order]


def _in_order(
    position: NDArray[Any], step: NDArray[Any], neuron: NDArray[Any], examples: int, size: int
) -> bool:
    """Return whether spikes are sorted and no two are alike, in little memory."""
    if (position[1:] < position[:-1]).any():
        return False
    for start, stop in _bounds(position, examples):
        key = step[start:stop].astype(np.int64)
        key *= size
        key += neuron[start:stop]
        if (key[1:] <= key[:-1]).any():
            return False
    return True


def _bounds(position: NDArray[Any], examples: int) -> list[tuple[int, int]]:
    """Return where each example's spikes begin and end, of sorted ones."""
    return list(pairwise(np.searchsorted(position, np.arange(examples + 1)).tolist()))


def _with_states(
    data: xr.Dataset, layer: LayerSpikes, shape: tuple[int, int, int], dt_ms: float
) -> xr.Dataset:
    for name, (values, units) in layer.states.items():
        if np.shape(values) != shape:
            raise ResultError(
                f"the recorded {name!r} has a wrong shape (example, time, neuron)",
                where=f"layer {layer.name!r}",
                expected=str(shape),
                found=str(np.shape(values)),
            )
        data[f"state_{name}"] = (("example", "time", "neuron"), values, describe(name, units))
    if layer.states:
        time = ("time", np.arange(shape[1]) * dt_ms, describe("time since the start", "ms"))
        data = data.assign_coords(time=time)
    return data


def _shape_attribute(shape: tuple[int, ...]) -> int | NDArray[np.int32]:
    # netCDF knows no array of one number: it would come back as the number.
    return shape[0] if len(shape) == 1 else np.array(shape, np.int32)


def _neuron_coordinates(shape: tuple[int, ...]) -> dict[str, Any]:
    if len(shape) != 3:
        return {}
    indices = np.indices(shape, dtype=np.int32).reshape(3, -1)
    names = ("channel", "y", "x")
    return {
        name: ("neuron", index, describe(f"{name} of the neuron"))
        for name, index in zip(names, indices, strict=True)
    }


def describe(long_name: str, units: str | None = None) -> dict[str, str]:
    """Return the attributes of a variable, as the CF conventions name them."""
    return {"long_name": long_name} if units is None else {"long_name": long_name, "units": units}
