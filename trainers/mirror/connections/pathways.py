"""Pathways: the input of a layer in each step, with delays and signs.

The steps of a period count from the first in which a layer runs (the lead-in, if there is one).
Output of the layer before in step n arrives in step n + d of the period, where d is the
connection's delay; recurrent spikes arrive d steps after they are available. With a trained delay
between two steps a part arrives in each, see `trained_delays`. Input that would arrive after the
period is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bioae.equations.program import INHIBITION, INPUT, Program, input_to
from bioae.networks.inputs import Steps
from bioae.trainers.mirror.connections.sparse import SparseConnection
from bioae.trainers.mirror.connections.trained_delays import TrainedDelays

#: The input of a step, in network weights (example, ...): ``bioae_input``, and
#: ``bioae_inhibition`` if inhibition is separate.
Arrived = Mapping[str, Tensor]

#: Returns a population's recurrent input from its current and past spikes (see `history`).
Recurrence = Callable[[Mapping[str, Tensor]], Arrived | None]

#: Returns the input of a step from the spikes of each delay, where there are some.
Sender = Callable[[Callable[[int], Tensor | None]], Arrived | None]


def history(delay: int) -> str:
    """Return the name of a population's spikes a number of steps ago."""
    return f"_spike_{delay}" if delay else "_spike"


def held(emitted: Tensor) -> Tensor:
    """Return a constant input (time, ...) as one step that is repeated without a copy.

    Its sums are then computed once. Input that varies, or that needs a gradient in each step, is
    returned unchanged.
    """
    if emitted.requires_grad or not bool((emitted == emitted[0]).all()):
        return emitted
    return emitted[:1].expand_as(emitted)


def is_held(emitted: Tensor) -> bool:
    """Return whether all steps (time, ...) share one step in memory, see `held`."""
    return len(emitted) > 1 and emitted.stride(0) == 0


def add(one: Arrived | None, other: Arrived | None) -> Arrived | None:
    """Return the sum of two inputs; None means no input."""
    if one is None or other is None:
        return other if one is None else one
    both = {name: one[name] + other[name] for name in one.keys() & other.keys()}
    return {**one, **other, **both}


def received(program: Program, arrived: Arrived) -> Arrived:
    """Return the input as a program names it: the difference if it names no inhibition."""
    if INHIBITION not in arrived or program.inhibited:
        return arrived
    return {**arrived, INPUT: arrived[INPUT] - arrived[INHIBITION]}


def by_sign(weight: Tensor, *, separate: bool) -> Arrived:
    """Return weights by the input that they are added to: by their sign if `separate`."""
    if not separate:
        return {INPUT: weight}
    # Not `relu`: its gradient of 0 would never move a weight of 0.
    zero = weight.new_zeros(())
    return {INPUT: torch.maximum(weight, zero), INHIBITION: torch.maximum(-weight, zero)}


class Wire:
    """Synapses of a projection with one delay in steps, sorted by source.

    `places` are those of their weights among the projection's, `source` and `target` the neurons
    that each joins (synapse), `sources` the number of neurons of the source.
    """

    def __init__(
        self, delay: int, places: Tensor, source: Tensor, target: Tensor, sources: int
    ) -> None:
        order = torch.argsort(source, stable=True)
        counts = torch.bincount(source, minlength=sources)
        self.delay, self.places = delay, places[order]
        self.first = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        self.target = target[order].to(torch.int32)


class Pathway(nn.Module):
    """An array of weights, each with a delay and a sign.

    `connection`, `events`: return the sums of weights (batch, ...) from the source's output (batch,
        ...) and weights; `events` is faster for sparse output, see `sums`.
    `shape`: the shape of the target population.
    `delay`, `trained`: the delay of each weight in steps, in their shape, a scalar if all are
        equal; and trained delays that take its place.
    `lag`: the steps from a spike, in the source's window, to its arrival in the target's, without a
        delay.
    `target`: the variable that all weights are added to; None: the model's `input`.
    `present`: a mask of the weights that are connections, in their shape; all of them by default.

    `delays`: the delays that weights have, or may have if they are trained, in order.
    """

    _delay: Tensor | None

    def __init__(
        self,
        connection: Callable[[Tensor, Tensor], Tensor],
        shape: tuple[int, ...],
        delay: Steps,
        *,
        lag: int = 0,
        target: str | None = None,
        separate_inhibition: bool,
        present: Tensor | None = None,
        events: Callable[[Tensor, Tensor], Tensor] | None = None,
        trained: TrainedDelays | None = None,
    ) -> None:
        super().__init__()
        self.trained = trained
        self._connection = connection
        self._events = events or connection
        self._shape, self.lag, self._input = shape, lag, input_to(target)
        self._separate_inhibition = separate_inhibition
        delays = torch.tensor(delay)
        if present is not None:
            delays = torch.where(present, delays, -1)
        self.delays: tuple[int, ...] = tuple(
            d for d in np.unique(delays.numpy()).tolist() if d >= 0
        )
        uniform = len(self.delays) == 1 and bool((delays >= 0).all())
        self.register_buffer("_delay", None if uniform else delays, persistent=False)
        # Listed synapses of each delay have a separate connection.
        part = None if uniform else getattr(connection, "of", None)
        parts = {str(d): part(delays == d) for d in self.delays} if part else {}
        self._parts = nn.ModuleDict(parts)
        if trained is not None:
            self.delays = tuple(range(trained.low, trained.high + 1))

    def over(
        self, emitted: Tensor, weight: Tensor, steps: int, before: int = 0
    ) -> list[Arrived | None]:
        """Return the input of each of the `steps` of a period.

        Without a delay, the output of step n (time, example, ...) arrives in step n; `before` are
        the steps of the output that come before the period.
        """
        arriving: list[Arrived | None] = [None] * steps
        for own, kernels in self.kernels(weight):
            delay = own + self.lag - before
            sent, times = _computed(emitted, steps - delay)
            sums = self._sent(own, _packed(sent), kernels)
            # Indexing in a loop would make the backward pass allocate all steps at each step.
            each = {
                name: tensor.reshape(len(sent), -1, *self._shape).unbind(0) * times
                for name, tensor in sums.items()
            }
            for step in range(max(0, -delay), len(sent) * times):
                arrived = {name: tensors[step] for name, tensors in each.items()}
                arriving[step + delay] = add(arriving[step + delay], arrived)
        return arriving

    @property
    def uniform(self) -> bool:
        """Return whether all connections have the same delay."""
        return self._delay is None if self.trained is None else self.trained.uniform

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the input."""
        return (INPUT, INHIBITION) if self._separate_inhibition else (self._input,)

    def sums(self, emitted: Tensor, weight: Tensor, steps: int) -> Arrived:
        """Return the input from each step (step and example, ...), if all delays are equal.

        Held steps are returned as one. Input that would arrive after the period is left out, see
        `over`.
        """
        delay, length, _ = self.arrival(emitted, steps)
        sent, times = _computed(emitted, steps - delay - self.lag)
        packed, sums = _packed(sent), {}
        for name, kernel in self.split(weight).items():
            sums[name] = self._events(packed, kernel).reshape(-1, *self._shape)
            if self.trained is not None:
                each = sums[name].view(len(sent), -1, *self._shape)
                each = each.expand(times, *each.shape[1:]) if times > 1 else each
                sums[name] = self.trained.interpolated(each, length).flatten(0, 1)
        return sums

    def arrival(self, emitted: Tensor, steps: int) -> tuple[int, int, bool]:
        """Return the step in which `sums` begin, their number, and whether all are the same."""
        sent = len(emitted)
        if self.trained is None:
            return self.delays[0], min(sent, steps - self.delays[0]), is_held(emitted)
        return self.trained.first, min(sent + 1, steps - self.trained.first), False

    def kernels(self, weight: Tensor) -> list[tuple[int, Arrived]]:
        """Return the weights of each delay, all together or by sign."""
        if self.trained is not None:
            signed = self.split(weight)
            return [
                (delay, {name: each * share for name, each in signed.items()})
                for delay, share in self.trained.shares()
            ]
        kernels = []
        for delay in self.delays:
            kernel = weight
            if str(delay) in self._parts:
                kernel = weight[self._delay == delay]
            elif self._delay is not None:
                kernel = torch.where(self._delay == delay, weight, weight.new_zeros(()))
            kernels.append((delay, self.split(kernel)))
        return kernels

    def wires(self, weight: Tensor, sources: int) -> list[Wire]:
        """Return the synapses of each delay, from a number of neurons, one by one."""
        places = torch.arange(weight.numel())
        source, target = places % sources, places // sources
        if isinstance(self._connection, SparseConnection):
            source, target = self._connection.source.long(), self._connection.target.long()
        own = self._delay
        each = torch.full_like(places, self.delays[0]) if own is None else own.flatten()
        chosen = ((delay, (each == delay).nonzero()[:, 0]) for delay in self.delays)
        return [Wire(d, these, source[these], target[these], sources) for d, these in chosen]

    def split(self, weight: Tensor) -> Arrived:
        """Return weights by the name of the input: all together, or by sign."""
        return (
            by_sign(weight, separate=True) if self._separate_inhibition else {self._input: weight}
        )

    def recurrence(self, weight: Tensor) -> Recurrence:
        """Return the recurrent input of a population, as a function of its spikes."""
        sent = self.sender(weight)
        return lambda spikes: sent(lambda delay: spikes[history(delay)])

    def sender(self, weight: Tensor) -> Sender:
        """Return the input of a step, as a function of the spikes of each delay, if there are."""
        every = list(self.kernels(weight))

        def send(spikes: Callable[[int], Tensor | None]) -> Arrived | None:
            arrived: Arrived | None = None
            for delay, kernels in every:
                if (emitted := spikes(delay)) is not None:
                    arrived = add(arrived, self._sent(delay, emitted, kernels))
            return arrived

        return send

    def _sent(self, delay: int, emitted: Tensor, kernels: Arrived) -> dict[str, Tensor]:
        """Return the sums that arrive by the connections of a delay, by the name of the input."""
        own = str(delay) in self._parts
        join = self._parts[str(delay)] if own else self._connection
        return {n: join(emitted, each).reshape(-1, *self._shape) for n, each in kernels.items()}


def _computed(emitted: Tensor, steps: int) -> tuple[Tensor, int]:
    """Return the distinct ones of the first steps, and the number of their repetitions."""
    if is_held(emitted):
        return emitted[:1], min(steps, len(emitted))
    # No slice of all steps: its gradient would fill an array of zeros.
    return (emitted if steps >= len(emitted) else emitted[: max(steps, 0)]), 1


def _packed(emitted: Tensor) -> Tensor:
    """Return all steps as one batch (step and example, ...), laid out for the connection."""
    batch = emitted.flatten(0, 1)
    if batch.ndim == 4 and batch.dtype == torch.float32 and batch.device.type == "cpu":
        # Convolutions are faster in this layout, and later operations keep it.
        return batch.contiguous(memory_format=torch.channels_last)
    return batch
