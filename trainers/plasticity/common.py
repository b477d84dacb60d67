"""Populations on a common clock that learn, in PyTorch: all compute a slot before the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TypeAlias

import torch
from torch import Tensor

from bioae.equations.synapses.model import TARGET
from bioae.equations.synapses.program import DISTANCE, GAIN
from bioae.errors import NetworkError
from bioae.networks.layer_base import ENCODER
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.projections import PlacedProjection
from bioae.networks.schedule import Schedule
from bioae.noise import Key
from bioae.trainers.mirror.connections.pathways import Arrived, add, by_sign
from bioae.trainers.plasticity.layer import LayerLearner

#: What the populations emit in a step, by name (example, neuron).
_Sent: TypeAlias = Mapping[str, Tensor]

#: Sums of the numbers that synapses send back, by their source and name (example, neuron).
_Signals: TypeAlias = dict[tuple[str, str], Tensor]


def check_common(layers: Sequence[PlacedLayer]) -> None:
    """Reject networks on a common clock that learn in Brian2 only (NetworkError)."""
    for placed in layers:
        found = [
            each.name
            for each in placed.projections
            if each.delay is not None or each.target is not None
            or each.layer.shares_weights or each.layer.listed
        ]  # fmt: skip
        if found or placed.program.counts_layer:
            raise NetworkError(
                "the network learns by rules in Brian2 only", where=f"layer {placed.name!r}",
                expected="weights of all pairs of neurons, without a delay or a separate target",
                found=found[0] if found else "a model that counts the layer's spikes",
            )  # fmt: skip


def run_common(
    layers: Mapping[str, CommonLearner],
    emitted: Tensor,
    held: Mapping[str, Tensor],
    key: Key | None,
) -> dict[str, tuple[Tensor, list[Arrived | None]]]:
    """Run a presentation on the encoder's output (time, example, ...), and learn from it.

    Returns the spikes (time, example, *shape) and the input of each step, by layer.
    """
    schedule = next(iter(layers.values())).schedule
    examples, drive = emitted.shape[1], emitted.flatten(2)
    before = torch.zeros_like(drive[:1])
    drive = drive if schedule.at_once else torch.cat([before, drive])
    for layer in layers.values():
        layer.begin(examples, held, key)
    for step in range(len(emitted)):
        for layer in layers.values():
            layer.at(step, key)
        for slot in schedule.blocks:
            if slot != "synapses":
                for layer in layers.values():
                    layer.compute(slot)
                continue
            sent = {ENCODER: drive[step]} | {n: each.fired for n, each in layers.items()}
            inputs = [layer.inputs(sent) for layer in layers.values()]
            _learn(layers, step, sent)
            for layer, arrived in zip(layers.values(), inputs, strict=True):
                layer.receive(arrived)
        for layer in layers.values():
            layer.end()
    return {name: layer.finish() for name, layer in layers.items()}


def _learn(layers: Mapping[str, CommonLearner], step: int, sent: _Sent) -> None:
    """Let the synapses that send signals back learn, then the others, then traces jump."""
    signals: _Signals = {}
    # The order of Brian2's objects, in which signals are summed.
    senders = sorted((f"{n}__", n) for n in layers)
    for _, name in senders:
        layers[name].learn(step, sent, signals, sends=True)
    for layer in layers.values():
        layer.learn(step, sent, signals, sends=False)
    for layer in layers.values():
        layer.jump(step, sent)


class CommonLearner(LayerLearner):
    """A layer that learns on a common clock, see `run_common`; arguments as for `LayerLearner`."""

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

    def inputs(self, sent: _Sent) -> Arrived | None:
        """Return the sums of the weights of the spikes that arrive."""
        return reduce(add, (self._input(each, sent) for each in self._placed.projections), None)

    def _input(self, projection: PlacedProjection, sent: _Sent) -> Arrived | None:
        spikes, like = sent[projection.source], self._values["_spike"]
        path = self.paths.get(projection.name)
        if path is not None:
            return self._shaped(path.deliver(spikes), like)
        weights = self._mirror.weights_of(projection).flatten(1)
        kinds = by_sign(weights, separate=self._placed.separate_inhibition)
        return self._shaped({name: spikes @ each.T for name, each in kinds.items()}, like)

    def learn(self, step: int, sent: _Sent, signals: _Signals, *, sends: bool) -> None:
        """Let the pathways learn that send signals back, or the others, see `docs/timing.md`."""
        window = self._timing.learning(1)
        for name, path in sorted(self.paths.items()):
            keys = window.blocks(step, path.interval)
            if bool(path.rule.feedback) != sends or not keys:
                continue
            source = self._placed.projection(name).source
            path.neuron = {each: self._number(each, step, signals) for each in path.rule.neuron}
            for own, total in path.feedback(step, len(self.fired)).items():
                signals[source, own] = signals.get((source, own), 0) + total
            since = window.since(step, path.interval)
            path.learn(step, keys, sent[source], self.fired, since)

    def _number(self, name: str, step: int, signals: _Signals) -> Tensor:
        """Return a number of the neurons that a rule reads (example, neuron)."""
        if name == TARGET:
            assert self._targets is not None
            return self._targets[:, min(step, self._targets.shape[1] - 1)]
        found = signals.get((self.name, name), self._measured.get(name))
        value = self._values[name] if found is None else found
        return value.expand_as(self._values["_spike"]).flatten(1) if found is None else value

    def jump(self, step: int, sent: _Sent) -> None:
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
