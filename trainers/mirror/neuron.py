"""A population in PyTorch: the states, parameters and constants of a program, stepped in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bioae.equations.program import BIASES, LAYER_SPIKES
from bioae.noise import START_STEP, Key
from bioae.trainers.mirror.activity import DISTANCE, SAMPLED
from bioae.trainers.mirror.connections.pathways import (
    Arrived,
    Recurrence,
    add,
    by_sign,
    history,
    received,
)
from bioae.trainers.mirror.constants import Constants
from bioae.trainers.mirror.derivatives import Exact, spike
from bioae.trainers.mirror.gradients import ACTIVE, Backward, torch_stepper
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.spike_times import SpikeTimes
from bioae.trainers.mirror.trained import TrainedParameter

Values = dict[str, Tensor]


class PopulationRun(NamedTuple):
    """The records of a population in a presentation."""

    #: The recorded states by name (time, example, ...).
    recorded: dict[str, Tensor]
    #: The input of each step of the period, recurrent input included.
    arrived: list[Arrived | None]
    #: The values after the last step.
    final: Values
    #: The steps from that from which truncation is counted to the first one.
    before: int = 0


class NeuronMirror(nn.Module):
    """A population of one neuron model.

    Parameters
    ----------
    parameters
        Parameters by name: trained, or fixed in base units, scalars or arrays (neuron).
    bias
        A constant input in every step, in network weights: of each channel, or of each neuron.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        population: Population,
        parameters: Mapping[str, NDArray[Any] | TrainedParameter],
        backward: Backward,
        *,
        dtype: torch.dtype = torch.float32,
        bias: nn.Parameter | None = None,
    ) -> None:
        super().__init__()
        self.program, self.shape = population.program, population.shape
        self.dt, self.schedule = population.dt, population.schedule
        self.backward = backward
        fixed: dict[str, NDArray[Any]] = {}
        self.trained: dict[str, TrainedParameter] = {}
        for name, each in parameters.items():
            if isinstance(each, TrainedParameter):
                self.trained[name] = each
            else:
                fixed[name] = np.asarray(each)
        self._trained = nn.ModuleList(self.trained.values())
        self._constants = Constants(population, fixed)
        self.noise, self.sampled = population.noise, population.sampled
        self._memory = population.memory
        exact = isinstance(backward.derivative, Exact) and self.program.threshold is not None
        self._times = SpikeTimes(population, backward) if exact else None
        self.register_parameter("bias", bias)
        # Holds the module's device and dtype, also without trained parameters.
        self.register_buffer("_anchor", torch.zeros((), dtype=dtype), persistent=False)
        self._stepper = torch_stepper(self.program, backward, dtype)
        #: Whether steps compute `DISTANCE`, which can then be recorded.
        self.measured = False

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # PyTorch calls this to move a module to another device or dtype.
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._stepper = torch_stepper(self.program, self.backward, self._like.dtype)
        return self

    def clamp_(self) -> None:
        """Project trained parameters into the bounds of the model."""
        for parameter in self.trained.values():
            parameter.clamp_()

    def start(self, batch: int, key: Key | None = None) -> Values:
        """Return all values that statements name, at the start of a presentation of examples."""
        values = self.constants()
        for name, state in self.program.states.items():
            if not state.shared:
                values[name] = values[name].expand(batch, *self.shape)
        if self._stepper.random_start:
            values |= self.noise(key, [START_STEP], self._like)
            for name, expression in self._stepper.random_start.items():
                values[name] = expression(values).expand(batch, *self.shape)
        values["_spike"] = self._like.new_zeros((batch, *self.shape))
        values["_fired"] = values["_spike"].bool()
        values[ACTIVE] = torch.ones_like(values["_spike"])
        for name, start in self.starts.items():
            values[name] = values["_fired"] if start is False else values["_spike"]
        values |= {history(n): values["_spike"] for n in range(1, self._memory + 1)}
        return values

    def constants(self) -> Values:
        """Return parameters, constants, biases and initial states, (*shape) or scalars."""
        return {**self._constants(self.trained, self._like), **self._biases()}

    def _biases(self) -> Values:
        if self.bias is None:
            return {}
        each = self.bias.repeat_interleave(math.prod(self.shape) // len(self.bias))
        by_input = by_sign(each.view(self.shape), separate=self.program.inhibited)
        return {BIASES[name]: tensor for name, tensor in by_input.items()}

    def times(self, steps: int) -> Tensor:
        """Return the time of each step of a period, from the start of the presentation."""
        return (self._like.new_tensor(range(steps)) - self.schedule.lead_in) * self.dt

    def at(self, step: int, key: Key | None = None) -> Values:
        """Return the values that depend on the step only: time and noise."""
        time = self._like.new_tensor(step) * self.dt
        return {"t": time, **self.noise(key, [step], self._like)}

    @property
    def starts(self) -> Mapping[str, float | bool]:
        """The values that its spike derivative passes from step to step, at the start."""
        return {} if self._times is None else self._times.starts

    @property
    def starts_at_random(self) -> bool:
        """True if an initial value is drawn for each presentation."""
        return bool(self._stepper.random_start)

    def forward(
        self,
        arriving: Sequence[Arrived | None],
        *,
        recurrence: Recurrence | None = None,
        record: Collection[str] = (),
        key: Key | None = None,
        before: int = 0,
        start: Values | None = None,
    ) -> PopulationRun:
        """Run a presentation.

        Parameters
        ----------
        arriving
            The input from other layers in each step of a period; None in steps without input.
        recurrence
            Returns the recurrent input.
        record
            States to record at the end of each step; ``_spike`` are the spikes.
        before
            See `PopulationRun`.
        start
            The values from which it starts, if it carries over, see `carried`.
        """
        present = next(tensor for each in arriving if each for tensor in each.values())
        values = self.start(len(present), key) | (start or {})
        run = self._segment
        if self.backward.recompute is not None and torch.is_grad_enabled():
            run = partial(checkpoint, run, use_reentrant=False, preserve_rng_state=False)
        clock = self.times(len(arriving)).unbind(0)
        recorded: dict[str, list[Tensor]] = {name: [] for name in record}
        arrived: list[Arrived | None] = []
        for part in self.backward.cuts(len(arriving), before):
            if part.start and self.backward.truncated_at(part.start + before):
                values |= self.detached(values)
            inside = [(step, clock[step], arriving[step]) for step in part]
            values, segment, received_input = run(values, inside, recurrence, record, key)
            arrived += received_input
            for name, steps in recorded.items():
                steps.extend(segment[name])
        # Not `stack`, which would change the memory layout of images.
        joined = {name: torch.cat(steps) for name, steps in recorded.items()}
        shape = (-1, *present.shape)
        views = {name: tensor.view(shape) for name, tensor in joined.items()}
        return PopulationRun(views, arrived, values)

    def _segment(
        self,
        values: Values,
        steps: Sequence[tuple[int, Tensor, Arrived | None]],
        recurrence: Recurrence | None,
        record: Collection[str],
        key: Key | None,
    ) -> tuple[Values, dict[str, list[Tensor]], list[Arrived | None]]:
        """Run steps of a period, each with its time and input.

        Returns the values, the records and the input.
        """
        values = dict(values)
        shape = values["_spike"].shape
        recorded: dict[str, list[Tensor]] = {name: [] for name in record}
        arrived: list[Arrived | None] = []
        for number, time, arriving in steps:
            step = number - self.schedule.lead_in
            values["t"] = time
            values |= self.noise(key, [step], self._like)
            arrived.append(self.step(values, arriving, recurrence))
            if step >= 0:
                for name, records in recorded.items():
                    records.append(values[name].expand(shape))
        return values, recorded, arrived

    def detached(self, values: Values) -> Values:
        """Return the values that one step passes to the next, detached."""
        histories = map(history, range(self._memory + 1))
        carried = {*self.program.states, ACTIVE, *self.starts, *histories}
        return {name: values[name].detach() for name in carried}

    def carried(self, values: Values, steps: int) -> Values:
        """Return the values, detached, from which the next presentation starts, after `steps`."""
        fixed = self.program.model.persistent
        values = {name: each for name, each in self.detached(values).items() if name not in fixed}
        if self.program.refractory:  # times count from the start of the presentation
            values["lastspike"] = values["lastspike"] - steps * self.dt
        return values

    def step(
        self,
        values: Values,
        arriving: Arrived | None,
        recurrence: Recurrence | None = None,
        *,
        at_threshold: Callable[[Values], None] | None = None,
        fired: Tensor | None = None,
    ) -> Arrived | None:
        """Run one step on `values`, in the order of the schedule; return its whole input.

        `at_threshold` is called with the values just before the threshold is evaluated. If `fired`
        is given, these neurons fire, whatever their state.
        """
        self.prepare(values)
        for slot in self.schedule.blocks:
            if slot != "synapses":
                self.compute(slot, values, at_threshold=at_threshold, fired=fired)
                continue
            if recurrence is not None:
                arriving = add(arriving, recurrence(values))
                for delay in range(self._memory, 0, -1):
                    values[history(delay)] = values[history(delay - 1)]
            self.receive(values, arriving)
        return arriving

    def prepare(self, values: Values) -> None:
        """Compute what is constant over a step, before it."""
        self._stepper.prepare(values)

    def excess(self, values: Values) -> Tensor:
        """Return the distance to threshold in units of its scale, positive above it."""
        excess: Tensor = self._stepper.distance(values) / abs(self._stepper.scale(values))
        return excess

    def gain(self, values: Values) -> Tensor:
        """Return the reciprocal of the scale of `excess`, 0 where a neuron is refractory."""
        active: Tensor | float = 1.0
        if self.program.refractory:
            active = values["not_refractory"].to(self._like.dtype)
        gain: Tensor = (active / abs(self._stepper.scale(values))).expand_as(values["_spike"])
        return gain

    def compute(
        self,
        slot: str,
        values: Values,
        *,
        at_threshold: Callable[[Values], None] | None = None,
        fired: Tensor | None = None,
    ) -> None:
        """Run a slot of a step other than that of synapses, see `step`."""
        match slot:
            case "groups" if self._times is not None:
                self._times.update(values, self._stepper)
            case "groups":
                self._stepper.update(values)
            case "thresholds":
                if at_threshold is not None:
                    at_threshold(values)
                self._threshold(values, fired)
                self._stepper.watch(values)
            case _:
                if self._times is not None:
                    self._times.before_reset(values)
                self._stepper.reset(values)
                self._stepper.respond(values)

    def receive(self, values: Values, arriving: Arrived | None) -> None:
        """Add the whole input of a step to the variables that receive it."""
        if self.sampled is not None:
            values[SAMPLED] = values[self.sampled]
        # Without input from the network there may be background input.
        zero = self._like.new_zeros(())
        nothing = dict.fromkeys(self.program.arriving, zero)
        values |= received(self.program, {**nothing, **(arriving or {})})
        for name, bias in BIASES.items():
            if bias in values:
                values[name] = values[name] + values[bias]
        if self.program.counts_layer:
            axes = tuple(range(1, values["_spike"].ndim))
            values[LAYER_SPIKES] = values["_spike"].sum(axes, keepdim=True)
        self._stepper.receive(values)

    def _threshold(self, values: Values, given: Tensor | None) -> None:
        fired = self._stepper.condition(values) if given is None else given
        if fired is None:
            return
        # The condition may be a scalar that all neurons share.
        values["_fired"] = fired = _of_each(fired, values["_spike"])
        values["_spike"] = self._spikes(values, fired)
        self._stepper.on_spike(values)

    def _spikes(self, values: Values, fired: Tensor) -> Tensor:
        distance, scale = self._stepper.distance(values), self._stepper.scale(values)
        if self.measured:
            values[DISTANCE] = distance / abs(scale)
        rule = self.backward.derivative
        if self._times is not None:
            spikes = spike(fired, distance.detach(), scale.detach(), rule)
            return self._times.fire(values, spikes, distance, scale)
        if not self.program.refractory:
            return spike(fired, distance, scale, rule)
        # A change of a refractory neuron's distance cannot make it fire.
        distance = torch.where(values["not_refractory"], distance, distance.detach())
        if self.backward.detach_refractory:
            return spike(fired, distance, scale, rule)
        above = _of_each(self._stepper.threshold(values), fired)
        return values[ACTIVE] * spike(above, distance, scale, rule)

    @property
    def _like(self) -> Tensor:
        anchor: Tensor = self._anchor  # type: ignore[assignment]
        return anchor


def _of_each(condition: Tensor | bool, like: Tensor) -> Tensor:
    if isinstance(condition, bool):
        condition = torch.tensor(condition, device=like.device)
    return condition.expand_as(like)
