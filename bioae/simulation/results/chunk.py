"""Spikes, recorded states and decoded outputs of some presentations, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioae.errors import ResultError


class Trace(NamedTuple):
    """A recorded state variable: `values` (example, time, neuron) and their `units`."""

    values: NDArray[Any]
    units: str


@dataclass(frozen=True, eq=False)
class LayerSpikes:
    """The spikes of a layer, and the states recorded from it.

    Only the neuron of each spike is stored; the time follows from the spike's place.

    Parameters
    ----------
    name
        The layer's name, which becomes that of its group.
    shape
        ``(channel, y, x)`` or ``(n,)``; neurons are numbered in C order of it.
    neuron
        (spike,) The neuron that spiked, from 0; sorted by example, step and neuron.
    counts
        (example, step) The number of spikes in each step of the layer's window.
    states
        Recorded state variables by name, each ``(values, units)``, of shape
        (example, time, neuron).
    can_fire
        Whether the neurons have a threshold; if not, their potential is read.
    """

    name: str
    shape: tuple[int, ...]
    neuron: NDArray[np.integer[Any]]
    counts: NDArray[np.integer[Any]]
    states: Mapping[str, Trace | tuple[NDArray[Any], str]] = field(default_factory=dict)
    can_fire: bool = True

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
        can_fire: bool = True,
    ) -> LayerSpikes:
        """Sort spikes that come in any order.

        Parameters
        ----------
        name, shape, states, can_fire
            As for the class.
        example, step, neuron
            (spike,) The position of the spike's example, its step since the start of the
            presentation, and its neuron, all from 0.
        examples, steps
            The number of examples, and of steps of a presentation.

        Raises
        ------
        ResultError
            If a spike is outside the layer or its presentation, or a neuron spikes twice in a step.
        """
        where = f"layer {name!r}"
        columns = [np.asarray(column) for column in (example, step, neuron)]
        limits = {"example": examples, "step": steps, "neuron": int(np.prod(shape))}
        for (label, limit), column in zip(limits.items(), columns, strict=True):
            _check_range(label, column, limit, where)
        place = columns[0].astype(np.int64) * steps + columns[1]
        order = np.lexsort((columns[2], place))
        counts = np.bincount(place, minlength=examples * steps).reshape(examples, steps)
        return cls(name, shape, columns[2][order], counts, states or {}, can_fire)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return int(np.prod(self.shape))

    def __getitem__(self, part: slice) -> LayerSpikes:
        """Return the spikes of some consecutive presentations."""
        bounds = [0, *np.cumsum(self.counts.sum(1, np.int64)).tolist()]
        begin, end, _ = part.indices(len(self.counts))
        states = {name: Trace(trace[0][part], trace[1]) for name, trace in self.states.items()}
        return LayerSpikes(
            self.name, self.shape, self.neuron[bounds[begin] : bounds[end]], self.counts[part],
            states, self.can_fire,
        )  # fmt: skip

    def spike_count(self) -> NDArray[np.int32]:
        """Return the spikes of each neuron in each example (example, neuron)."""
        size = self.size
        count = np.empty((len(self.counts), size), np.int32)
        for row, (start, stop) in zip(count, self._bounds(), strict=True):
            row[:] = np.bincount(self.neuron[start:stop], minlength=size)
        return count

    def latency(self) -> NDArray[np.int32]:
        """Return the steps left at each neuron's first spike, 0 without one (example, neuron)."""
        examples, steps = self.counts.shape
        latency = np.zeros((examples, self.size), np.int32)
        for row, counts, (start, stop) in zip(latency, self.counts, self._bounds(), strict=True):
            # In reverse, so that the first of several spikes is written last.
            left = np.repeat(steps - np.arange(steps, dtype=np.int32), counts)
            row[self.neuron[start:stop][::-1]] = left[::-1]
        return latency

    def check(self, examples: int, steps: int) -> None:
        """Check that the spikes are sorted, and fit the layer and its presentations.

        Raises
        ------
        ResultError
            If they do not, or a neuron spikes twice in a step, or without a threshold.
        """
        where = f"layer {self.name!r}"
        if not self.can_fire and len(self.neuron):
            raise ResultError(
                "neurons without a threshold spike", where=where, found=f"{len(self.neuron)} spikes"
            )
        if self.counts.shape != (examples, steps) or self.counts.sum() != len(self.neuron):
            raise ResultError(
                "the spikes do not fit the examples and steps", where=where,
                expected=f"{examples} examples of {steps} steps",
                found=f"{len(self.neuron)} spikes, {self.counts.sum()} of them in "
                f"{' × '.join(map(str, self.counts.shape))} steps",
            )  # fmt: skip
        _check_range("neuron", self.neuron, self.size, where)
        offsets = np.arange(steps, dtype=np.int64) * self.size
        for counts, (start, stop) in zip(self.counts, self._bounds(), strict=True):
            key = np.repeat(offsets, counts)
            key += self.neuron[start:stop]
            twice = np.flatnonzero(key[1:] <= key[:-1])
            if twice.size:
                step, neuron = divmod(int(key[twice[0]]), self.size)
                raise ResultError(
                    "a neuron spikes twice in one step, or spikes are not sorted", where=where,
                    found=f"neuron {neuron} in step {step}",
                    hint="A recorded spike is there twice, or dt is longer than an interval",
                )  # fmt: skip

    def _bounds(self) -> list[tuple[int, int]]:
        """Return the places of each example's first spike and of the next example's."""
        ends = np.cumsum(self.counts.sum(1, np.int64), dtype=np.int64)
        return list(pairwise([0, *ends.tolist()]))


@dataclass(frozen=True, eq=False)
class Chunk:
    """The activity of a network in some presentations."""

    layers: tuple[LayerSpikes, ...]
    #: The decoded output (example, ...), of the shape that the network's task gives it.
    output: NDArray[np.float64]
    #: The place of the example that each presentation showed, where some are presented again.
    shown: NDArray[np.int64] | None = None
    #: The state after them by name, where it carries over.
    carried: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def join_chunks(chunks: Sequence[Chunk]) -> Chunk:
    """Join chunks into one, in their order."""
    if len(chunks) == 1:
        return chunks[0]
    layers = tuple(map(join_layers, zip(*(chunk.layers for chunk in chunks), strict=True)))
    output = np.concatenate([chunk.output for chunk in chunks])
    shown = [chunk.shown for chunk in chunks if chunk.shown is not None]
    return Chunk(layers, output, np.concatenate(shown) if shown else None, chunks[-1].carried)


def join_layers(parts: Sequence[LayerSpikes]) -> LayerSpikes:
    """Join the spikes of one layer in several chunks into one, in their order."""
    first = parts[0]
    if len(parts) == 1:
        return first
    traces = [{name: Trace(*trace) for name, trace in part.states.items()} for part in parts]
    return LayerSpikes(
        first.name,
        first.shape,
        np.concatenate([part.neuron for part in parts]),
        np.concatenate([part.counts for part in parts]),
        {
            name: Trace(np.concatenate([part[name].values for part in traces]), trace.units)
            for name, trace in traces[0].items()
        },
        first.can_fire,
    )


def _check_range(name: str, values: NDArray[Any], limit: int, where: str) -> None:
    if values.size and not 0 <= values.min() <= values.max() < limit:
        raise ResultError(
            f"a spike's {name} is outside", where=where, expected=f"0 to {limit - 1}",
            found=f"{values.min()} to {values.max()}",
        )  # fmt: skip
