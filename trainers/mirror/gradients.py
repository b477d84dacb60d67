"""Gradients through a presentation: the options, and the statements whose gradient they change."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from bioae.checks import whole
from bioae.equations.arrays.compiling import Write
from bioae.equations.arrays.stepping import Stepper, guarded
from bioae.equations.expressions import Expression, Statement
from bioae.equations.program import Program, State
from bioae.errors import NetworkError
from bioae.trainers.mirror.derivatives import Membrane, SpikeDerivative
from bioae.trainers.mirror.functions import overridable, straight_through, torch_functions
from bioae.trainers.mirror.skipped import may_be_undefined, with_skipped

#: A neuron's activity, as a number: 1, or 0 while it is refractory.
ACTIVE = "_active"

_NUMBERS = {
    Expression("int(not_refractory)"): Expression(ACTIVE),
    Expression("int(not not_refractory)"): Expression(f"1 - {ACTIVE}"),
}


@dataclass(frozen=True)
class Backward:
    """Options of back-propagation through a presentation; none affects the forward pass.

    Attributes
    ----------
    derivative
        The spike derivative.
    detach_reset
        Whether no gradient passes through a reset to the spike that caused it; None: the
        derivative's rule decides.
    straight_through
        The derivative of the state update with respect to each input variable, in place of the
        exact one and of those with respect to everything else; None: the derivative's rule decides.
    detach_refractory
        Whether no gradient passes through refractoriness to the spike that caused it. If one does,
        the neuron's activity, 1 or 0 while it is refractory, is carried as a number ``a``: a spike
        ``s`` turns it into ``a (1 - s)``, the end of refractoriness into 1; a guarded write is
        ``a new + (1 - a) old``, and a spike counts ``a`` times.
    truncate
        Truncated back-propagation through time: the states, and spikes in transit within the
        population, are detached after this number of steps, counted from the first step of the
        layer (the lead-in, if the schedule has one). Input from the layer before in a step passes
        its gradient on to that layer. Populations that depend on each other are detached in the
        same step. None: the gradient goes back to the first step.
    recompute
        Gradient checkpointing: the steps are cut into segments of this length. Only the values at
        their ends are stored; the rest is recomputed in the backward pass, bit for bit. Memory is
        smallest near the square root of the number of steps. Populations that depend on each other
        store everything uncompiled, as does None; compiled, None is the square root.

    Raises
    ------
    NetworkError
        If a number of steps is not positive.

    Notes
    -----
    Truncated back-propagation: Williams, Peng 1990, Neural Computation 2:490. Checkpointing: Chen
    et al. 2016, arXiv:1604.06174. Detached resets: Zenke, Vogels 2021, Neural Computation 33:899.
    """

    derivative: SpikeDerivative = field(default_factory=Membrane)
    detach_reset: bool | None = None
    straight_through: float | None = None
    detach_refractory: bool = True
    truncate: int | None = None
    recompute: int | None = None

    def __post_init__(self) -> None:
        for name in ("truncate", "recompute"):
            if (steps := getattr(self, name)) is not None:
                whole(steps, name, least=1, error=NetworkError)

    @property
    def reset_detached(self) -> bool:
        """Return whether the reset is detached, by option or by the rule."""
        return self.derivative.detach_reset if self.detach_reset is None else self.detach_reset

    @property
    def update_slope(self) -> float | None:
        """Return the derivative that takes the place of the update's, by option or by the rule."""
        by_rule = 1.0 if self.derivative.straight_through else None
        return by_rule if self.straight_through is None else self.straight_through

    @property
    def gated(self) -> bool:
        """Return whether a neuron discards the gradient of steps in which it emits no spike."""
        # Otherwise a spike while the neuron is refractory moves its activity.
        return isinstance(self.derivative, Membrane) and self.detach_refractory

    def cuts(self, steps: int, before: int = 0) -> list[range]:
        """Return the segments of a presentation, cut at both kinds of boundary.

        Truncation is counted from a number of steps `before` the first one.
        """
        bounds = {0, steps}
        if self.truncate is not None:
            bounds |= set(range(-before % self.truncate, steps, self.truncate))
        if self.recompute is not None:
            bounds |= set(range(0, steps, self.recompute))
        ordered = sorted(bounds)
        return [range(*pair) for pair in pairwise(ordered)]

    def truncated_at(self, step: int) -> bool:
        """Return whether the states are detached before this step, counted from 0."""
        return self.truncate is not None and step > 0 and step % self.truncate == 0


class AttachedWrite(torch.autograd.Function):
    """A conditional write that is differentiable with respect to its condition.

    The condition's `weight` is the condition as a number, 0 or 1: the derivative is that of
    ``weight value + (1 - weight) old``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        condition: Tensor,
        weight: Tensor,  # noqa: ARG004
        value: Tensor,
        old: Tensor,
    ) -> Tensor:
        """Return `value` where the condition holds, and `old` elsewhere."""
        difference = value - old if ctx.needs_input_grad[1] else None
        ctx.save_for_backward(condition, difference)
        return torch.where(condition, value, old)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Pass the gradient to the values and to the weight."""
        (gradient,) = gradients
        condition, difference = ctx.saved_tensors
        _, to_weight, to_value, to_old = ctx.needs_input_grad
        return (
            None,
            gradient * difference if to_weight else None,
            torch.where(condition, gradient, 0) if to_value else None,
            torch.where(condition, 0, gradient) if to_old else None,
        )


@overridable
def attached_write(condition: Tensor, weight: Tensor, value: Tensor, old: Tensor) -> Tensor:
    """Return a conditional write, see `AttachedWrite`."""
    written: Tensor = AttachedWrite.apply(condition, weight, value, old)  # type: ignore[no-untyped-call]
    return written


def torch_stepper(program: Program, backward: Backward, dtype: torch.dtype) -> Stepper:
    """Return the blocks of a program on PyTorch tensors of a type."""
    return stepper(
        program,
        backward,
        {
            **torch_functions(dtype),
            "straight_through": straight_through,
            "written": _written,
            "guarded": _guarded,
            "released": _released,
            "taken": _taken,
        },
    )


def stepper(
    program: Program, backward: Backward, functions: Mapping[str, Callable[..., Any]]
) -> Stepper:
    """Return the blocks of a program with the requested gradients.

    `functions` are those of `torch_functions`, and ``straight_through``, ``written``, ``guarded``,
    ``released`` and ``taken``, whose gradients differ from those of their formulas.
    """
    attached = program.refractory and not backward.detach_refractory
    if attached:
        program = _with_activity(program)
    program = with_skipped(program)
    guard = _attached_guard if attached else guarded
    slope = backward.update_slope
    reads = ("_spike", ACTIVE) if attached else ("_spike",)
    return Stepper(
        program,
        functions,
        write_update=None if slope is None else _straight_through(program, guard, slope),
        write_reset=None if backward.reset_detached else _attached_write(program),
        write_spike=_spike_write(program),
        guard=guard,
        reads=() if backward.reset_detached and not attached else reads,
    )


def _straight_through(program: Program, guard: Write, slope: float) -> Write:
    factor = "" if slope == 1 else f"{slope!r}*"

    def write(statement: Statement, value: str) -> str:
        value = guard(statement, value)
        if statement.target not in program.model.received:
            return value
        return f"_fn['straight_through']({factor}{statement.target}, {value})"

    return write


def _attached_write(program: Program) -> Write:
    def write(statement: Statement, value: str) -> str:
        if statement.target not in program.states:
            return value
        function = "guarded" if may_be_undefined(statement) else "written"
        return f"_fn[{function!r}](_fired, _spike, {value}, {statement.target})"

    return write


def _attached_guard(statement: Statement, value: str) -> str:
    if not statement.guarded:
        return value
    return f"_fn['guarded'](not_refractory, {ACTIVE}, {value}, {statement.target})"


def _spike_write(program: Program) -> Write:
    def write(statement: Statement, value: str) -> str:
        if statement.target not in program.states or statement.target == ACTIVE:
            return value
        return f"_fn['select'](_fired, {value}, {statement.target})"

    return write


def _with_activity(program: Program) -> Program:
    """Return the program with activities as numbers in place of ``int(not_refractory)``."""
    blocks: dict[str, Any] = {
        field.name: tuple(map(_in_numbers, getattr(program, field.name)))
        for field in fields(program)
        if isinstance(getattr(program, field.name), tuple)
    }
    blocks["events"] = {
        name: replace(event, statements=tuple(map(_in_numbers, event.statements)))
        for name, event in program.events.items()
    }
    release = Statement(ACTIVE, Expression(f"released(not_refractory, {ACTIVE})"))
    spike = Statement(ACTIVE, Expression(f"{ACTIVE}*(1 - _spike)"))
    blocks["refractoriness"] = (*program.refractoriness, release)
    blocks["on_spike"] = (*program.on_spike, spike)
    return replace(program, states={**program.states, ACTIVE: State("1")}, **blocks)


def _in_numbers(statement: Statement) -> Statement:
    return replace(statement, value=statement.value.rewritten(_Numbers()))


class _Numbers(ast.NodeTransformer):
    """Replace ``int(not_refractory)`` and ``int(not not_refractory)``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        number = _NUMBERS.get(Expression.of(node))
        return self.generic_visit(node) if number is None else number.tree


def _written(condition: Tensor, weight: Tensor, value: Any, old: Tensor) -> Tensor:
    if not old.is_floating_point():
        return torch.where(condition, value, old)
    value = torch.as_tensor(value, dtype=old.dtype, device=old.device)
    value, old = value.expand_as(condition), old.expand_as(condition)
    return attached_write(condition, weight, value, old)


def _guarded(active: Tensor, weight: Tensor, value: Any, old: Tensor) -> Tensor:
    value = torch.as_tensor(value, device=old.device)
    if value.is_floating_point():
        # The value that a neuron skips may be 0/0.
        value = torch.where(active | value.isfinite(), value, old)
    return _written(active, weight, value, old)


def _taken(condition: Tensor, value: Tensor) -> Tensor:
    """Return a value without gradient where the condition does not hold."""
    if not value.is_floating_point() or not value.requires_grad:
        return value
    return torch.where(condition, value, value.detach())


def _released(active: Tensor, weight: Tensor) -> Tensor:
    """Return activities: 1 after refractoriness, until then 0 with the spike's gradient."""
    return torch.where(active, 1, weight - weight.detach())
