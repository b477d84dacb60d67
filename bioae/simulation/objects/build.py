"""From a network to ordinary Brian2 objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from brian2 import (
    Clock,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    TimedArray,
    prefs,
    second,
)
from brian2 import Network as Brian2Network

from bioae.networks.network import Network, PlacedLayer
from bioae.noise import population_number
from bioae.simulation.brian2_internals.groups import mark_as_run
from bioae.simulation.code_runners import SpikeRecorder, ValueRecorder
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.objects.input import HELD, InputNeurons, draws, held_array
from bioae.simulation.objects.pathways import WEIGHT, AnySynapses, Connectivity, Pathway
from bioae.simulation.objects.population import Population, collect
from bioae.simulation.objects.presentation_clock import PRESENTATION, noise_keys

__all__ = ["WEIGHT", "build"]


def build(
    network: Network,
    presentations: int = 1,
    *,
    record: Collection[str] | Mapping[str, Collection[str]] = (),
    connectivity: Connectivity = "shared",
    compact: bool = False,
    prefix: str = "",
) -> BrianNetwork:
    """Make Brian2 objects of a network, on whatever device is active.

    Brian2's loop-invariant optimisation is switched off for the session: it reorders arithmetic,
    and everything that does not change over time was already taken out of the equations.

    Parameters
    ----------
    network
        The network.
    presentations
        How many images one run presents.
    record
        Variables to record at the end of each step, in the layers that have them.
    connectivity
        ``"shared"`` keeps each weight once, as `bioae.simulation.sharing.SharedSynapses`;
        ``"unrolled"`` makes a synapse of each connection, as `brian2.Synapses`. Connections with
        delays of their own are always unrolled. Spikes are the same.
    compact
        Whether spikes are kept as `bioae.simulation.code_runners.SpikeRecorder` keeps them, in a
        fifth of the memory, instead of in a `brian2.SpikeMonitor` for each layer.
    prefix
        Put before the names of all objects, where several networks share a project.

    Returns
    -------
    BrianNetwork
    """
    prefs.codegen.loop_invariant_optimisations = False
    return _Builder(network, presentations, connectivity, compact, prefix).build(record)


class _Builder:
    def __init__(
        self,
        network: Network,
        presentations: int,
        connectivity: Connectivity,
        compact: bool,
        prefix: str,
    ) -> None:
        self.source = network
        self.config = network.config
        self.timing = self.config.timing
        self.presentations = presentations
        self.connectivity = connectivity
        self.compact = compact
        self.prefix = prefix
        self.clock = Clock(self.config.dt_seconds * second, name=f"{prefix}network__clock")

    def build(self, record: Collection[str] | Mapping[str, Collection[str]]) -> BrianNetwork:
        self.held, self.keys = self._held(), self._keys()
        source = self._input()
        populations: dict[str, Population] = {}
        synapses: dict[str, AnySynapses] = {}
        before: NeuronGroup = source
        for placed in self.config.placed:
            population = self._population(placed)
            synapses |= self._pathways(placed, before, population)
            populations[placed.name] = before = population
        readout = self._readout(populations)
        built = BrianNetwork(
            network=Brian2Network(),
            source=self.source,
            presentations=self.presentations,
            held=self.held,
            input=source,
            populations=populations,
            readout=readout,
            synapses=synapses,
            spikes=self._spikes(populations),
            states=self._state_monitors(populations, record),
            keys=self.keys,
            decoded=readout and self._decoded(readout),
        )
        self._assemble(built)
        return built

    def _assemble(self, built: BrianNetwork) -> None:
        built.network.schedule = list(self.timing.schedule.slots)
        parts: list[Any] = [built.input, *built.populations.values(), *built.synapses.values()]
        parts += [*built.spikes.values(), *built.states.values()]
        parts += [built.readout, built.decoded, built.keys]
        for part in parts:
            if part is not None:
                built.network.add(part)
                mark_as_run(part, built.network)

    def _input(self) -> InputNeurons:
        return InputNeurons(
            self.config.encoder,
            self.held,
            timing=self.timing,
            clock=self.clock,
            name=self._name("input"),
            keys=self.keys,
        )

    def _held(self) -> TimedArray:
        return held_array(
            self.presentations,
            int(np.prod(self.config.input_shape)),
            timing=self.timing,
            dt=self.config.dt_seconds,
            name=self._name("input", "held"),
        )

    def _keys(self) -> NeuronGroup | None:
        placed = self.config.placed
        programs = [each.program for each in placed] + [placed[-1].readout_program]
        if not draws(self.config.encoder) and not any(program.draws for program in programs):
            return None
        return noise_keys(self.presentations, clock=self.clock, name=f"{self.prefix}noise__keys")

    def _population(self, placed: PlacedLayer) -> Population:
        return Population(
            placed.program,
            self.source.parameters(placed),
            size=placed.size,
            depth=placed.depth,
            timing=self.timing,
            clock=self.clock,
            name=self._name(placed.name),
            separate_inhibition=placed.separate_inhibition,
            number=population_number(placed.depth),
            keys=self.keys if placed.program.draws else None,
        )

    def _readout(self, populations: dict[str, Population]) -> Population | None:
        if not self.config.decoder.reads_potential:
            return None
        placed = self.config.placed[-1]
        return Population(
            placed.readout_program,
            self.source.parameters(placed, readout=True),
            size=placed.size,
            depth=placed.depth,
            timing=self.timing,
            clock=self.clock,
            name=self._name(placed.name, "readout"),
            separate_inhibition=placed.separate_inhibition,
            shares_input=populations[placed.name],
            number=population_number(placed.depth, readout=True),
            keys=self.keys if placed.readout_program.draws else None,
        )

    def _pathways(
        self, placed: PlacedLayer, before: NeuronGroup, population: Population
    ) -> dict[str, AnySynapses]:
        graded = self.config.encoder.graded and not isinstance(before, Population)
        pathways = {}
        for name, delay in self.source.delays(placed).items():
            kind = name.rpartition(".")[-1]
            recurrent = kind == "recurrent"
            pathway = Pathway(
                self._name(placed.name, kind),
                placed.layer,
                placed.input_shape,
                self.source.weights[name],
                delay,
                recurrent=recurrent,
                timing=self.timing,
                factor=HELD if graded and not recurrent else None,
            )
            source = population if recurrent else before
            pathways[name] = pathway.build(source, population, self.clock, self.connectivity)
        return pathways

    def _name(self, layer: str, part: str = "neurons") -> str:
        """Return an object's name; no layer's has `__` in it, as do those that Brian2 derives."""
        return f"{self.prefix}{layer}__{part}"

    def _decoded(self, readout: Population) -> ValueRecorder:
        potential = self.config.placed[-1].readout.input
        return collect(readout, potential, self.config.decoder, self.timing)

    def _spikes(
        self, populations: dict[str, Population]
    ) -> dict[str, SpikeMonitor | SpikeRecorder]:
        return {
            name: self._spikes_of(population, f"{population.name}__spikes")
            for name, population in populations.items()
            if "spike" in population.events
        }

    def _spikes_of(self, population: Population, name: str) -> SpikeMonitor | SpikeRecorder:
        if self.compact:
            return SpikeRecorder(population, name=name)
        return SpikeMonitor(population, [PRESENTATION], name=name)

    def _state_monitors(
        self,
        populations: dict[str, Population],
        record: Collection[str] | Mapping[str, Collection[str]],
    ) -> dict[str, StateMonitor]:
        monitors = {}
        for placed in self.config.placed:
            wanted = record.get(placed.name, ()) if isinstance(record, Mapping) else record
            names = [name for name in placed.program.states if name in wanted]
            if names:
                monitors[placed.name] = self._monitor(populations[placed.name], names)
        return monitors

    def _monitor(self, population: Population, names: list[str]) -> StateMonitor:
        return StateMonitor(
            population, names, record=True, when="end", clock=self.clock,
            name=f"{population.name}__states",
        )  # fmt: skip
