"""What arrives at a layer in each step: signs apart, delays, and where a presentation ends.

The steps p of a period count from the first in which a layer runs, the lead-in where there is one.
What the layer before emitted in step n arrives in step n + d of the period, d being the
connection's delay; what the layer itself sends, d steps after its spikes are there to be sent.
What would arrive after the period is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bioae.equations.program import INHIBITION, INPUT, Program
from bioae.networks.inputs import Steps

__all__ = ["Arrived", "Pathway", "Recurrence", "add", "held", "history", "is_held", "received"]

#: What arrives in a step, in network weights (example, ...): ``bioae_input``, and
#: ``bioae_inhibition`` where it arrives apart.
Arrived = Mapping[str, Tensor]

#: Returns what a population sends itself, from its spikes as they are and were (see `history`).
Recurrence = Callable[[Mapping[str, Tensor]], Arrived | None]


def history(delay: int) -> str:
    """Return the name of a population's spikes as they were a number of steps before."""
    return f"_spike_{delay}" if delay else "_spike"


def held(emitted: Tensor) -> Tensor:
    """Return what is the same in every step (time, ...) as one step that is held.

    It is computed with once. What is not, or needs a gradient of each step, is returned as it is.
    """
    if emitted.requires_grad or not bool((emitted == emitted[0]).all()):
        return emitted
    return emitted[:1].expand_as(emitted)


def is_held(emitted: Tensor) -> bool:
    """Whether all steps (time, ...) are one in memory, see `held`."""
    return len(emitted) > 1 and emitted.stride(0) == 0


def add(one: Arrived | None, other: Arrived | None) -> Arrived | None:
    """Return the sum of what arrives; None is nothing."""
    if one is None or other is None:
        return other if one is None else one
    return {name: tensor + other[name] for name, tensor in one.items()}


def received(program: Program, arrived: Arrived) -> Arrived:
    """Return what a program names of what arrives: the difference, where it knows no inhibition."""
    if INHIBITION not in arrived or program.inhibited:
        return arrived
    return {INPUT: arrived[INPUT] - arrived[INHIBITION]}


class Pathway(nn.Module):
    """One array of weights, each with its delay and its sign.

    Parameters
    ----------
    connection
        Returns the sums of weights (batch, ...) from what was emitted (batch, ...) and weights.
    shape
        The shape of the population that receives.
    delay
        Of each weight in steps, in their shape; one without dimensions where all have the same.
    apart
        Whether inhibition arrives apart.
    present
        Which of the weights are connections, in their shape; all of them by default.
    events
        What `connection` returns, faster where few emit anything; see `sums`.
    """

    _delay: Tensor | None

    def __init__(
        self,
        connection: Callable[[Tensor, Tensor], Tensor],
        shape: tuple[int, ...],
        delay: Steps,
        *,
        apart: bool,
        present: Tensor | None = None,
        events: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self._connection = connection
        self._events = events or connection
        self._shape = shape
        self._apart = apart
        delays = torch.tensor(delay)
        if present is not None:
            delays = torch.where(present, delays, -1)
        self.delays: tuple[int, ...] = tuple(
            d for d in np.unique(delays.numpy()).tolist() if d >= 0
        )
        alike = len(self.delays) == 1 and bool((delays >= 0).all())
        self.register_buffer("_delay", None if alike else delays, persistent=False)

    def over(self, emitted: Tensor, weight: Tensor, steps: int) -> list[Arrived | None]:
        """Return what arrives in each step of a period, of what was emitted (time, example, ...).

        Parameters
        ----------
        emitted
            What arrives in the step of its index, where there is no delay.
        weight
            The weights.
        steps
            Steps of the period.
        """
        arriving: list[Arrived | None] = [None] * steps
        for delay, kernels in self._kernels(weight):
            sent, times = _computed(emitted, steps - delay)
            sums = {name: self._join(_packed(sent), kernel) for name, kernel in kernels.items()}
            # Indexing in a loop would make the backward pass allocate all steps at each of them.
            each = {
                name: tensor.reshape(len(sent), -1, *self._shape).unbind(0) * times
                for name, tensor in sums.items()
            }
            for step in range(len(sent) * times):
                arrived = {name: tensors[step] for name, tensors in each.items()}
                arriving[step + delay] = add(arriving[step + delay], arrived)
        return arriving

    @property
    def alike(self) -> bool:
        """Whether all connections have one delay."""
        return self._delay is None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what arrives."""
        return (INPUT, INHIBITION) if self._apart else (INPUT,)

    def sums(self, emitted: Tensor, weight: Tensor, steps: int) -> Arrived:
        """Return what arrives of each step (step and example, ...), where all have one delay.

        Of steps that are held, one is returned.

        Parameters
        ----------
        emitted, weight, steps
            As of `over`. What would arrive after the period is left out.
        """
        ((delay, kernels),) = self._kernels(weight)
        sent = _packed(_computed(emitted, steps - delay)[0])
        return {
            name: self._events(sent, kernel).reshape(-1, *self._shape)
            for name, kernel in kernels.items()
        }

    def recurrence(self, weight: Tensor) -> Recurrence:
        """Return what a population sends itself, as a function of its spikes."""
        every = list(self._kernels(weight))

        def send(spikes: Mapping[str, Tensor]) -> Arrived | None:
            arrived: Arrived | None = None
            for delay, kernels in every:
                emitted = spikes[history(delay)]
                sent = {name: self._join(emitted, kernel) for name, kernel in kernels.items()}
                arrived = add(arrived, sent)
            return arrived

        return send

    def _kernels(self, weight: Tensor) -> list[tuple[int, Arrived]]:
        """Return the weights of each delay: all of them, or by their signs."""
        found = []
        for delay in self.delays:
            kernel = weight
            if self._delay is not None:
                kernel = torch.where(self._delay == delay, weight, weight.new_zeros(()))
            found.append((delay, self._signs(kernel)))
        return found

    def _signs(self, weight: Tensor) -> Arrived:
        if not self._apart:
            return {INPUT: weight}
        # Not `relu`, whose gradient would leave a weight of 0 where it is.
        zero = weight.new_zeros(())
        return {INPUT: torch.maximum(weight, zero), INHIBITION: torch.maximum(-weight, zero)}

    def _join(self, emitted: Tensor, kernel: Tensor) -> Tensor:
        return self._connection(emitted, kernel).reshape(-1, *self._shape)


def _computed(emitted: Tensor, steps: int) -> tuple[Tensor, int]:
    """Return those of the first steps that differ, and how many times they come."""
    if is_held(emitted):
        return emitted[:1], min(steps, len(emitted))
    # All of them as they are: the gradient of a slice fills an array of zeros.
    return (emitted if steps >= len(emitted) else emitted[: max(steps, 0)]), 1


def _packed(emitted: Tensor) -> Tensor:
    """Return all steps as one batch (step and example, ...), laid out for the connection."""
    batch = emitted.flatten(0, 1)
    if batch.ndim == 4 and batch.dtype == torch.float32 and batch.device.type == "cpu":
        # Convolutions are faster so, and what follows keeps the layout.
        return batch.contiguous(memory_format=torch.channels_last)
    return batch
