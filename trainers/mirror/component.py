"""Populations in PyTorch that depend on each other's spikes: stepped together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce

import torch
from torch import Tensor

from bioae.noise import Key
from bioae.trainers.mirror.connections.pathways import Arrived, Sender, add
from bioae.trainers.mirror.neuron import NeuronMirror, PopulationRun, Values


class Member:
    """A population in a presentation: the values of its neurons, its spikes, and its records.

    `arriving`: the input from other populations than members, in each step of the period.
    `senders`: its projections from members: the source's name, whether it is this one, and the
        input.
    `record`: the values to record at the end of each step of the window.
    `keep`: whether to return the input of each step, which a read-out needs.
    """

    def __init__(
        self,
        neuron: NeuronMirror,
        depth: int,
        arriving: Sequence[Arrived | None],
        senders: Sequence[tuple[str, bool, Sender]],
        *,
        examples: int,
        record: Sequence[str],
        keep: bool,
        key: Key | None,
    ) -> None:
        self.neuron, self.senders = neuron, senders
        self._arriving, self._depth, self._key, self._keep = arriving, depth, key, keep
        self._lead_in = neuron.schedule.lead_in
        self.start = depth - self._lead_in
        self.stop = self.start + len(arriving)
        self._clock = neuron.times(len(arriving)).unbind(0)
        self.values = neuron.start(examples, key)
        #: The spikes of each step of the period, as others receive them.
        self._spikes: list[Tensor] = []
        self._recorded: dict[str, list[Tensor]] = {name: [] for name in record}
        self._arrived: list[Arrived | None] = []
        #: The steps before the presentation whose spikes are known.
        self._before = 0

    def carry_on(self, values: Values, sent: Tensor) -> None:
        """Start from values, and from the spikes of the steps before (time, example, ...)."""
        self.values |= values
        self._spikes, self._before = list(sent), len(sent)

    def fired(self, step: int, delay: int, *, own: bool) -> Tensor | None:
        """Return the spikes that arrive in a step after a delay; None: there are none."""
        # Where synapses come before thresholds, spikes of the step before arrive.
        place = step - self.start + self._before - delay - (not self.neuron.schedule.at_once)
        inside = (0 if own else self._lead_in) <= place < len(self._spikes)
        return self._spikes[place] if inside else None

    def begin(self, step: int) -> None:
        """Begin a step."""
        place = step - self.start
        drawn = self.neuron.at(place - self._lead_in, self._key)
        self.values |= {**drawn, "t": self._clock[place]}
        self.neuron.prepare(self.values)

    def detach(self, before: int) -> None:
        """Cut gradients to the states and the spikes of earlier steps than one of the network."""
        if before > self.start:
            self.values |= self.neuron.detached(self.values)
        self._spikes = [each.detach() for each in self._spikes]

    def compute(self, slot: str) -> None:
        """Compute a slot of a step, other than that of synapses."""
        self.neuron.compute(slot, self.values)
        if slot == "thresholds":
            self._spikes.append(self.values["_spike"])

    def receive(self, step: int, inputs: Arrived | None) -> None:
        """Add the input of a step, from outside and from members."""
        arriving = add(self._arriving[step - self.start], inputs)
        self._arrived += [arriving] if self._keep else []
        self.neuron.receive(self.values, arriving)

    def end(self, step: int) -> None:
        """Record the values at the end of a step of the window."""
        if step >= self._depth:
            for name, records in self._recorded.items():
                records.append(self.values[name].expand(self.values["_spike"].shape))

    def ran(self, first: int) -> PopulationRun:
        """Return the records (time, example, ...) of a presentation from a step of the network."""
        recorded = {name: torch.stack(each) for name, each in self._recorded.items()}
        return PopulationRun(recorded, self._arrived, self.values, self.start - first)


def run_together(members: Mapping[str, Member]) -> dict[str, PopulationRun]:
    """Run a presentation of populations that depend on each other's spikes.

    All of them compute a slot of a step before any computes the next one, each in the window of its
    depth, as in Brian2.
    """

    def received(member: Member, step: int) -> Arrived | None:
        inputs = (
            send(partial(members[source].fired, step, own=own))
            for source, own, send in member.senders
        )
        return reduce(add, inputs, None)

    every = list(members.values())
    first, last = min(each.start for each in every), max(each.stop for each in every)
    for step in range(first, last):
        if every[0].neuron.backward.truncated_at(step - first):
            for each in every:  # in the same step, or gradients would go on by the others
                each.detach(step)
        active = [each for each in every if each.start <= step < each.stop]
        for each in active:
            each.begin(step)
        for slot in every[0].neuron.schedule.blocks:
            # Inputs are computed before any population receives its own.
            inputs = [received(each, step) if slot == "synapses" else None for each in active]
            for each, arrived in zip(active, inputs, strict=True):
                each.receive(step, arrived) if slot == "synapses" else each.compute(slot)
        for each in active:
            each.end(step)
    return {name: member.ran(first) for name, member in members.items()}
