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

__all__ = ["StraightThrough", "torch_stepper"]


class StraightThrough(torch.autograd.Function):
    """Returns the new value; passes the gradient to the old one unchanged."""

    @staticmethod
    def forward(ctx: Any, old: Tensor, new: Tensor) -> Tensor:
        """Return `new`."""
        return new.view_as(new)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Pass the gradient to `old`."""
        return gradients[0], None


def torch_stepper(
    program: Program, derivative: SpikeDerivative, dtype: torch.dtype
) -> Stepper:
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
        return f"_fn['straight_through']({target}, {value})" if target == program.model.input else value

    return write


def _attached_write(program: Program) -> Write:
    def write(statement: Statement, value: str) -> str:
        if statement.target not in program.states:
            return value
        return f"_fn['attached'](_fired, _spike, {value}, {statement.target})"

    return write


def _attached(fired: Tensor, spike: Tensor, value: Any, old: Tensor) -> Tensor:
    new = torch.where(fired, value, old)
    if not spike.requires_grad or not new.is_floating_point():
        return new
    # Adds 0 going forward; going backward, what a spike more would have changed.
    return new + (spike - spike.detach()) * (value - old).detach()
