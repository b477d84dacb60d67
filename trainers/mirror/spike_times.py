"""Exact gradients of spikes: through their times, which the states at the threshold determine.

A neuron whose distance to threshold h rises at the rate dh/dt fires later by -dh/(dh/dt) if the
distance is changed by dh. Each spike has that *shift*: a time in seconds, zero in value, with
this gradient. What follows a spike moves with it:

- its effect: a spike that is later by s counts s/dt less in its step, and s/dt more in the next;
- the reset: the states before it go on for s, and those after it begin s later;
- the end of refractoriness, from which the guarded states go on.

The rates of the states are those of the integration step, (after - before)/dt, so that the
gradients have an error of O(dt). Spikes that appear or vanish have no gradient.

Wunderlich, Pehle 2021, Scientific Reports 11:12829, have the adjoint of these shifts for leaky
neurons.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from bioae.equations.arrays.stepping import Stepper
from bioae.equations.expressions import Expression
from bioae.equations.program import Program
from bioae.errors import NetworkError
from bioae.trainers.mirror.derivatives import Exact
from bioae.trainers.mirror.functions import overridable
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.population import Population

#: The shift of the spike of a step; zero with the gradient of the time, in seconds.
SHIFT = "_shift"

#: The shift of the spike whose refractory period goes on.
HELD = "_shift_held"

#: The rate of the distance to threshold, and whether it rose through zero in the step.
_RISE, _CROSSED = "_rise", "_crossed"

#: The names of the rates of states begin so.
_RATE = "_rate_"

#: Functions with jumps: a rate that contains one is not that of the state.
_STEPPED = frozenset({"int", "floor", "ceil", "sign", "timestep"})


class SpikeTimes:
    """The shifts of the spikes of a population; its methods change the values of a step.

    `population`: the neurons of a lowered model, and their steps; `backward`: the options, with the
    spike derivative `Exact`.

    Raises `NetworkError` if the model's spikes have no times with a derivative, or the options
    change gradients that are part of it.
    """

    def __init__(self, population: Population, backward: Backward) -> None:
        program = population.program
        _check(program, backward)
        assert isinstance(backward.derivative, Exact)
        self._floor, self._refractory = backward.derivative.floor, program.refractory
        #: Spikes of the last step have no next one: they cannot be later.
        self._last = (population.steps - 1.5) * population.dt
        moving = {
            name for name, state in program.states.items()
            if state.dtype == "float" and not state.shared
        }  # fmt: skip
        guarded = {each.target for each in program.update if each.guarded}
        #: The states that change between spikes, and whether they are held while refractory.
        self._moving = {
            each.target: each.target in guarded for each in program.update if each.target in moving
        }

    @property
    def starts(self) -> dict[str, float | bool]:
        """The values that one step passes to the next, at the start of a presentation."""
        numbers = [SHIFT, HELD, _RISE] if self._refractory else [SHIFT, _RISE]
        rates = [_RATE + name for name in self._moving]
        return {**dict.fromkeys([*numbers, *rates], 0.0), _CROSSED: False}

    def update(self, values: dict[str, Any], stepper: Stepper) -> None:
        """Run the integration step, whose rates move the states after a spike."""
        before = dict(values)
        stepper.update(values)
        dt, begins = values["dt"], values[SHIFT]
        released = begins
        if self._refractory:
            active, held = values["not_refractory"], values[HELD]
            released = begins + torch.where(active, held, 0)
            values[HELD] = torch.where(active, 0, held + begins)
        before["t"] = values["t"] - dt  # a threshold may move in time
        low, high = (stepper.distance(each).detach() for each in (before, values))
        values[_RISE] = (high - low) / dt
        values[_CROSSED] = (low <= 0) & (high > 0)
        for name, guarded in self._moving.items():
            rate = ((values[name] - before[name]) / dt).detach()
            values[_RATE + name] = rate
            values[name] = moved(values[name], released if guarded else begins, -rate)

    def fire(
        self, values: dict[str, Any], spikes: Tensor, distance: Tensor, scale: Tensor
    ) -> Tensor:
        """Return the spikes of a step with the gradient of their times."""
        before = values[SHIFT]
        crossed = values["_fired"] & values[_CROSSED]
        rise = torch.maximum(values[_RISE], self._floor * abs(scale.detach()))
        values[SHIFT] = shift = shifted(crossed, distance, rise)
        per_step = 1 / values["dt"]
        inside = torch.where(values["t"] < self._last, shift, 0)
        return moved(moved(spikes, inside, -per_step), before, per_step)

    def before_reset(self, values: dict[str, Any]) -> None:
        """Let the states go on until the spike."""
        for name in self._moving:
            values[name] = moved(values[name], values[SHIFT], values[_RATE + name])


def warn_of_jumps(programs: Iterable[Program]) -> None:
    """Warn, once for each model, of input that arrives at a variable of the threshold."""
    for program in {each.model.name: each for each in programs}.values():
        named = program.distance.names if program.distance else frozenset()
        if jumping := sorted(program.model.received.keys() & named):
            logging.getLogger("bioae").warning(
                "bioae: %s: input that arrives at %s makes neurons fire at once, and the times of "
                "such spikes have no derivative: 'exact' is for currents with a time course",
                program.model.name, ", ".join(jumping),
            )  # fmt: skip


def latency(spikes: Tensor) -> Tensor:
    """Return zeros with the gradient of the steps that are left at the first spikes.

    `spikes`: the spikes (time, example, ...), with the gradient of their times.
    """
    first = (spikes.detach().cumsum(0) == 0).sum(0)
    clock = torch.arange(len(spikes)).view(-1, *[1] * first.ndim).to(spikes)
    steps = torch.where(clock <= first + 1, first - clock, 0)
    return (steps * (spikes - spikes.detach())).sum(0)


@overridable
def shifted(crossed: Tensor, distance: Tensor, rise: Tensor) -> Tensor:
    """Return zeros: the shifts of spikes, whose gradient is that of their times.

    `crossed`: whether the neuron fired by rising through the threshold; `distance`: the distance to
    threshold; `rise`: its rate of change per second, positive.
    """
    zeros: Tensor = _Shifted.apply(crossed, distance, rise)  # type: ignore[no-untyped-call]
    return zeros


@overridable
def moved(value: Tensor, shift: Tensor, rate: Tensor) -> Tensor:
    """Return a value unchanged, with the gradient of ``value + rate * shift``."""
    if not shift.requires_grad:
        return value
    same: Tensor = _Moved.apply(value, shift, rate)  # type: ignore[no-untyped-call]
    return same


class _Shifted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, crossed: Tensor, distance: Tensor, rise: Tensor) -> Tensor:
        ctx.save_for_backward(crossed, rise)
        return torch.zeros_like(distance)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        crossed, rise = ctx.saved_tensors
        return None, torch.where(crossed, -gradients[0] / rise, 0), None


class _Moved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, shift: Tensor, rate: Tensor) -> Tensor:  # noqa: ARG004
        ctx.save_for_backward(rate)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (rate,) = ctx.saved_tensors
        return gradients[0], gradients[0] * rate, None


def _check(program: Program, backward: Backward) -> None:
    name = program.model.name
    attached = not (backward.reset_detached and backward.detach_refractory)
    if attached or backward.update_slope is not None or backward.truncate is not None:
        raise NetworkError(
            "the derivative 'exact' includes those of resets, refractoriness and all steps",
            where=name,
            hint="Leave out detach_reset, detach_refractory, straight_through and truncate",
        )  # fmt: skip
    moving = {statement.target for statement in program.update} & program.states.keys()
    ends = {name for each in program.refractoriness for name in each.value.names}
    if program.events or ends & moving:
        raise NetworkError(
            "the derivative 'exact' needs refractoriness of a given time, and no custom events",
            where=name, hint="Use another spike derivative",
        )  # fmt: skip
    values = [each.value for each in (*program.update, *program.reset)]
    values += [each for each in (program.threshold, program.distance) if each is not None]
    if drawn := sorted(program.draws.keys() & {n for value in values for n in value.names}):
        raise NetworkError(
            "the derivative 'exact' needs a model without noise", where=name,
            found=f"{len(drawn)} random numbers per step", hint="Use another spike derivative",
        )  # fmt: skip
    for value in values:
        for function in _stepped(value):
            raise NetworkError(
                "the derivative 'exact' needs rates and a threshold without jumps", where=name,
                found=function, hint="Use another spike derivative",
            )  # fmt: skip


def _stepped(value: Expression) -> Iterator[str]:
    for node in ast.walk(value.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in _STEPPED:
                yield ast.unparse(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv | ast.Mod):
            yield ast.unparse(node)
