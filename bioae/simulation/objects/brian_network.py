"""A network in Brian2: build its objects, present images, run, read the result."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias, Unpack

import numpy as np
import xarray as xr
from brian2 import Clock, Group, NeuronGroup, SpikeMonitor, StateMonitor, prefs, second
from brian2 import Network as Brian2Network
from numpy.typing import NDArray

from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.equations.program import INPUT
from bioae.errors import DataError, InputError
from bioae.networks.inputs import Steps
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import PlasticState
from bioae.networks.rules import Held, check_held, rules_of
from bioae.networks.schedule import Timing
from bioae.noise import population_number
from bioae.showing import Shown, Summary
from bioae.simulation.backend import STANDALONE, Connectivity
from bioae.simulation.brian2_internals.groups import float32_allowed, mark_as_run
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.code_runners import SpikeRecorder
from bioae.simulation.objects.input import HELD, InputNeurons, held_array, held_at
from bioae.simulation.objects.pathways import DELAY, AnySynapses, Pathway
from bioae.simulation.objects.plastic_synapses import PlasticSynapses
from bioae.simulation.objects.population import Population, collect
from bioae.simulation.objects.presentation_clock import (
    LEARNED,
    PRESENTATION,
    key_arrays,
    noise_keys,
)
from bioae.simulation.objects.reading import Monitors
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.results.describe import result_of

__all__ = ["BrianNetwork", "Learner"]

#: A Brian2 group that learns.
Learner: TypeAlias = PlasticSynapses | Population


class BrianNetwork(Shown):
    """The Brian2 objects of a network; add your own to `network` before it runs.

    Parameters
    ----------
    network, presentations, connectivity, compact, prefix, record, learning
        As for `bioae.build`, which checks them; objects are made on the active device.

    Attributes
    ----------
    network
        The `brian2.Network` of everything below.
    source
        The network that was built.
    presentations
        The number of images that one run presents.
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
    keys
        The keys of the neurons' noise, set by `present`; None where there is no noise.
    learning
        Whether it learns, by its synapse models.
    state
        What the network has learned, from which its next run starts.
    images
        The images of the last `present`.
    """

    def __init__(
        self,
        network: Network,
        presentations: int,
        *,
        connectivity: Connectivity = "shared",
        compact: bool = False,
        prefix: str = "",
        record: Collection[str] | Mapping[str, Collection[str]] = (),
        learning: bool = False,
    ) -> None:
        # It reorders arithmetic; constant subexpressions are out of the equations already.
        prefs.codegen.loop_invariant_optimisations = False
        self.source, self.presentations, self.learning = network, presentations, learning
        self.images: Presentations | None = None
        self._prefix, self._connectivity = prefix, connectivity
        config = network.config
        # Before there are objects of Brian2, which warn if they are not used.
        self.state = network.plastic_state() if learning else PlasticState(())
        self._clock = Clock(config.dt_seconds * second, name=f"{prefix}network__clock")
        self.held = held_array(presentations, config, name=self._name("input", "held"))
        self.keys = self._noise_keys()
        self.input = InputNeurons(
            config, self.held, clock=self._clock, name=self._name("input"), keys=self.keys
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
        self.spikes = self._spikes(compact=compact)
        self.states = self._states(record)
        self.decoded = self.readout and collect(
            self.readout, placed.readout.decoded, config.decoder, self.timing
        )
        self.network = self._assembled()

    def _summary(self) -> Summary:
        heading = (
            f"BrianNetwork: {self.presentations} presentations in one run of {self.steps} steps; "
            "add objects to `network`"
        )
        objects = {
            "input": self.input,
            **{f"populations[{name!r}]": each for name, each in self.populations.items()},
            **{f"synapses[{name!r}]": each for name, each in self.synapses.items()},
            **{f"spikes[{name!r}]": each for name, each in self.spikes.items()},
            **{f"states[{name!r}]": each for name, each in self.states.items()},
        }
        rows = [("object", "class", "name in Brian2")]
        rows += [(name, type(each).__name__, each.name) for name, each in objects.items()]
        return Summary(heading, rows)

    @property
    def plastic(self) -> dict[str, PlasticSynapses]:
        """The pathways that learn, by the name of their weights."""
        each = self.synapses.items()
        return {name: path for name, path in each if isinstance(path, PlasticSynapses)}

    @property
    def learners(self) -> list[tuple[str, str, Learner]]:
        """The groups that learn, each after its owner and kind, see `PlasticState.get`."""
        found: list[tuple[str, str, Learner]] = []
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
        """Yield the values from which groups start to learn: group, variable, values.

        Parameters
        ----------
        presentations
            The number of presentations from which they learn; those that follow are padding.
        held
            The held numbers of these presentations, by name.
        """
        for owner, kind, group in self.learners:
            start = group.start_arrays(self.state.get(owner, kind), presentations, held)
            for name, values in start.items():
                yield group, name, values

    def keep_state(self) -> None:
        """Set `state` to what the groups have learned in a finished run."""
        for owner, kind, group in self.learners:
            self.state.set(owner, kind, group.learned)

    @property
    def timing(self) -> Timing:
        """The windows of presentations in a run."""
        return self.source.config.timing

    @property
    def steps(self) -> int:
        """Steps of a run: until the last layer has seen the last presentation."""
        return self.timing.duration(self.presentations, len(self.populations))

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
        data
            Images, signals or events in any of the forms of `bioae.datasets.convert`; at most
            `presentations` of them, with their repeats.
        seed, repeats, options
            As for `bioae.simulate`.
        held
            The held numbers of rules, if the network learns, as for `bioae.learn`.

        Raises
        ------
        DataError
            If the images do not fit the network, or are too many.
        InputError
            If the network has run since it was built or restored; if there are several repeats
            and the network has no noise; or if held numbers do not fit.
        """
        check_options(options, self.present)
        if float(self.network.t) > 0:
            raise InputError(
                "the network has run already",
                hint="Call network.store() before the first run and network.restore() before each "
                "further present, or build the network again",
            )
        checked = Presentations.of(self.source.config, data, seed=seed, repeats=repeats, **options)
        if len(checked) > self.presentations:
            raise DataError(
                "there are more images and repeats than presentations",
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
        numbers = check_held(self.source.config.placed, held, len(checked)) if self.learning else {}
        self.images = checked
        self.set_input(checked)
        for *_, group in self.learners:  # what follows the last image teaches nothing
            group.variables[LEARNED].set_value([len(checked)])
        for synapses in self.plastic.values():
            for name, values in synapses.held_arrays(numbers).items():
                synapses.variables[name].set_value(values)

    def set_input(self, images: Presentations, part: slice = slice(None)) -> None:
        """Set the held values of the input, and the keys of the noise, to those of some images."""
        numbers = images.held(part)
        self.held.values[: len(numbers)] = numbers
        self.held.values[len(numbers) :] = 0.0
        if self.keys is not None:
            for name, values in key_arrays(images.key(part), self.presentations).items():
                self.keys.variables[name].set_value(values)

    def input_arrays(
        self, images: Presentations, part: slice = slice(None)
    ) -> dict[str, NDArray[Any]]:
        """Return the arrays that `set_input` would set, by their names in a standalone project.

        Held values end with the last of these presentations: missing ones are 0. So are the offsets
        of repeats where there are none.
        """
        arrays: dict[str, NDArray[Any]] = {f"{self.held.name}.values": images.held(part)}
        if self.keys is not None:
            key = images.key(part)
            for name, values in key_arrays(key, self.presentations).items():
                if name != "offset" or key.repeats is not None:
                    arrays[f"{self.keys.name}.{name}"] = values
        return arrays

    def read(self, examples: int) -> Chunk:
        """Read the first presentations of a finished run from the monitors.

        Raises
        ------
        InputError
            If the run has not reached the end of these presentations.
        ValueError
            If recorded spikes are incomplete.
        """
        self._check_ran(examples)
        monitors = Monitors(self.source.config, self.spikes, self.states, self.decoded)
        return monitors.read(examples)

    def result(self) -> xr.DataTree:
        """Return the result of the run since `present`, as `bioae.simulate` returns it.

        Raises
        ------
        DataError
            If no images were presented.
        InputError
            If the run has not reached the end of their presentations.
        """
        if self.images is None:
            raise DataError("no images were presented", hint="Call present(images) before the run")
        chunk = self.read(len(self.images))
        dtype = str(next(iter(self.populations.values())).variables[INPUT].dtype)
        return result_of(
            self.source.described(), self.images, chunk, target=active_target(), dtype=dtype
        )

    def run(self, presentations: int | None = None, **options: object) -> None:
        """Run all presentations, or the first few; `options` are those of `brian2.Network.run`.

        Raises
        ------
        InputError
            If there are fewer presentations, or none are to be run.
        """
        most = self.presentations
        count = most if presentations is None else presentations
        count = whole(count, "presentations", least=1, most=most)
        steps = self.timing.duration(count, len(self.populations))
        duration = steps * self.source.config.dt_seconds * second
        with float32_allowed():
            self.network.run(duration, **{"namespace": {}, **options})

    def _check_ran(self, presentations: int) -> None:
        needed = self.timing.duration(presentations, len(self.populations))
        ran = round(float(self.network.t) / self.source.config.dt_seconds)
        if ran < needed:
            raise InputError(
                f"only {ran} of {needed} steps have run" if ran else "the network has not run",
                expected=f"a run of {needed * self.source.config.dt_seconds * 1e3:g} ms",
                hint="Call run() first",
            )

    def _noise_keys(self) -> NeuronGroup | None:
        learning = self.source.config.placed if self.learning else ()
        rules = [rule for placed in learning for rule in rules_of(placed).values()]
        if not self.source.config.noisy and not any(rule.draws for rule in rules):
            return None
        return noise_keys(self.presentations, clock=self._clock, name=f"{self._prefix}noise__keys")

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
            clock=self._clock,
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
        graded = self.source.config.encoder.graded and not isinstance(before, Population)
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
                pathways[name] = pathway.build(source, population, self._clock, self._connectivity)
            else:
                pathways[name] = pathway.learning(
                    rules_of(placed)[name], source, population, placed.depth, clock=self._clock,
                    presentations=self.presentations, keys=self.keys,
                    start=partial(self.state.get, name),
                )  # fmt: skip
        return pathways

    def _factor(self, delay: Steps) -> str:
        """Return Brian2 code of the graded event that arrives after a delay."""
        if not self.source.config.in_time or not delay.any():
            return f"{HELD}_pre"
        return held_at(self.held, self.source.config, DELAY if delay.ndim else str(delay))

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

    def _states(
        self, record: Collection[str] | Mapping[str, Collection[str]]
    ) -> dict[str, StateMonitor]:
        monitors = {}
        for placed in self.source.config.placed:
            requested = record.get(placed.name, ()) if isinstance(record, Mapping) else record
            names = [name for name in placed.program.states if name in requested]
            if names:
                population = self.populations[placed.name]
                monitors[placed.name] = StateMonitor(
                    population, names, record=True, when="end", clock=self._clock,
                    name=f"{population.name}__states",
                )  # fmt: skip
        return monitors

    def _assembled(self) -> Brian2Network:
        """Return all objects in a Brian2 network, in the order of the schedule."""
        network = _OnceInStandalone()
        network.schedule = list(self.timing.schedule.slots)
        parts: list[Any] = [self.input, *self.populations.values(), *self.synapses.values()]
        parts += [each for synapses in self.plastic.values() for each in synapses.traces.values()]
        parts += [*self.spikes.values(), *self.states.values()]
        parts += [self.readout, self.decoded, self.keys]
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
