"""From Brian2's monitors to spikes and outputs, presentation by presentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from brian2 import SpikeMonitor, StateMonitor
from numpy.typing import NDArray

from bioae.networks.config import NetworkConfig
from bioae.networks.placed_layer import PlacedLayer
from bioae.simulation.code_runners import SpikeRecorder, ValueRecorder
from bioae.simulation.objects.presentation_clock import PRESENTATION
from bioae.simulation.results.chunk import Chunk, LayerSpikes, Trace


@dataclass(frozen=True, eq=False)
class Monitors:
    """The description of a network, and its monitors, see `bioae.simulation.BrianNetwork`."""

    config: NetworkConfig
    spikes: Mapping[str, SpikeMonitor | SpikeRecorder]
    states: Mapping[str, StateMonitor]
    decoded: ValueRecorder | None

    def read(self, examples: int) -> Chunk:
        """Read the monitors of a finished run."""
        layers = tuple(self._layer(placed, examples) for placed in self.config.placed)
        return Chunk(layers, self._output(layers[-1], examples))

    def _layer(self, placed: PlacedLayer, examples: int) -> LayerSpikes:
        states = {}
        if placed.name in self.states:
            monitor = self.states[placed.name]
            starts = placed.depth + np.arange(examples) * self.config.timing.period
            inside = starts[:, None] + np.arange(self.config.steps)  # (example, time)
            for name in monitor.record_variables:
                values = np.asarray(monitor.variables[name].get_value())[inside]
                states[name] = Trace(values, placed.program.states[name].unit)
        return replace(self._spikes(placed, examples), states=states, can_fire=placed.can_fire)

    def _spikes(self, placed: PlacedLayer, examples: int) -> LayerSpikes:
        """Return a layer's spikes in its windows.

        Spikes in padding, before the first presentation and in the schedule's lead-in do not count.
        """
        monitor = self.spikes.get(placed.name)
        if isinstance(monitor, SpikeRecorder):
            neuron, counts = self._recorded(monitor, placed.depth, examples)
            return LayerSpikes(placed.name, placed.shape, neuron, counts)
        steps = self.config.steps
        if monitor is None:
            silent = np.zeros((examples, steps), np.int32)
            return LayerSpikes(placed.name, placed.shape, np.empty(0, np.int32), silent)
        example, neuron, step = self._monitored(monitor, examples)
        return LayerSpikes.of(
            placed.name, placed.shape,
            example=example, step=step, neuron=neuron, examples=examples, steps=steps,
        )  # fmt: skip

    def _recorded(
        self, spikes: SpikeRecorder, depth: int, examples: int
    ) -> tuple[NDArray[Any], NDArray[np.int32]]:
        neuron, count = (np.asarray(spikes.variables[name].get_value()) for name in ("i", "count"))
        timing = self.config.timing
        if len(neuron) != count.sum() or len(count) < timing.duration(examples, depth):
            raise ValueError(f"the spikes of {spikes.source.name!r} are incomplete")
        example, step = np.divmod(np.arange(len(count)) - depth, timing.period)
        inside = (example >= 0) & (example < examples) & (step < timing.steps)
        counts = count[inside].reshape(examples, timing.steps)
        first, last = inside.argmax(), len(inside) - inside[::-1].argmax()
        start, total = count[:first].sum(), count[first:last].sum()
        # Spikes in the windows are contiguous where no neuron fires between the windows.
        if total == counts.sum():
            piece = neuron[start : start + total]
            return piece if neuron.flags.owndata else piece.copy(), counts  # the next run reuses it
        return neuron[np.repeat(inside, count)], counts

    def _monitored(self, spikes: SpikeMonitor, examples: int) -> tuple[NDArray[np.int64], ...]:
        presentation, neuron, time = (
            np.asarray(spikes.variables[name].get_value()) for name in (PRESENTATION, "i", "t")
        )
        if not len(presentation) == len(neuron) == len(time) == spikes.num_spikes:
            raise ValueError(f"the spikes of {spikes.source.name!r} are incomplete")
        step = np.rint(time / self.config.dt_seconds).astype(np.int64)
        inside = (presentation >= 0) & (presentation < examples)
        inside &= (step >= 0) & (step < self.config.steps)
        return presentation[inside], neuron[inside], step[inside]

    def _output(self, last: LayerSpikes, examples: int) -> NDArray[np.float64]:
        config, steps = self.config, self.config.steps
        decoder, scale = config.decoder, config.default_scale
        if self.decoded is not None and decoder.collects is None:
            potential = self.decoded.rows[: examples * steps].reshape(examples, steps, -1)
            decoded = decoder.decode(potential.swapaxes(0, 1), default_scale=scale)
        else:
            if self.decoded is not None:
                values = self.decoded.rows[:examples]
            else:
                counted = last.spike_count() if decoder.reads == "count" else last.latency()
                values = counted.astype(np.float64)
            decoded = decoder.finish(values, steps=steps, default_scale=scale)
        return np.asarray(decoded, np.float64).reshape(examples, *config.output_shape)
