"""From Brian2's monitors to spikes and images, presentation by presentation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from brian2 import SpikeMonitor, StateMonitor
from numpy.typing import NDArray

from bioae.networks.network import NetworkConfig, PlacedLayer
from bioae.simulation.code_runners import SpikeRecorder
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.objects.presentation_clock import PRESENTATION
from bioae.simulation.results.layer_spikes import LayerSpikes, Trace

__all__ = ["Chunk", "join", "read"]


@dataclass(frozen=True, eq=False)
class Chunk:
    """What a network did in some presentations.

    Attributes
    ----------
    layers
        The layers' spikes.
    reconstruction
        The decoded images (example, channel, y, x).
    """

    layers: tuple[LayerSpikes, ...]
    reconstruction: NDArray[np.float64]


def read(built: BrianNetwork, examples: int) -> Chunk:
    """Read the monitors of a finished run.

    Parameters
    ----------
    built
        The network that ran.
    examples
        How many of its presentations count; the rest were padding.
    """
    config = built.source.config
    layers = tuple(_layer(built, placed, examples) for placed in config.placed)
    return Chunk(layers, _reconstruction(built, config, layers[-1], examples))


def join(chunks: list[Chunk]) -> Chunk:
    """Join chunks, in the order given, into one."""
    if len(chunks) == 1:
        return chunks[0]
    layers = tuple(map(_join_layers, zip(*(chunk.layers for chunk in chunks), strict=True)))
    return Chunk(layers, np.concatenate([chunk.reconstruction for chunk in chunks]))


def _join_layers(parts: tuple[LayerSpikes, ...]) -> LayerSpikes:
    first = parts[0]
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
    )


def _layer(built: BrianNetwork, placed: PlacedLayer, examples: int) -> LayerSpikes:
    states = {}
    if placed.name in built.states:
        monitor = built.states[placed.name]
        for name in monitor.record_variables:
            units = placed.program.states[name].unit
            states[name] = Trace(_trace(built, monitor, name, placed.depth, examples), units)
    return replace(_spikes(built, placed, examples), states=states)


def _spikes(built: BrianNetwork, placed: PlacedLayer, examples: int) -> LayerSpikes:
    """Return a layer's spikes in its windows.

    Padding, what fires before the first presentation, and the schedule's lead-in do not count.
    """
    spikes = built.spikes.get(placed.name)
    if isinstance(spikes, SpikeRecorder):
        neuron, counts = _recorded(built, spikes, placed.depth, examples)
        return LayerSpikes(placed.name, placed.shape, neuron, counts)
    steps = built.timing.steps
    if spikes is None:
        nothing = np.zeros((examples, steps), np.int32)
        return LayerSpikes(placed.name, placed.shape, np.empty(0, np.int32), nothing)
    example, neuron, step = _monitored(built, spikes, examples)
    return LayerSpikes.of(
        placed.name, placed.shape,
        example=example, step=step, neuron=neuron, examples=examples, steps=steps,
    )  # fmt: skip


def _recorded(
    built: BrianNetwork, spikes: SpikeRecorder, depth: int, examples: int
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    neuron, count = (np.asarray(spikes.variables[name].get_value()) for name in ("i", "count"))
    timing = built.timing
    if len(neuron) != count.sum() or len(count) < timing.duration(examples, depth):
        raise ValueError(f"the spikes of {spikes.source.name!r} are incomplete")
    example, step = np.divmod(np.arange(len(count)) - depth, timing.period)
    inside = (example >= 0) & (example < examples) & (step < timing.steps)
    counts = count[inside].reshape(examples, timing.steps)
    first, last = inside.argmax(), len(inside) - inside[::-1].argmax()
    start, total = count[:first].sum(), count[first:last].sum()
    # All that counts comes in one piece where nothing fires between the windows.
    if total == counts.sum():
        piece = neuron[start : start + total]
        return piece if neuron.flags.owndata else piece.copy(), counts  # the next run writes there
    return neuron[np.repeat(inside, count)], counts


def _monitored(
    built: BrianNetwork, spikes: SpikeMonitor, examples: int
) -> tuple[NDArray[np.int64], ...]:
    presentation, neuron, time = (
        np.asarray(spikes.variables[name].get_value()) for name in (PRESENTATION, "i", "t")
    )
    if not len(presentation) == len(neuron) == len(time) == spikes.num_spikes:
        raise ValueError(f"the spikes of {spikes.source.name!r} are incomplete")
    step = np.rint(time / built.source.config.dt_seconds).astype(np.int64)
    steps = built.timing.steps
    inside = (presentation >= 0) & (presentation < examples) & (step >= 0) & (step < steps)
    return presentation[inside], neuron[inside], step[inside]


def _trace(
    built: BrianNetwork, monitor: StateMonitor, name: str, depth: int, examples: int
) -> NDArray[Any]:
    """Return a recorded variable, (example, time, neuron)."""
    values = np.asarray(monitor.variables[name].get_value())
    starts = depth + np.arange(examples) * built.timing.period
    return values[starts[:, None] + np.arange(built.timing.steps)]


def _reconstruction(
    built: BrianNetwork, config: NetworkConfig, last: LayerSpikes, examples: int
) -> NDArray[np.float64]:
    if built.decoded is not None:
        kept = built.decoded.rows[:examples]
    else:
        kept = last.spike_count().astype(np.float64)
    decoded = config.decoder.finish(
        kept.reshape(examples, *config.input_shape),
        steps=config.steps,
        mean_drive=config.encoder.mean_drive(config.steps),
    )
    return np.asarray(decoded, np.float64)
