"""From a network to ordinary Brian2 objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, get_args

from brian2 import (
    Clock,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    prefs,
    second,
)
from brian2 import Network as Brian2Network

from bioae.checks import instance, one_of, whole
from bioae.networks.base import NetworkBase
from bioae.networks.inputs import Steps
from bioae.networks.placed_layer import PlacedLayer
from bioae.noise import population_number
from bioae.simulation.backend import Connectivity
from bioae.simulation.brian2_internals.groups import mark_as_run
from bioae.simulation.code_runners import SpikeRecorder
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.objects.input import HELD, InputNeurons, draws, held_array, held_at
from bioae.simulation.objects.pathways import DELAY, AnySynapses, Pathway
from bioae.simulation.objects.population import Population, collect
from bioae.simulation.objects.presentation_clock import PRESENTATION, noise_keys

__all__ = ["build"]


def build(
    network: NetworkBase,
    presentations: int = 1,
    *,
    record: Collection[str] | Mapping[str, Collection[str]] = (),
    connectivity: Connectivity = "shared",
    compact: bool = False,
    prefix: str = "",
) -> BrianNetwork:
    """Make Brian2 objects of a network, on the active device.

    Brian2's loop-invariant optimisation is switched off for the session: it reorders arithmetic,
    and constant subexpressions have already been taken out of the equations.

    Parameters
    ----------
    network
        The network.
    presentations
        The number of images that one run presents.
    record
        Variables to record at the end of each step, in the layers that have them; or those of
        each layer, by its name.
    connectivity
        ``"shared"`` keeps each weight once, as `bioae.simulation.sharing.SharedSynapses`;
        ``"unrolled"`` creates a `brian2.Synapses` synapse per connection. Pathways whose
        connections differ in delay are always unrolled. Spikes are the same.
    compact
        Whether to record spikes with `bioae.simulation.code_runners.SpikeRecorder`, in a fifth of
        the memory, instead of a `brian2.SpikeMonitor` per layer.
    prefix
        Prefix of all objects' names, where several networks share a project.

    Returns
    -------
    BrianNetwork
    """
    instance(network, "the network", NetworkBase)
    presentations = whole(presentations, "presentations", least=1)
    one_of(connectivity, "connectivity", get_args(Connectivity))
    prefs.codegen.loop_invariant_optimisations = False
    builder = _Builder(
        network, presentations,
        connectivity=connectivity, compact=compact, prefix=prefix, record=record,
    )  # fmt: skip
    return builder.build()


class _Builder:
    def __init__(
        self,
        network: NetworkBase,
        presentations: int,
        *,
        connectivity: Connectivity,
        compact: bool,
        prefix: str,
        record: Collection[str] | Mapping[str, Collection[str]],
    ) -> None:
        self.source, self.config, self.timing = network, network.config, network.config.timing
        self.presentations = presentations
        self.connectivity = connectivity
        self.compact = compact
        self.prefix = prefix
        self.record = record
        self.clock = Clock(self.config.dt_seconds * second, name=f"{prefix}network__clock")

    def build(self) -> BrianNetwork:
        config = self.config
        self.held = held_array(self.presentations, config, name=self._name("input", "held"))
        self.keys = self._keys()
        source = InputNeurons(
            config, self.held, clock=self.clock, name=self._name("input"), keys=self.keys
        )
        populations: dict[str, Population] = {}
        synapses: dict[str, AnySynapses] = {}
        before: NeuronGroup = source
        for placed in config.placed:
            population = self._population(placed)
            synapses |= self._pathways(placed, before, population)
            populations[placed.name] = before = population
        readout = None
        if config.decoder.reads_potential:
            readout = self._population(placed, shares_input=population)
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
            states=self._states(populations),
            keys=self.keys,
            decoded=readout and collect(readout, placed.readout.input, config.decoder, self.timing),
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

    def _keys(self) -> NeuronGroup | None:
        placed = self.config.placed
        programs = [each.program for each in placed] + [placed[-1].readout_program]
        if not draws(self.config.encoder) and not any(program.draws for program in programs):
            return None
        return noise_keys(self.presentations, clock=self.clock, name=f"{self.prefix}noise__keys")

    def _population(
        self, placed: PlacedLayer, shares_input: Population | None = None
    ) -> Population:
        """Return a layer's neurons, or its read-out, which shares the input of its neurons."""
        readout = shares_input is not None
        program = placed.readout_program if readout else placed.program
        return Population(
            program,
            self.source.parameters(placed, readout=readout),
            size=placed.size,
            depth=placed.depth,
            timing=self.timing,
            clock=self.clock,
            name=self._name(placed.name, "readout" if readout else "neurons"),
            separate_inhibition=placed.separate_inhibition,
            shares_input=shares_input,
            biases=self.source.biases(placed),
            number=population_number(placed.depth, readout=readout),
            keys=self.keys if program.draws else None,
        )

    def _pathways(
        self, placed: PlacedLayer, before: NeuronGroup, population: Population
    ) -> dict[str, AnySynapses]:
        graded = self.config.encoder.graded and not isinstance(before, Population)
        weights = self.source.connection_weights(placed)
        pathways = {}
        for name, delay in self.source.delays(placed).items():
            kind = name.rpartition(".")[-1]
            recurrent = kind == "recurrent"
            pathway = Pathway(
                self._name(placed.name, kind),
                placed.layer,
                placed.input_shape,
                weights[name],
                delay,
                recurrent=recurrent,
                timing=self.timing,
                factor=self._factor(delay) if graded and not recurrent else None,
                namespace={self.held.name: self.held},
            )
            source = population if recurrent else before
            pathways[name] = pathway.build(source, population, self.clock, self.connectivity)
        return pathways

    def _factor(self, delay: Steps) -> str:
        """Return Brian2 code of the graded event that arrives after a delay."""
        if not self.config.in_time or not delay.any():
            return f"{HELD}_pre"
        return held_at(self.held, self.config, DELAY if delay.ndim else str(delay))

    def _name(self, layer: str, part: str = "neurons") -> str:
        """Return an object's name; no layer's name has `__` in it, so the two never collide."""
        return f"{self.prefix}{layer}__{part}"

    def _spikes(
        self, populations: Mapping[str, Population]
    ) -> dict[str, SpikeMonitor | SpikeRecorder]:
        return {
            layer: SpikeRecorder(population, name=f"{population.name}__spikes")
            if self.compact
            else SpikeMonitor(population, [PRESENTATION], name=f"{population.name}__spikes")
            for layer, population in populations.items()
            if "spike" in population.events
        }

    def _states(self, populations: Mapping[str, Population]) -> dict[str, StateMonitor]:
        monitors = {}
        for placed in self.config.placed:
            record = self.record
            requested = record.get(placed.name, ()) if isinstance(record, Mapping) else record
            names = [name for name in placed.program.states if name in requested]
            if names:
                population = populations[placed.name]
                monitors[placed.name] = StateMonitor(
                    population, names, record=True, when="end", clock=self.clock,
                    name=f"{population.name}__states",
                )  # fmt: skip
        return monitors
