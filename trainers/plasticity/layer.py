"""A layer that learns, in PyTorch: its neurons, its pathways, and the order of a step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, TypeAlias

import torch
from torch import Tensor

from bioae.equations.synapses.model import TARGET
from bioae.equations.synapses.program import DISTANCE, GAIN, named
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import rules_of
from bioae.networks.projections import PlacedProjection
from bioae.networks.schedule import Schedule
from bioae.noise import Key
from bioae.runs.tables import OptimiserSettings
from bioae.trainers.mirror.connections.pathways import Arrived, add, by_sign
from bioae.trainers.mirror.layer import LayerMirror
from bioae.trainers.plasticity.synapses import PlasticPathway

#: What the populations emit in a step, by name (example, neuron).
Sent: TypeAlias = Mapping[str, Tensor]

#: Sums of the numbers that synapses send back, by their source and name (example, neuron).
Signals: TypeAlias = dict[tuple[str, str], Tensor]


class LayerLearner:
    """A layer whose pathways learn by the rules of its synapse models.

    `mirror`: its mirror, for neurons and for pathways that do not learn; `optimiser`: the optimiser
    of weights that learn, see `PlasticPathway`.
    """

    def __init__(
        self,
        network: Network,
        placed: PlacedLayer,
        mirror: LayerMirror,
        optimiser: OptimiserSettings | None = None,
    ) -> None:
        self._mirror, self._placed, self.name = mirror, placed, placed.name
        self._timing = network.config.timing
        like = mirror.neuron.start(1)["_spike"].new_zeros(())
        #: What the neurons have learned, by variable (neuron).
        self.learned = dict.fromkeys(placed.persistent, like.new_zeros(placed.size))
        self.paths = {
            name: PlasticPathway(
                placed, name, rule, dt=network.config.dt_seconds, like=like, optimiser=optimiser
            )
            for name, rule in rules_of(placed).items()
        }

    def run(
        self, emitted: Tensor, held: Mapping[str, Tensor], key: Key | None = None
    ) -> tuple[Tensor, list[Arrived | None]]:
        """Run a presentation on the output of the layer before, and learn from it.

        Returns the spikes (time, example, *shape), and the input of each step.
        """
        neuron, lead_in = self._mirror.neuron, self._timing.schedule.lead_in
        steps, examples = self._timing.steps, emitted.shape[1]
        values = self._begun(examples, key)
        recurrence = self._mirror.recurrence
        forward = self._path("weight")
        within = self._path("recurrent")
        arriving: list[Arrived | None]
        (source, *_) = self._placed.projections
        arriving = (
            [None] * (steps + lead_in)
            if forward
            else self._mirror.arriving({source.source: emitted})
        )
        sent = emitted.flatten(2)
        self._start(examples, held, key)
        spikes: list[Tensor] = []
        arrived: list[Arrived | None] = []
        for number, each in enumerate(arriving):
            step = number - lead_in
            values |= neuron.at(step, key)

            def receive(now: Mapping[str, Tensor], number: int = number) -> Arrived | None:
                fired = now["_spike"].flatten(1)
                inputs: Arrived | None = None
                if forward is not None and number < steps:
                    inputs = self._shaped(forward.deliver(sent[number]), now["_spike"])
                if within is not None:
                    inputs = add(inputs, self._shaped(within.deliver(fired), now["_spike"]))
                elif recurrence is not None:
                    inputs = add(inputs, recurrence(now))
                self._learn(number, sent[number] if number < steps else None, fired)
                return inputs

            if lead_in:
                self._integrate()
            arrived.append(neuron.step(values, each, receive))
            if not lead_in:
                self._integrate()
            self._keep_sources(number)
            if step >= 0:
                spikes.append(values["_spike"])
        self._keep(values)
        return torch.stack(spikes), arrived

    def _begun(self, examples: int, key: Key | None) -> dict[str, Tensor]:
        """Return the neurons' values at the start of a presentation."""
        values = self._mirror.neuron.start(examples, key)
        for name, own in self.learned.items():
            values[name] = own.view(self._placed.shape).expand_as(values[name])
        return values

    def _keep(self, values: Mapping[str, Tensor]) -> None:
        """Keep persistent variables, averaged over the examples."""
        for name in self.learned:
            self.learned[name] = values[name].mean(0).flatten()
        for path in self.paths.values():
            path.keep("post")
            path.keep("synapse")

    def _keep_sources(self, number: int) -> None:
        """Keep the persistent traces of sources in their last step of the period."""
        last = self._timing.steps + self._timing.schedule.lead_in - 1
        for path in self.paths.values():
            # The window of the layer before ends a step earlier.
            if number == last - (not path.recurrent):
                path.keep("pre")

    def _start(self, examples: int, held: Mapping[str, Tensor], key: Key | None) -> None:
        """Start the pathways; the traces of the layer before are a step ahead."""
        for path in self.paths.values():
            path.start(examples, held, key)
            for side, traces in path.traces.items():
                ahead = side == "pre" and not path.recurrent
                # In Brian2's order the input neurons start in the step before the layers' window.
                if ahead and (self._placed.depth > 1 or not self._timing.schedule.lead_in):
                    traces.integrate()

    def _integrate(self) -> None:
        for path in self.paths.values():
            for traces in path.traces.values():
                traces.integrate()

    def _learn(self, number: int, sent: Tensor | None, fired: Tensor) -> None:
        """Learn in a step of the period, then let the traces jump, see `docs/timing.md`."""
        lead_in, steps = self._timing.schedule.lead_in, self._timing.steps
        step = number - lead_in
        inside = step >= 1 - lead_in
        for path in self.paths.values():
            window = self._timing.learning(int(path.recurrent))
            keys = window.blocks(step, path.interval)
            if keys:
                since = window.since(step, path.interval)
                path.learn(step, keys, fired if path.recurrent else sent, fired, since)
        for path in self.paths.values():
            before = fired if path.recurrent else sent
            present = inside if path.recurrent else number < steps - 1 + lead_in
            if "pre" in path.traces and before is not None and present:
                path.traces["pre"].jump(before)
            if "post" in path.traces and inside:
                path.traces["post"].jump(fired)

    def _path(self, kind: str) -> PlasticPathway | None:
        return self.paths.get(f"{self._placed.name}.{kind}")

    def _shaped(self, inputs: Arrived, like: Tensor) -> dict[str, Any]:
        return {name: each.view_as(like) for name, each in inputs.items()}


class CommonLearner(LayerLearner):
    """A layer that learns on a common clock, in steps that all take together."""

    @property
    def schedule(self) -> Schedule:
        """The order of a step."""
        return self._timing.schedule

    def begin(self, examples: int, held: Mapping[str, Tensor], key: Key | None) -> None:
        """Start a presentation."""
        self._values = self._begun(examples, key)
        self._targets, self._measured = held.get(TARGET), dict[str, Tensor]()
        for path in self.paths.values():
            path.start(examples, held, key)
        self._spikes: list[Tensor] = []
        self._arrived: list[Arrived | None] = []

    def at(self, step: int, key: Key | None) -> None:
        """Begin a step."""
        self._values |= self._mirror.neuron.at(step, key)
        self._mirror.neuron.prepare(self._values)

    @property
    def fired(self) -> Tensor:
        """The spikes that arrive in the step (example, neuron)."""
        return self._values["_spike"].flatten(1)

    def compute(self, slot: str) -> None:
        """Run a slot other than that of synapses."""
        if slot == "groups":
            self._integrate()
        self._mirror.neuron.compute(slot, self._values, at_threshold=self._measure)

    def _measure(self, values: dict[str, Tensor]) -> None:
        """Keep the distance to threshold, and the reciprocal of its scale."""
        if any(GAIN in path.rule.neuron for path in self.paths.values()):
            neuron = self._mirror.neuron
            self._measured = {DISTANCE: neuron.excess(values), GAIN: neuron.gain(values)}

    def inputs(self, sent: Sent) -> Arrived | None:
        """Return the sums of the weights of the spikes that arrive."""
        return reduce(add, (self._input(each, sent) for each in self._placed.projections), None)

    def _input(self, projection: PlacedProjection, sent: Sent) -> Arrived | None:
        spikes, like = sent[projection.source], self._values["_spike"]
        path = self.paths.get(projection.name)
        if path is not None:
            return self._shaped(path.deliver(spikes), like)
        weights = self._mirror.weights_of(projection).flatten(1)
        kinds = by_sign(weights, separate=self._placed.separate_inhibition)
        return self._shaped({name: spikes @ each.T for name, each in kinds.items()}, like)

    def learn(self, step: int, sent: Sent, signals: Signals, *, sends: bool) -> None:
        """Let the pathways learn that send signals back, or the others, see `docs/timing.md`."""
        window = self._timing.learning(1)
        for name, path in sorted(self.paths.items()):
            keys = window.blocks(step, path.interval)
            if bool(path.rule.feedback) != sends or not keys:
                continue
            source = self._placed.projection(name).source
            read = path.rule.neuron.items()
            path.neuron = {each: self._number(each, own, step, signals) for each, own in read}
            for own, total in path.feedback(step, len(self.fired)).items():
                key = source, named("signal", own)
                signals[key] = signals.get(key, 0) + total
            since = window.since(step, path.interval)
            path.learn(step, keys, sent[source], self.fired, since)

    def _number(self, name: str, own: str, step: int, signals: Signals) -> Tensor:
        """Return a number of the neurons that a rule reads (example, neuron)."""
        if name == named("neuron", TARGET):
            assert self._targets is not None
            return self._targets[:, min(step, self._targets.shape[1] - 1)]
        found = signals.get((self.name, name), self._measured.get(name))
        if found is not None:
            return found
        return self._values[own].expand_as(self._values["_spike"]).flatten(1)

    def jump(self, step: int, sent: Sent) -> None:
        """Let traces jump by the spikes of the step."""
        if step < 1 - self.schedule.at_once:
            return
        for name, path in self.paths.items():
            source = sent[self._placed.projection(name).source]
            for side, traces in path.traces.items():
                traces.jump(source if side == "pre" else self.fired)

    def receive(self, inputs: Arrived | None) -> None:
        """Receive the input of the step."""
        self._mirror.neuron.receive(self._values, inputs)
        self._arrived.append(inputs)

    def end(self) -> None:
        """End a step."""
        self._spikes.append(self._values["_spike"])

    def finish(self) -> tuple[Tensor, list[Arrived | None]]:
        """Keep what persists; return the spikes, and the input of each step."""
        self._keep(self._values)
        for path in self.paths.values():
            path.keep("pre")
        return torch.stack(self._spikes), self._arrived
