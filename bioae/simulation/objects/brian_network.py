"""A network in Brian2: build its objects, present data, run, read the result."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

import numpy as np
from brian2 import Group, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, prefs, second
from brian2 import Network as Brian2Network
from numpy.typing import NDArray

from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.equations.program import INPUT
from bioae.equations.synapses.model import WEIGHT
from bioae.equations.synapses.program import Rule
from bioae.errors import DataError, InputError, TargetError
from bioae.networks.layer_base import ENCODER
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import Held, PlasticState, rules_of
from bioae.networks.schedule import Timing
from bioae.networks.teaching import Teaching
from bioae.noise import population_number
from bioae.showing import Shown, Summary
from bioae.simulation.backend import STANDALONE, Connectivity
from bioae.simulation.brian2_internals.groups import float32_allowed, mark_as_run
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.code_runners import SpikeRecorder, ValueRecorder
from bioae.simulation.modulators import modulators
from bioae.simulation.objects.input import EXAMPLES, InputNeurons
from bioae.simulation.objects.normaliser import Normaliser
from bioae.simulation.objects.pathways import Pathway
from bioae.simulation.objects.plastic_synapses import PlasticSynapses
from bioae.simulation.objects.population import Neurons, Population, collect
from bioae.simulation.objects.presentation_clock import LEARNED, PRESENTATION, PresentationClock
from bioae.simulation.objects.reading import Monitors
from bioae.simulation.objects.script_synapses import LAST_STEP, ScriptSynapses
from bioae.simulation.objects.traces import Traces
from bioae.simulation.objects.under_way import SpikesUnderWay
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.sharing import SharedSynapses

if TYPE_CHECKING:
    import xarray as xr

Learning: TypeAlias = PlasticSynapses | ScriptSynapses

AnySynapses: TypeAlias = Synapses | SharedSynapses | Learning


class BrianNetwork(Shown):
    """The Brian2 objects of a network; add your own to `network` before it runs.

    Parameters
    ----------
    network, presentations, connectivity, compact, prefix, learning
        As for `bioae.build`, which checks them; objects are made on the active device.
    teaching
        The normalisation of weights and the repetition of examples, if it learns.
    record
        Variables to record, by layer, see `bioae.simulation.backend.recorded`.

    Attributes
    ----------
    network
        The `brian2.Network` of everything below.
    source
        The network that was built.
    presentations
        The number of presentations of one run.
    held
        The held values of the input neurons (presentation, neuron), or (step, neuron) of input that
        varies in time, see `bioae.networks.encoders`: set by `present`. The last row stays 0.
    input
        The input neurons.
    populations
        The layers' neurons, by name.
    readout
        The last layer's potential U, where the decoder reads it.
    synapses
        The pathways, by the name of their weights (``LAYER.weight``).
    spikes
        A `SpikeMonitor` per layer with a threshold, or a `SpikeRecorder` if `compact`.
    states
        A `StateMonitor` per layer with recorded variables.
    decoded
        The decoder's values from the read-out, a row per presentation.
    clock
        The presentation clock, with the keys of the neurons' noise, which `present` sets.
    learning
        Whether the network learns, by its synapse models.
    state
        The learned state, from which the next run starts.
    carried
        The rest of the state in which the last run ended, by group and variable, where it carries
        over to the next one.
    presented
        The presentations of the last `present`.
    """

    def __init__(
        self,
        network: Network,
        presentations: int,
        *,
        connectivity: Connectivity = "shared",
        compact: bool = False,
        prefix: str = "",
        record: Mapping[str, Collection[str]] | None = None,
        learning: bool = False,
        teaching: Teaching | None = None,
    ) -> None:
        # It reorders arithmetic; constant subexpressions are out of the equations already.
        prefs.codegen.loop_invariant_optimisations = False
        self.source, self.presentations, self.learning = network, presentations, learning
        self.presented: Presentations | None = None
        self.teaching = teaching or Teaching()
        self._prefix, self._connectivity = prefix, connectivity
        config = network.config
        learners = config.placed if learning else ()
        every = {n: rule for placed in config.placed for n, rule in rules_of(placed).items()}
        rules = {n: rule for n, rule in every.items() if learning or rule.delivers}
        draws = config.noisy or any(rule.draws for rule in rules.values())
        # Before there are objects of Brian2, which warn if they are not used.
        self.state = PlasticState(learners, network.weights)
        self.carried: dict[str, NDArray[Any]] = {}
        self.clock = PresentationClock(
            config.timing, presentations, config.dt_seconds, draws=draws, prefix=prefix,
            repeat=self.teaching.repeat,
        )  # fmt: skip
        self.input = InputNeurons(
            config, self.clock, self._name("input"), table=self._name("input", "held")
        )
        self.held = self.input.table
        self.populations: dict[str, Population] = {}
        self.readout: Population | None = None
        self.decoded: ValueRecorder | None = None
        for placed in config.placed:
            self._add_neurons(placed)
        self.spikes = self._spikes(compact=compact)
        self.states = self._states(record or {})
        self.synapses: dict[str, AnySynapses] = {}
        self._under_way: list[SpikesUnderWay] = []
        for placed in learners:
            for rule in rules_of(placed).values():
                self.populations[placed.name].add_numbers(rule)
        for placed in config.placed:
            self.synapses |= self._pathways(placed, rules)
        if self.teaching.repeat is not None:
            self.clock.count(self.populations[self.teaching.repeat.population])
        for name, total in self.teaching.normalise.items():
            path = self.plastic[name]
            Normaliser(path, path.weight_variable, float(total), self.clock)
        self.network = self._assembled()

    def _summary(self) -> Summary:
        heading = (
            f"BrianNetwork: {self.presentations} presentations in one run of {self.steps} steps; "
            "add objects to `network`"
        )
        objects = {"input": self.input}
        for kind in ("populations", "synapses", "spikes", "states"):
            objects |= {f"{kind}[{name!r}]": each for name, each in getattr(self, kind).items()}
        rows = [("object", "class", "name in Brian2")]
        rows += [(name, type(each).__name__, each.name) for name, each in objects.items()]
        return Summary(heading, rows)

    @property
    def plastic(self) -> dict[str, Learning]:
        """The pathways that learn, by the name of their weights."""
        each = self.synapses.items() if self.learning else ()
        return {name: path for name, path in each if isinstance(path, Learning)}

    @property
    def learners(self) -> list[tuple[str, str, Learning | Population]]:
        """The groups that learn, each after its owner and kind, see `PlasticState.get`."""
        found: list[tuple[str, str, Learning | Population]] = []
        if self.learning:
            layers = self.source.config.placed
            found += [(p.name, "neuron", self.populations[p.name]) for p in layers if p.persistent]
        for name, synapses in self.plastic.items():
            found.append((name, "synapse", synapses))
            sides = synapses.traces.items()
            found += [(name, side, each) for side, each in sides if self.state.get(name, side)]
        return found

    def start_arrays(
        self, presentations: int, held: Mapping[str, NDArray[np.float64]]
    ) -> Iterator[tuple[Group, str, NDArray[Any]]]:
        """Yield the values from which a run starts: group, variable, values.

        It learns from a number of presentations, with these modulators; the others are padding.
        """
        for owner, kind, group in self.learners:
            for name, values in group.start_arrays(self.state.get(owner, kind)).items():
                yield group, name, values
        for key, group, name in self._carriers:
            if key in self.carried:
                yield group, name, self.carried[key]
        yield from self._lesson(presentations, held)

    @property
    def _carriers(self) -> list[tuple[str, Group, str]]:
        """The variables that carry over: their keys in `carried`, groups and names."""
        if not self.timing.carry_over:
            return []
        traces = [each for path in self.plastic.values() for each in path.traces.values()]
        groups = [self.input, *self.populations.values(), *self.synapses.values(), *traces]
        groups += self._under_way
        groups += [self.readout] if self.readout is not None else []
        return [
            (f"{group.name}.{name}", group, name)
            for group in groups
            for name in getattr(group, "carried", ())
        ]

    def _lesson(
        self, presentations: int, held: Mapping[str, NDArray[np.float64]]
    ) -> Iterator[tuple[Group, str, NDArray[Any]]]:
        """Yield the values of `start_arrays` that do not depend on what was learned before."""
        for *_, group in self.learners:  # what follows the last example teaches nothing
            counter = getattr(group, "counter", LEARNED)
            yield group, counter, np.array([presentations], np.int32)
        if self.clock.stops:
            yield self.input, EXAMPLES, np.array([presentations], np.int32)
        for synapses in self.plastic.values():
            for name, values in synapses.held_arrays(held).items():
                yield synapses, name, values

    def keep_state(self) -> None:
        """Set `state` and `carried` to the values of the groups after a run."""
        steps = round(self.clock.clock.variables["t"].get_value().item() / self.clock.dt)
        for key, group, name in self._carriers:
            self.carried[key] = np.array(group.variables[name].get_value())
            if name == LAST_STEP:  # steps count from the start of a run
                self.carried[key] -= steps
        for owner, kind, group in self.learners:
            self.state.set(owner, kind, group.learned)

    @property
    def timing(self) -> Timing:
        """The windows of presentations in a run."""
        return self.source.config.timing

    @property
    def steps(self) -> int:
        """Steps of a run: until the last layer has seen the last presentation; the most of them."""
        return self._steps_of(self.presentations)

    def _steps_of(self, presentations: int) -> int:
        most = presentations * self.clock.most
        return self.timing.duration(most, self.source.config.depth)

    @property
    def duration(self) -> object:
        """The length of a run, a `brian2.Quantity`."""
        return self.steps * self.source.config.dt_seconds * second

    def present(
        self,
        data: Data | Any,
        *,
        seed: int = 0,
        repeats: int = 1,
        held: Held | None = None,
        **options: Unpack[DataOptions],
    ) -> None:
        """Set the examples of the next run.

        Parameters
        ----------
        data, seed, repeats, options
            As for `bioae.simulate`; at most `presentations` examples, with their repeats.
        held
            The modulators of rules, if the network learns, as for `bioae.learn`.

        Raises
        ------
        DataError
            If the data do not fit the network, or are too many.
        InputError
            If the network has run since it was built or restored; if there are several repeats
            and the network has no noise; or if modulators do not fit.
        """
        check_options(options, self.present)
        if float(self.network.t) > 0:
            raise InputError(
                "the network has run already",
                hint="Call network.store() before the first run and network.restore() before each "
                "further present, or build the network again",
            )
        config = self.source.config
        checked = Presentations.of(config, data, seed=seed, repeats=repeats, **options)
        if len(checked) > self.presentations:
            raise DataError(
                "there are more examples and repeats than presentations",
                expected=f"at most {self.presentations}",
                found=str(len(checked)),
                hint="Build the network with more: build(network, presentations=...)",
            )
        if held is not None and not self.learning:
            raise InputError(
                "the network does not learn",
                where="held",
                hint="Build it to learn: build(network, presentations, learning=True)",
            )
        numbers = modulators(config, held, checked) if self.learning else {}
        self.presented = checked
        self.set_input(checked)
        for group, name, values in self._lesson(len(checked), numbers):
            group.variables[name].set_value(values)

    def set_input(self, presented: Presentations, part: slice = slice(None)) -> None:
        """Set the held values of the input and the keys of the noise to those of presentations."""
        numbers = presented.held(part)
        self.held.values[: len(numbers)] = numbers
        self.held.values[len(numbers) :] = 0.0
        self.clock.set_key(presented.key(part))

    def input_arrays(
        self, presented: Presentations, part: slice = slice(None)
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays that `set_input` would set, by their names in a standalone project.

        Held values end with the last of these presentations: missing ones are 0.
        """
        arrays: dict[str, NDArray[Any]] = {f"{self.held.name}.values": presented.held(part)}
        return arrays | self.clock.key_arguments(presented.key(part))

    def read(self, examples: int) -> Chunk:
        """Read the first presentations of a finished run from the monitors; all, if some repeat.

        Raises an InputError if the run has not reached their end, a ValueError if recorded spikes
        are incomplete.
        """
        shown = None
        if self.clock.shown is not None:
            shown = self.clock.shown.rows[:, 0].astype(np.int64)
            examples = len(shown)
        self._check_ran(examples)
        chunk = Monitors(self.source.config, self.spikes, self.states, self.decoded).read(examples)
        return replace(chunk, shown=shown)

    def result(self) -> xr.DataTree:
        """Return the result of the run since `present`, as `bioae.simulate` returns it.

        Raises
        ------
        DataError
            If no data were presented.
        InputError
            If the run has not reached the end of their presentations.
        """
        from bioae.simulation.results.describe import result_of

        if self.presented is None:
            raise DataError("no data were presented", hint="Call present(data) before the run")
        chunk = self.read(len(self.presented))
        dtype = str(next(iter(self.populations.values())).variables[INPUT].dtype)
        return result_of(self.source, self.presented, chunk, target=active_target(), dtype=dtype)

    def run(self, presentations: int | None = None, **options: object) -> None:
        """Run all presentations, or the first few; `options` are those of `brian2.Network.run`.

        Raises
        ------
        InputError
            If there are fewer presentations, none are to be run, or all have run.
        """
        most = self.presentations
        count = most if presentations is None else presentations
        count = whole(count, "presentations", least=1, most=most)
        if self.network.t >= self.duration:
            raise InputError(
                "all presentations have run", expected="a run after network.restore()",
                hint="Call network.store() before the first run",
            )  # fmt: skip
        duration = self._steps_of(count) * self.source.config.dt_seconds * second
        with float32_allowed():
            self.network.run(duration, **{"namespace": {}, **options})

    def _check_ran(self, presentations: int) -> None:
        needed = self.timing.duration(presentations, self.source.config.depth)
        ran = round(float(self.network.t) / self.source.config.dt_seconds)
        if ran < needed:
            raise InputError(
                f"only {ran} of {needed} steps have run" if ran else "the network has not run",
                expected=f"a run of {needed * self.source.config.dt_seconds * 1e3:g} ms",
                hint="Call run() first",
            )

    def _add_neurons(self, placed: PlacedLayer) -> None:
        """Add a layer's neurons, and the read-out, which shares the input of its neurons."""
        network, decoder = self.source, self.source.config.decoder
        neurons = Neurons(
            placed.program,
            network.parameters(placed),
            placed.size,
            placed.depth,
            population_number(placed.number),
            placed.separate_inhibition,
            placed.model.targets,
            network.biases(placed),
            placed.persistent if self.learning else (),
            () if self.learning else placed.persistent,
        )
        population = Population(neurons, self.clock, self._name(placed.name))
        self.populations[placed.name] = population
        if decoder.reads_potential and placed is network.config.placed[-1]:
            readout = replace(
                neurons,
                program=placed.readout_program,
                parameters=network.parameters(placed, readout=True),
                number=population_number(placed.number, readout=True),
                persistent=(),
            )
            name = self._name(placed.name, "readout")
            self.readout = Population(readout, self.clock, name, shares_input=population)
            potential, slot = placed.readout.decoded, network.config.decoding_slot
            self.decoded = collect(self.readout, potential, decoder, self.timing, slot)

    def _pathways(self, placed: PlacedLayer, rules: Mapping[str, Rule]) -> dict[str, AnySynapses]:
        population = self.populations[placed.name]
        weights, delays = self.source.connection_weights(placed), self.source.delays(placed)
        pathways: dict[str, AnySynapses] = {}
        for projection in placed.projections:
            name, delay = projection.name, delays[projection.name]
            pathway = Pathway(
                self._name(placed.name, projection.kind),
                projection,
                placed.separate_inhibition and projection.target is None,
                self.source.weights,
                weights[name],
                delay,
                self.clock,
            )
            first = projection.source == ENCODER
            source = self.input if first else self.populations[projection.source]
            if name in rules and rules[name].in_script:
                pathways[name] = self._in_script(pathway, rules[name], source, population)
            elif name in rules:
                pathways[name] = self._plastic(placed, pathway, rules[name], source)
            elif self._connectivity == "shared" and not delay.ndim:
                pathways[name] = pathway.shared(source, population)
            else:  # synapses that differ in delay share no weights
                pathways[name] = unrolled = pathway.unrolled(source, population)
                if self.timing.carry_over and delay.any():
                    self._under_way.append(SpikesUnderWay(unrolled, int(delay.max())))
        return pathways

    def _in_script(
        self, pathway: Pathway, rule: Rule, source: NeuronGroup, target: Population
    ) -> ScriptSynapses:
        """Return synapses in the order of a script, with what they have learned."""
        if active_target() == "cuda_standalone":
            raise TargetError(
                "rules in the order of a script do not run on CUDA", where=pathway.name,
                hint="Use --target cpp_standalone",
            )  # fmt: skip
        name, known = pathway.projection.name, self.source.weights
        arrays = {each: f"{name}_{each}" for each in rule.states}
        start: Any = {each: known[array] for each, array in arrays.items() if array in known}
        start |= self.state.get(name, "synapse") or {WEIGHT: pathway.weights}
        synapses = ScriptSynapses(
            pathway, rule, source, target, start=start, learning=self.learning
        )
        if self.timing.carry_over and pathway.delay.any():
            self._under_way.append(SpikesUnderWay(synapses, int(pathway.delay.max())))
        return synapses

    def _plastic(
        self, placed: PlacedLayer, pathway: Pathway, rule: Rule, source: NeuronGroup
    ) -> PlasticSynapses:
        """Return synapses that learn, and their traces: those of the source, and of the target."""
        target, name = self.populations[placed.name], pathway.projection.name
        depth = placed.depth
        ends = {"pre": (source, depth + pathway.projection.lag - 1), "post": (target, depth)}
        traces = {
            side: Traces(
                program, *ends[side], self.clock,
                name=f"{pathway.name}__{side}", persistent=self.state.get(name, side),
            )
            for side, program in rule.traces.items()
        }  # fmt: skip
        learned, config = self.state.get(name, "synapse"), self.source.config
        return PlasticSynapses(
            pathway, rule, source, target, traces=traces, learned=learned,
            points=config.steps if config.task.in_time else 1,
        )  # fmt: skip

    def _name(self, layer: str, part: str = "neurons") -> str:
        """Return an object's name; no layer's name has `__` in it, so the two never collide."""
        return f"{self._prefix}{layer}__{part}"

    def _spikes(self, *, compact: bool) -> dict[str, SpikeMonitor | SpikeRecorder]:
        return {
            layer: SpikeRecorder(population, name=f"{population.name}__spikes")
            if compact
            else SpikeMonitor(population, [PRESENTATION], name=f"{population.name}__spikes")
            for layer, population in self.populations.items()
            if "spike" in population.events
        }

    def _states(self, record: Mapping[str, Collection[str]]) -> dict[str, StateMonitor]:
        return {
            layer: StateMonitor(
                self.populations[layer], list(names), record=True, when="end",
                clock=self.clock.clock, name=f"{self.populations[layer].name}__states",
            )
            for layer, names in record.items()
            if names
        }  # fmt: skip

    def _assembled(self) -> Brian2Network:
        """Return all objects in a Brian2 network, in the order of the schedule."""
        network = _OnceInStandalone()
        network.schedule = list(self.timing.schedule.slots)
        parts: list[Any] = [self.input, *self.populations.values(), *self.synapses.values()]
        parts += [each for synapses in self.plastic.values() for each in synapses.traces.values()]
        parts += [*self.spikes.values(), *self.states.values()]
        parts += [*self._under_way, self.readout, self.decoded, self.clock.keys]
        parts += [self.clock.course, self.clock.shown]
        for part in parts:
            if part is not None:
                network.add(part)
                mark_as_run(part, network)
        return network


class _OnceInStandalone(Brian2Network):  # type: ignore[misc]
    """A network that runs once in a standalone program: a further run would lose spikes.

    There Brian2 empties the queues of spikes under way as a run begins.
    """

    def run(self, *args: Any, level: int = 0, **options: Any) -> None:
        """Run the network, see `brian2.Network.run`."""
        if float(self.t) > 0 and active_target() in STANDALONE:
            raise InputError(
                f"on {active_target()} a second run would lose the spikes that are under way",
                where="network.run",
                hint="Run the network once, for built.duration; numpy and cython can continue",
            )
        # One frame more between the caller, whose names Brian2 looks up, and Brian2.
        super().run(*args, level=level + 1, **options)
