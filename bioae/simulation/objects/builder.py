"""The Brian2 objects of a network: its input, layers, pathways and monitors."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from brian2 import Clock, NeuronGroup, SpikeMonitor, StateMonitor, prefs, second

from bioae.networks.base import NetworkBase
from bioae.networks.inputs import Steps
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.rules import learned_by, rules_of
from bioae.noise import population_number
from bioae.simulation.backend import Connectivity
from bioae.simulation.code_runners import SpikeRecorder
from bioae.simulation.objects.input import HELD, InputNeurons, held_array, held_at
from bioae.simulation.objects.pathways import DELAY, AnySynapses, Pathway
from bioae.simulation.objects.population import Population, collect
from bioae.simulation.objects.presentation_clock import PRESENTATION, noise_keys

__all__ = ["Builder"]


class Builder:
    """The Brian2 objects of a network, made on the active device.

    The parameters are those of `bioae.simulation.build`, the other attributes those of
    `bioae.simulation.BrianNetwork`.
    """

    def __init__(
        self,
        network: NetworkBase,
        presentations: int,
        *,
        connectivity: Connectivity,
        compact: bool,
        prefix: str,
        record: Collection[str] | Mapping[str, Collection[str]],
        learning: bool = False,
    ) -> None:
        # It reorders arithmetic; constant subexpressions are out of the equations already.
        prefs.codegen.loop_invariant_optimisations = False
        self.source, self.config, self.timing = network, network.config, network.config.timing
        self.presentations = presentations
        self.connectivity = connectivity
        self.compact = compact
        self.prefix = prefix
        self.record = record
        self.learning = learning
        # Before there are objects of Brian2, which warn if they are not used.
        self._learned = {
            placed.name: learned_by(placed, network.weights, self.config.dt_seconds)
            for placed in (self.config.placed if learning else ())
        }
        self.clock = Clock(self.config.dt_seconds * second, name=f"{prefix}network__clock")
        config = self.config
        self.held = held_array(self.presentations, config, name=self._name("input", "held"))
        self.keys = self._keys()
        self.input = InputNeurons(
            config, self.held, clock=self.clock, name=self._name("input"), keys=self.keys
        )
        self.populations: dict[str, Population] = {}
        self.synapses: dict[str, AnySynapses] = {}
        before: NeuronGroup = self.input
        for placed in config.placed:
            population = self._population(placed)
            self.synapses |= self._pathways(placed, before, population)
            self.populations[placed.name] = before = population
        self.readout: Population | None = None
        if config.decoder.reads_potential:
            self.readout = self._population(placed, shares_input=population)
        self.spikes = self._spikes()
        self.states = self._states()
        self.decoded = self.readout and collect(
            self.readout, placed.readout.decoded, config.decoder, self.timing
        )

    def _keys(self) -> NeuronGroup | None:
        learning = self.config.placed if self.learning else ()
        rules = [rule for placed in learning for rule in rules_of(placed).values()]
        if not self.config.noisy and not any(rule.draws for rule in rules):
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
            persistent=placed.persistent if self.learning and not readout else (),
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
            if not self.learning or name not in placed.synapses:
                pathways[name] = pathway.build(source, population, self.clock, self.connectivity)
            else:
                start = {
                    kind: {n: self._learned[placed.name][array] for n, array in arrays.items()}
                    for kind, arrays in placed.learned[name].items()
                }
                pathways[name] = pathway.learning(
                    rules_of(placed)[name], source, population, placed.depth, clock=self.clock,
                    presentations=self.presentations, keys=self.keys, start=start,
                )  # fmt: skip
        return pathways

    def _factor(self, delay: Steps) -> str:
        """Return Brian2 code of the graded event that arrives after a delay."""
        if not self.config.in_time or not delay.any():
            return f"{HELD}_pre"
        return held_at(self.held, self.config, DELAY if delay.ndim else str(delay))

    def _name(self, layer: str, part: str = "neurons") -> str:
        """Return an object's name; no layer's name has `__` in it, so the two never collide."""
        return f"{self.prefix}{layer}__{part}"

    def _spikes(self) -> dict[str, SpikeMonitor | SpikeRecorder]:
        return {
            layer: SpikeRecorder(population, name=f"{population.name}__spikes")
            if self.compact
            else SpikeMonitor(population, [PRESENTATION], name=f"{population.name}__spikes")
            for layer, population in self.populations.items()
            if "spike" in population.events
        }

    def _states(self) -> dict[str, StateMonitor]:
        monitors = {}
        for placed in self.config.placed:
            record = self.record
            requested = record.get(placed.name, ()) if isinstance(record, Mapping) else record
            names = [name for name in placed.program.states if name in requested]
            if names:
                population = self.populations[placed.name]
                monitors[placed.name] = StateMonitor(
                    population, names, record=True, when="end", clock=self.clock,
                    name=f"{population.name}__states",
                )  # fmt: skip
        return monitors
