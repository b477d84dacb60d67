"""A layer in PyTorch: a population, its connections and its read-out."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from itertools import product
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.errors import NetworkError
from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.projections import PlacedProjection
from bioae.noise import Key, population_number
from bioae.trainers.mirror.activity import SAMPLED, SENT, LayerActivity, Potential, Start
from bioae.trainers.mirror.compiled.arrays import Arrays
from bioae.trainers.mirror.compiled.component import Sent
from bioae.trainers.mirror.compiled.kernel import Part, Path
from bioae.trainers.mirror.compiled.layer import READOUT, CompiledLayer
from bioae.trainers.mirror.compiled.plan import SUM, Requested, Timeline
from bioae.trainers.mirror.compiled.unsupported import Unsupported, warn_uncompiled
from bioae.trainers.mirror.component import Member
from bioae.trainers.mirror.connections.dense_events import DenseEvents
from bioae.trainers.mirror.connections.events import ConvolutionEvents
from bioae.trainers.mirror.connections.functional import Product, connect, connect_innermost
from bioae.trainers.mirror.connections.pathways import Arrived, Pathway, Recurrence, Wire, add
from bioae.trainers.mirror.connections.sparse import SparseConnection
from bioae.trainers.mirror.connections.trained_delays import TrainedDelays
from bioae.trainers.mirror.layer_parameters import (
    LayerOptions,
    delay_bounds,
    trained_starts,
    with_bounds,
)
from bioae.trainers.mirror.neuron import NeuronMirror, PopulationRun
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.trained import Scale, TrainedParameter, as_array

#: The output of populations and of the encoder (time, example, ...), by name.
Emitted = Mapping[str, Tensor]

#: Whether a layer's steps are compiled; ``"auto"``: if possible.
Compile = bool | Literal["auto"]


class LayerMirror(nn.Module):
    """A population with its incoming connections and its read-out.

    Parameters
    ----------
    network
        The network, whose weights are copied.
    placed
        The layer.
    options
        The trained parameters, and the options of gradients.
    dtype, compile
        See `NetworkMirror`.
    arrays
        The source of memory for compiled layers in training.
    inside
        The populations that are stepped together with this one, see `bioae.networks.graph`.
    gated
        The populations whose derivative discards the gradient where they are silent.

    Raises
    ------
    NetworkError
        If bounds do not fit a parameter or a delay.
    """

    def __init__(
        self,
        network: Network,
        placed: PlacedLayer,
        options: LayerOptions,
        *,
        dtype: torch.dtype,
        compile: Compile = False,  # noqa: A002 - as PyTorch has it
        arrays: Arrays | None = None,
        inside: Collection[str] = (),
        gated: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.placed = placed
        #: The populations whose spikes depend on this one's, itself included.
        self._inside = {placed.name, *inside}
        self._compile = compile
        self._wires: dict[str, list[Wire]] = {}
        arrays = arrays or Arrays()
        names = (*placed.weight_shapes, *placed.bias_shapes)
        # Lists, as projections may have any name, also that of a method of `nn.ParameterDict`.
        self._names = [name.removeprefix(f"{placed.name}.") for name in names]
        self._weights = nn.ParameterList(
            nn.Parameter(torch.tensor(network.weights[name], dtype=dtype)) for name in names
        )
        self._pathways = nn.ModuleList(
            self._pathway(network, each, options, dtype, arrays, gated=each.source in gated)
            for each in placed.projections
        )
        within = [pathway for each, pathway in self.pathways if each.own]
        values = network.parameters(placed)
        model = with_bounds(placed.model, options.bounds, f"layer {placed.name}")
        trained = {
            name: TrainedParameter(Scale.for_parameter(model, name, start), dtype)
            for name, start in trained_starts(placed, model, values, options).items()
        }
        population = Population(
            placed.program,
            placed.shape,
            network.config.dt_seconds,
            network.config.timing.schedule,
            population_number(placed.number),
            memory=max((delay for pathway in within for delay in pathway.delays), default=0),
            steps=network.config.timing.steps + network.config.timing.rest,
        )
        common: dict[str, Any] = {
            "backward": options.backward,
            "dtype": dtype,
            "bias": self.weights["bias"] if placed.bias_shapes else None,
        }
        self.neuron = NeuronMirror(population, {**values, **trained}, **common)
        # A parameter that the neurons and the read-out have is one parameter.
        shared = {
            name: each
            for name, each in trained.items()
            if name in placed.shared_parameters
            and f"{placed.name}.readout.{name}" not in network.weights
        }
        number = population_number(placed.number, readout=True)
        #: The recorded value of the read-out.
        self.decoded = placed.readout.decoded
        readout = replace(population, program=placed.readout_program, number=number, memory=0)
        if network.config.decoding_slot != "end" and placed is network.config.placed[-1]:
            readout, self.decoded = replace(readout, sampled=self.decoded), SAMPLED
        own = network.parameters(placed, readout=True)
        self.readout = NeuronMirror(readout, {**own, **shared}, **common)
        self._compiled = CompiledLayer(self.neuron, self.readout, arrays) if compile else None
        for name, fixed in placed.fixed_weights.items():
            tensor = torch.tensor(fixed, dtype=dtype)
            self.register_buffer(f"_fixed_{name.rpartition('.')[-1]}", tensor, persistent=False)

    def _pathway(
        self,
        network: Network,
        projection: PlacedProjection,
        options: LayerOptions,
        dtype: torch.dtype,
        arrays: Arrays,
        *,
        gated: bool,
    ) -> Pathway:
        """Return the pathway of a projection; see the class for `arrays` and `gated`."""
        placed, layer, name, config = self.placed, projection.layer, projection.name, network.config
        delay, possible, trained = network.delays(placed)[name], projection.possible, None
        present = None if possible is None else torch.from_numpy(possible)
        if name in options.delays:
            bounds = delay_bounds(
                projection, options.delays[name], delay, dt=config.dt_seconds, steps=config.steps
            )
            trained = TrainedDelays(delay, bounds, present, dtype)
        gated = gated and trained is None  # delays get gradients from silent steps
        shapes, outer = (projection.source_shape, projection.shape), not projection.own
        connection: Product = partial(connect, layer)
        events: Product | None = None  # with channels innermost, for sparse spikes
        if layer.listed:
            source, target = projection.indices(network.weights)
            connection = SparseConnection(source, target, placed.size)
        elif outer and isinstance(layer, Dense):
            events = partial(connect_innermost, *shapes, DenseEvents(arrays, gated=gated))
        elif outer and isinstance(layer, Conv2d | ConvTranspose2d) and layer.groups == 1:
            events = ConvolutionEvents(layer, *shapes, arrays, gated=gated)
        return Pathway(
            connection,
            placed.shape,
            delay,
            # Spikes of the layer itself are known from its lead-in on, see `LayerMirror.arrived`.
            lag=0 if projection.own else config.timing.shift(projection.lag),
            target=projection.target,
            separate_inhibition=placed.separate_inhibition and projection.target is None,
            present=present,
            events=events,
            trained=trained,
        )

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """The trained weights, by the name of their projection, and the biases."""
        return dict(zip(self._names, self._weights, strict=True))

    @property
    def delays(self) -> dict[str, TrainedDelays]:
        """The trained delays, by the name of their projection."""
        paths = self.pathways
        return {each.kind: path.trained for each, path in paths if path.trained is not None}

    @property
    def pathways(self) -> list[tuple[PlacedProjection, Pathway]]:
        """The projections that it receives, each with its pathway."""
        return list(zip(self.placed.projections, self._pathways, strict=True))  # type: ignore[arg-type]

    def weights_of(self, projection: PlacedProjection) -> Tensor:
        """Return the weights of a projection, trained or fixed."""
        if projection.fixed is None:
            return self.weights[projection.kind]
        fixed: Tensor = getattr(self, f"_fixed_{projection.kind}")
        return fixed

    def forward(
        self,
        emitted: Emitted,
        *,
        potential: Potential | None,
        record: Collection[str] = (),
        key: Key | None = None,
        start: Start | None = None,
    ) -> LayerActivity:
        """Run a presentation on the output of the sources (time, example, ...), by their names."""
        if self._compiled is not None and self.alone:
            try:
                if start is not None:
                    raise Unsupported("state that carries over")
                return self._run_compiled(self._compiled, emitted, potential, record, key)
            except Unsupported as reason:
                self.leave_uncompiled(str(reason))
        run = self.neuron(
            self.arriving(emitted, start),
            recurrence=self.recurrence,
            record={"_spike", *record},
            key=key,
            start=start and start.of(self.placed.name),
        )
        return self.activity(run, potential, key, start)

    def leave_uncompiled(self, reason: str) -> None:
        """Say why the layer runs uncompiled; raise NetworkError if it is to be compiled."""
        if self._compile is True:
            raise NetworkError(
                "the layer cannot be compiled", where=f"layer {self.placed.name}", found=reason,
                hint='Set compile = "auto", which leaves such layers uncompiled',
            )  # fmt: skip
        warn_uncompiled(self.placed.name, reason)

    def activity(
        self,
        run: PopulationRun,
        potential: Potential | None,
        key: Key | None,
        start: Start | None = None,
    ) -> LayerActivity:
        """Return the activity of a layer that ran, with its potential U."""
        spikes, final = run.recorded.pop("_spike"), {self.placed.name: (self.neuron, run)}
        activity = LayerActivity(self.placed.name, spikes, states=run.recorded)
        if potential is not None:
            variable, name = self.decoded, f"{self.placed.name}.readout"
            options: dict[str, Any] = {"key": key, "before": run.before}
            options["start"] = start and start.of(name)
            read = self.readout(run.arrived, record=[variable], **options)
            trace, final[name] = read.recorded[variable], (self.readout, read)
            activity.potential = trace if potential == "all" or start else None
            activity.final_potential = trace[-1]
        if start is not None:
            activity.final = {
                f"{owner}/{name}": value
                for owner, (mirror, ran) in final.items()
                for name, value in mirror.carried(ran.final, len(spikes)).items()
            }
        return activity

    def _run_compiled(
        self,
        compiled: CompiledLayer,
        sources: Emitted,
        potential: Potential | None,
        record: Collection[str],
        key: Key | None,
    ) -> LayerActivity:
        own = [each for each in self.pathways if each[0].own]
        ((projection, pathway),) = (each for each in self.pathways if not each[0].own)
        emitted, lead_in = sources[projection.source], self.neuron.schedule.lead_in
        steps = len(emitted) + lead_in
        delay, sent, same = pathway.arrival(emitted, steps)
        cut = self.neuron.backward.truncate or 0
        results = compiled(
            partial(pathway.sums, emitted, self.weights_of(projection), steps),
            pathway.names,
            Timeline(steps, lead_in, sent, delay, cut, same),
            self._requested(potential, record),
            recurrent=partial(self._own_paths, *own[0]) if own else None,
            key=key,
        )
        return self.collected(results, potential)

    def _requested(self, potential: Potential | None, record: Collection[str]) -> Requested:
        variable = READOUT + self.decoded
        every = {"_spike", *record, *([variable] if potential == "all" else [])}
        return Requested(tuple(sorted(every)), (variable,) if potential == "last" else ())

    def collected(self, results: dict[str, Tensor], potential: Potential | None) -> LayerActivity:
        """Return the activity of a layer from the results of compiled steps."""
        spikes, counts = results.pop("_spike"), results.pop(f"{SUM}_spike")
        trace = results.pop(READOUT + self.decoded, None)
        every, last = (None, trace) if potential == "last" else (trace, None)
        return LayerActivity(self.placed.name, spikes, every, results, last, counts)

    @property
    def compiles(self) -> bool:
        """Return whether its steps are to be compiled, if possible."""
        return self._compiled is not None

    @property
    def alone(self) -> bool:
        """Return whether the layer is one that is compiled alone: in a chain, in most cases."""
        own = [each for each in self.pathways if each[0].own]
        others = [each for each in self.pathways if not each[0].own]
        named = any(each.target is not None for each, _ in self.pathways)
        dense = all(isinstance(each.layer, Dense) for each, _ in own)
        plain = len(others) == 1 and others[0][1].uniform and not others[0][1].lag
        plain = plain and not others[0][0].layer.listed
        return plain and dense and not named and len(own) <= 1 and len(self._inside) == 1

    def part(
        self, emitted: Emitted, potential: Potential | None, record: Collection[str],
        key: Key | None,
    ) -> Part:  # fmt: skip
        """Return the population as compiled code steps it together with others."""
        assert self._compiled is not None
        names = dict.fromkeys(self.neuron.program.arriving)
        names |= dict.fromkeys(name for _, pathway in self.pathways for name in pathway.names)
        dense = [each for each in self._outer if not each.layer.listed]
        arriving = self._over(emitted, dense, empty=True)
        known = {name: [each.get(name) if each else None for each in arriving] for name in names}
        timing = self.placed.depth - self.neuron.schedule.lead_in, len(arriving)
        return self._compiled.part(known, timing, self._requested(potential, record), key)

    @property
    def sources(self) -> list[str]:
        """The populations that have run before, from which synapses are listed one by one."""
        return [each.source for each in self._outer if each.layer.listed]

    def sent(self, members: Sequence[str]) -> Iterator[Sent]:
        """Yield the listed synapses, and those from populations that are stepped with this one.

        `members` are the names of these populations, then of those that have run before.
        """
        to, schedule = members.index(self.placed.name), self.neuron.schedule
        start = self.placed.depth - schedule.lead_in - (not schedule.at_once)
        for each, pathway in self.pathways:
            inside = each.source in self._inside
            if not inside and not each.layer.listed:
                continue
            if not (each.layer.listed or isinstance(each.layer, Dense)):
                raise Unsupported("a convolution between populations that depend on each other")
            weight, sources = self.weights_of(each), math.prod(each.source_shape)
            ends = members.index(each.source), to
            shift = 0 if inside else start + pathway.lag
            if not each.layer.listed and (pathway.trained or len(pathway.delays) == 1):
                for delay, kernels in pathway.kernels(weight):
                    for name, kernel in kernels.items():
                        yield Sent(None, delay + shift, ends, name, kernel.view(-1, sources).T)
                continue
            if each.name not in self._wires:
                self._wires[each.name] = pathway.wires(weight, sources)
            for wire, (name, kernel) in product(
                self._wires[each.name], pathway.split(weight).items()
            ):
                own = kernel.flatten()[wire.places]
                yield Sent(wire, wire.delay + shift, ends, name, own)

    def _own_paths(self, projection: PlacedProjection, pathway: Pathway) -> list[Path]:
        """Return the recurrent connections of each delay and sign."""
        return [
            Path(name, delay, kernel)
            for delay, kernels in pathway.kernels(self.weights_of(projection))
            for name, kernel in kernels.items()
        ]

    @contextmanager
    def uncompiled(self) -> Iterator[None]:
        """Run every step with PyTorch's operations within the block."""
        compiled, self._compiled = self._compiled, None
        try:
            yield
        finally:
            self._compiled = compiled

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return weights and trained parameters, by their names in the network."""
        own = {name: as_array(weights) for name, weights in self.weights.items()}
        own |= {name: each.values() for name, each in self.neuron.trained.items()}
        return {f"{self.placed.name}.{name}": values for name, values in own.items()}

    @property
    def recurrence(self) -> Recurrence | None:
        """The recurrent input of the population, as a function of its spikes."""
        own = [path.recurrence(self.weights_of(each)) for each, path in self.pathways if each.own]
        if not own:
            return None
        return lambda spikes: reduce(add, (send(spikes) for send in own))

    def arriving(self, emitted: Emitted, start: Start | None = None) -> list[Arrived | None]:
        """Return the input in each step of a period, but for that from the layers `inside`.

        `emitted` is the output of the sources (time, example, ...), by their names; `start` the
        state from which the presentation starts, if it carries over.
        """
        return self._over(emitted, self._outer, 0 if start is None else start.before)

    @property
    def _outer(self) -> list[PlacedProjection]:
        """The projections from populations that are not stepped together with this one."""
        return [each for each, _ in self.pathways if each.source not in self._inside]

    def member(
        self,
        emitted: Emitted,
        record: Collection[str],
        key: Key | None,
        *,
        keep: bool,
        start: Start | None = None,
    ) -> Member:
        """Return the population as a member of those that are stepped together."""
        senders = [
            (each.source, each.own, path.sender(self.weights_of(each)))
            for each, path in self.pathways
            if each.source in self._inside
        ]
        examples = next(iter(emitted.values())).shape[1]
        member = Member(
            self.neuron, self.placed.depth, self.arriving(emitted, start), senders,
            examples=examples, record=("_spike", *record), keep=keep, key=key,
        )  # fmt: skip
        if start is not None:
            values = start.of(self.placed.name)
            member.carry_on(values, values.pop(SENT))
        return member

    def _over(
        self,
        emitted: Emitted,
        projections: Collection[PlacedProjection],
        before: int = 0,
        *,
        empty: bool = False,
    ) -> list[Arrived | None]:
        """Return the input from known spikes, by some projections, in each step of a period.

        Input of no step at all is that of the first one, of 0, unless it may be `empty`.
        """
        first, names = next(iter(emitted.values())), {each.name for each in projections}
        steps = len(first) - before + self.neuron.schedule.lead_in
        arriving: list[Arrived | None] = [None] * steps
        for each, pathway in self.pathways:
            if each.name in names:
                found = pathway.over(emitted[each.source], self.weights_of(each), steps, before)
                arriving = [add(one, other) for one, other in zip(arriving, found, strict=True)]
        if not empty and not any(arriving):  # nothing says how many examples there are
            zero = first.new_zeros(first.shape[1], *self.placed.shape)
            arriving[0] = dict.fromkeys(self.neuron.program.arriving, zero)
        return arriving

    @torch.no_grad()
    def arrived(self, emitted: Emitted, spikes: Tensor, key: Key | None = None) -> Arrived:
        """Return the total input at each step of a presentation, for known spikes, by name.

        `emitted` is the output of the sources, `spikes` that of this layer, 0 or 1, and the result
        as `NeuronMirror.step` takes it for one step: all (time, example, *shape).
        """
        own = [each for each in self.pathways if each[0].own]
        others = [each for each, _ in self.pathways if not each.own]
        arriving, lead_in = self._over(emitted, others), self.neuron.schedule.lead_in
        if own:
            before = torch.zeros_like(spikes[0])
            if lead_in:
                # A result has no spikes of the lead-in step: they follow from the initial state.
                values = self.neuron.start(len(before), key) | self.neuron.at(-lead_in, key)
                self.neuron.step(values, arriving[0], self.recurrence)
                before = values["_spike"]
            late = self.neuron.schedule.at_once > lead_in  # known in the step in which they arrive
            sent = spikes if late else torch.cat([before[None], spikes])[: len(arriving)]
            for each, pathway in own:
                found = pathway.over(sent, self.weights_of(each), len(arriving))
                arriving = [add(one, other) for one, other in zip(arriving, found, strict=True)]
        names = {name for each in arriving if each for name in each}
        zero = dict.fromkeys(names, torch.zeros_like(spikes[0]))
        inside = [{**zero, **(each or {})} for each in arriving[lead_in:]]
        return {name: torch.stack([each[name] for each in inside]) for name in names}
