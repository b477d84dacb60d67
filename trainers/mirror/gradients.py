"""Where the mirror's gradient departs from that of its statements, as it was asked to."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.stepping import Stepper, Write, guarded
from bioae.equations.expressions import Expression
from bioae.equations.program import Program, State, Statement
from bioae.trainers.mirror.backward import Backward

__all__ = ["ACTIVE", "AttachedWrite", "StraightThrough", "stepper", "torch_stepper"]

#: A neuron's activity, as a number: 1, or 0 while it is refractory.
ACTIVE = "_active"

_NUMBERS = {
    Expression("int(not_refractory)"): Expression(ACTIVE),
    Expression("int(not not_refractory)"): Expression(f"1 - {ACTIVE}"),
}


class StraightThrough(torch.autograd.Function):
    """Returns the new value; passes the gradient to the old one unchanged."""

    @staticmethod
    def forward(ctx: Any, old: Tensor, new: Tensor) -> Tensor:  # noqa: ARG004
        """Return `new`."""
        return new.view_as(new)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        """Pass the gradient to `old`."""
        return gradients[0], None


class AttachedWrite(torch.autograd.Function):
    """Writes a value where a condition holds, which gets the gradient of what that changed.

    The condition's `weight` is the same in numbers, 0 or 1: the derivative is that of
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
        """Pass the gradient to what was written, and to the weight that decided it."""
        (gradient,) = gradients
        condition, difference = ctx.saved_tensors
        _, to_weight, to_value, to_old = ctx.needs_input_grad
        return (
            None,
            gradient * difference if to_weight else None,
            torch.where(condition, gradient, 0) if to_value else None,
            torch.where(condition, 0, gradient) if to_old else None,
        )


def torch_stepper(program: Program, backward: Backward, dtype: torch.dtype) -> Stepper:
    """Return the blocks of a program on PyTorch tensors of a type of numbers."""
    return stepper(
        program,
        backward,
        {
            **array_functions(torch, dtype),
            "straight_through": StraightThrough.apply,
            "written": _written,
            "guarded": _guarded,
            "released": _released,
        },
    )


def stepper(
    program: Program, backward: Backward, functions: Mapping[str, Callable[..., Any]]
) -> Stepper:
    """Return the blocks of a program, with gradients as they were asked for.

    Parameters
    ----------
    program
        The lowered neuron model.
    backward
        How gradients flow. The derivative's `straight_through` sets the derivative of the state
        update with respect to the input variable to 1.
    functions
        Those of `array_functions`, and ``straight_through``, ``written``, ``guarded`` and
        ``released``, whose gradients are not those of what they compute.
    """
    attached = program.refractory and not backward.detach_refractory
    if attached:
        program = _with_activity(program)
    guard = _attached_guard if attached else guarded
    straight = backward.derivative.straight_through
    reads = ("_spike", ACTIVE) if attached else ("_spike",)
    return Stepper(
        program,
        functions,
        write_update=_straight_through(program, guard) if straight else None,
        write_reset=None if backward.reset_detached else _attached_write(program),
        write_spike=_spike_write(program),
        guard=guard,
        reads=() if backward.reset_detached and not attached else reads,
    )


def _straight_through(program: Program, guard: Write) -> Write:
    def write(statement: Statement, value: str) -> str:
        value = guard(statement, value)
        if statement.target != program.model.input:
            return value
        return f"_fn['straight_through']({statement.target}, {value})"

    return write


def _attached_write(program: Program) -> Write:
    def write(statement: Statement, value: str) -> str:
        if statement.target not in program.states:
            return value
        return f"_fn['written'](_fired, _spike, {value}, {statement.target})"

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
    written: Tensor = AttachedWrite.apply(condition, weight, value, old)  # type: ignore[no-untyped-call]
    return written


def _guarded(active: Tensor, weight: Tensor, value: Any, old: Tensor) -> Tensor:
    value = torch.as_tensor(value, device=old.device)
    if value.is_floating_point():
        # What a refractory neuron skips may well be 0/0.
        value = torch.where(active | value.isfinite(), value, old)
    return _written(active, weight, value, old)


def _released(active: Tensor, weight: Tensor) -> Tensor:
    """Return activities, 1 from the end of refractoriness on; till then the spike's gradient."""
    return torch.where(active, 1, weight - weight.detach())
