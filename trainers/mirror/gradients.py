"""Where the mirror's gradient departs from that of its statements, as the spike derivative asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from bioae.equations.functions import array_functions
from bioae.equations.program import Program, Statement, Write
from bioae.equations.stepping import Stepper
from bioae.trainers.derivatives import SpikeDerivative

__all__ = ["AttachedReset", "StraightThrough", "torch_stepper"]


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


class AttachedReset(torch.autograd.Function):
    """Writes a value where a neuron fired; the spike gets the gradient of what that changed."""

    @staticmethod
    def forward(
        ctx: Any,
        fired: Tensor,
        spike: Tensor,  # noqa: ARG004
        value: Tensor,
        old: Tensor,
    ) -> Tensor:
        """Return `value` where the neuron fired, and `old` elsewhere."""
        difference = value - old if ctx.needs_input_grad[1] else None
        ctx.save_for_backward(fired, difference)
        return torch.where(fired, value, old)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Pass the gradient to what was written, and to the spike that decided it."""
        (gradient,) = gradients
        fired, difference = ctx.saved_tensors
        _, to_spike, to_value, to_old = ctx.needs_input_grad
        return (
            None,
            gradient * difference if to_spike else None,
            torch.where(fired, gradient, 0) if to_value else None,
            torch.where(fired, 0, gradient) if to_old else None,
        )


def torch_stepper(program: Program, derivative: SpikeDerivative, dtype: torch.dtype) -> Stepper:
    """Return the blocks of a program on PyTorch tensors.

    Parameters
    ----------
    program
        The lowered neuron model.
    derivative
        Its `straight_through` sets the derivative of the state update with respect to the input
        variable to 1; its `detach_reset` keeps the reset's gradient from the spike.
    dtype
        The type of numbers.
    """
    functions: Mapping[str, Callable[..., Any]] = {
        **array_functions(torch, dtype),
        "straight_through": StraightThrough.apply,
        "attached": _attached,
    }
    return Stepper(
        program,
        functions,
        write_update=_straight_through(program) if derivative.straight_through else None,
        write_reset=None if derivative.detach_reset else _attached_write(program),
        reset_reads=("_fired",) if derivative.detach_reset else ("_fired", "_spike"),
    )


def _straight_through(program: Program) -> Write:
    def write(statement: Statement, value: str) -> str:
        target = statement.target
        if statement.guarded:
            value = f"_fn['select'](not_refractory, {value}, {target})"
        if target != program.model.input:
            return value
        return f"_fn['straight_through']({target}, {value})"

    return write


def _attached_write(program: Program) -> Write:
    def write(statement: Statement, value: str) -> str:
        if statement.target not in program.states:
            return value
        return f"_fn['attached'](_fired, _spike, {value}, {statement.target})"

    return write


def _attached(fired: Tensor, spike: Tensor, value: Any, old: Tensor) -> Tensor:
    if not old.is_floating_point():
        return torch.where(fired, value, old)
    value = torch.as_tensor(value, dtype=old.dtype, device=old.device)
    value, old = value.expand_as(fired), old.expand_as(fired)
    written: Tensor = AttachedReset.apply(fired, spike, value, old)  # type: ignore[no-untyped-call]
    return written
