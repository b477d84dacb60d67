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
    """What one layer did: its spikes, and the states recorded from it.

    A spike takes no more than the number of its neuron: when it was, its place says.

    Parameters
    ----------
    name
        The layer's name, which becomes that of its group.
    shape
        ``(channel, y, x)`` or ``(n,)``; neurons are numbered in C order of it.
    neuron
        (spike,) The neuron that spiked, from 0; sorted by example, step and neuron.
    counts
        (example, step) How many spiked in each step of the layer's own window.
    states
        Recorded state variables by name, each ``(values, units)``, of shape
        (example, time, neuron).
    """

    name: str
    shape: tuple[int, ...]
    neuron: NDArray[np.integer[Any]]
    counts: NDArray[np.integer[Any]]
    states: Mapping[str, Trace | tuple[NDArray[Any], str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        shape: tuple[int, ...],
        *,
        example: NDArray[np.integer[Any]],
        step: NDArray[np.integer[Any]],
        neuron: NDArray[np.integer[Any]],
        examples: int,
        steps: int,
        states: Mapping[str, Trace | tuple[NDArray[Any], str]] | None = None,
    ) -> LayerSpikes:
        """Return spikes that come in any order.

        Parameters
        ----------
        name, shape, states
            As of the class.
        example, step, neuron
            (spike,) The position of the spike's example among the images, its step since the
            start of the presentation, and its neuron, all from 0.
        examples, steps
            How many images there are, and how many steps a presentation has.

        Raises
        ------
        ResultError
            If a spike is outside the layer or its presentation, or a neuron spikes twice in a step.
        """
        limits = {"example": examples, "step": steps, "neuron": int(np.prod(shape))}
        columns = [np.asarray(column) for column in (example, step, neuron)]
        _check_columns(dict(zip(limits, columns, strict=True)), limits, f"layer {name!r}")
        place = columns[0].astype(np.int64) * steps + columns[1]
        order = np.lexsort((columns[2], place))
        counts = np.bincount(place, minlength=examples * steps).reshape(examples, steps)
        return cls(name, shape, columns[2][order], counts, states or {})

    @property
    def size(self) -> int:
        """The number of neurons."""
        return int(np.prod(self.shape))

    def spike_count(self) -> NDArray[np.int32]:
        """Return the spikes of each neuron in each example (example, neuron)."""
        count = np.empty((len(self.counts), self.size), np.int32)
        each = self.counts.sum(1, np.int64)
        for row, (start, stop) in zip(count, _bounds(each), strict=True):
            row[:] = np.bincount(self.neuron[start:stop], minlength=self.size)
        return count


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
        If spikes are not those of such a layer and presentations, or a recorded state has a wrong
        shape.
    """
    _check_spikes(layer, (example.size, steps))
    each = layer.counts.sum(1, np.int64)
    time = np.tile(np.arange(steps) * dt_ms, example.size)
    data = xr.Dataset(
        {
            "spike_count": (("example", "neuron"), layer.spike_count(), describe("spikes", "1")),
            "spike_example": (
                "spike",
                np.repeat(example, each),
                describe("value of the coordinate `example`"),
            ),
            "spike_neuron": (
                "spike",
                layer.neuron.astype(np.int32, copy=False),
                describe("neuron, from 0, in C order of the layer's shape"),
            ),
            "spike_time_ms": (
                "spike",
                np.repeat(time, layer.counts.ravel()),
                describe("time since the start of the presentation", "ms"),
            ),
        },
        coords=_neuron_coordinates(layer.shape),
        attrs={"shape": _shape_attribute(layer.shape)},
    )
    return _with_states(data, layer, (example.size, steps, layer.size), dt_ms)


def _check_columns(
    columns: Mapping[str, NDArray[Any]], limits: Mapping[str, int], where: str
) -> None:
    if len({column.shape for column in columns.values()}) > 1:
        raise ResultError(
            "the spikes do not fit together",
            where=where,
            expected="as many examples and steps as neurons",
            found=" and ".join(str(column.shape) for column in columns.values()),
        )
    for name, column in columns.items():
        _check_range(name, column, limits[name], where)


def _check_range(name: str, values: NDArray[Any], limit: int, where: str) -> None:
    if values.size and not 0 <= values.min() <= values.max() < limit:
        raise ResultError(
            f"a spike's {name} is outside",
            where=where,
            expected=f"0 to {limit - 1}",
            found=f"{values.min()} to {values.max()}",
        )


def _check_spikes(layer: LayerSpikes, shape: tuple[int, int]) -> None:
    where = f"layer {layer.name!r}"
    if layer.counts.shape != shape or layer.counts.sum() != len(layer.neuron):
        raise ResultError(
            "the spikes do not fit the examples and steps",
            where=where,
            expected=f"{shape[0]} examples of {shape[1]} steps",
            found=f"{len(layer.neuron)} spikes, {layer.counts.sum()} of them in "
            f"{' × '.join(map(str, layer.counts.shape))} steps",
        )
    _check_range("neuron", layer.neuron, layer.size, where)
    steps = np.arange(shape[1], dtype=np.int64) * layer.size
    for counts, (start, stop) in zip(
        layer.counts, _bounds(layer.counts.sum(1, np.int64)), strict=True
    ):
        key = np.repeat(steps, counts)
        key += layer.neuron[start:stop]
        if (key[1:] <= key[:-1]).any():
            raise ResultError(
                "a neuron spikes twice in one step, or spikes are not sorted", where=where
            )


def _bounds(each: NDArray[np.integer[Any]]) -> list[tuple[int, int]]:
    """Return where the spikes of each example begin and end, of so many each."""
    return list(pairwise([0, *np.cumsum(each, dtype=np.int64).tolist()]))


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
