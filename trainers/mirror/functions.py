"""Brian2's functions on PyTorch's tensors, with NumPy's bits and exact derivatives.

PyTorch's own `remainder` gives NaN where the quotient overflows, its `sqrt` may be wrong in the
last bit (both by vectorised libraries), and it has no derivative of `floor_divide`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bioae.equations.arrays.functions import array_functions
from bioae.trainers.mirror.overriding import overridable


def torch_functions(dtype: torch.dtype) -> Mapping[str, Callable[..., Any]]:
    """Return the functions of `array_functions` on tensors of a type, with their gradients."""
    return {
        **array_functions(torch, dtype),
        "exprel": _exprel,
        "floordiv": _floordiv,
        "mod": _mod,
        "sqrt": _sqrt,
    }


class StraightThrough(torch.autograd.Function):
    """An assignment whose gradient passes unchanged to the old value."""

    @staticmethod
    def forward(ctx: Any, old: Tensor, new: Tensor) -> Tensor:  # noqa: ARG004
        """Return `new`."""
        return new.view_as(new)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        """Pass the gradient to `old`."""
        return gradients[0], None


@overridable
def straight_through(old: Tensor, new: Tensor) -> Tensor:
    """Return `new`, whose gradient passes unchanged to `old`."""
    attached: Tensor = StraightThrough.apply(old, new)  # type: ignore[no-untyped-call]
    return attached


def _sqrt(value: Tensor) -> Tensor:
    root = _by_numpy(np.sqrt, torch.sqrt, value)
    return _with_gradient(root, torch.sqrt, value)


def _floordiv(a: Tensor, b: Tensor) -> Tensor:
    return torch.floor_divide(a.detach(), b.detach())


def _mod(a: Tensor, b: Tensor) -> Tensor:
    rest = _by_numpy(np.remainder, torch.remainder, a, b)
    # d(a % b)/da = 1 and d(a % b)/db = -(a // b).
    return _with_gradient(rest, lambda a, b: a - b * _floordiv(a, b), a, b)


def _with_gradient(result: Tensor, formula: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    """Return a result with the gradient of a formula that equals it up to rounding."""
    if not torch.is_grad_enabled() or not any(each.requires_grad for each in arguments):
        return result
    return straight_through(formula(*arguments), result)


def _by_numpy(ours: np.ufunc, theirs: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    """Return a function's value, without gradient: on processors by NumPy, whose bits are right."""
    if any(each.device.type != "cpu" for each in arguments):
        return theirs(*arguments).detach()
    with np.errstate(all="ignore"):
        # PyTorch lets a scalar have another type.
        dtype = torch.result_type(arguments[0], arguments[-1])
        arrays = [each.to(dtype).numpy(force=True) for each in arguments]
        return torch.from_numpy(np.asarray(ours(*arrays)))


def _exprel(value: Tensor) -> Tensor:
    moment: Tensor = _Moment.apply(value, 0)  # type: ignore[no-untyped-call]
    return moment


class _Moment(torch.autograd.Function):
    """The integral of ``s**n exp(x s)`` over s from 0 to 1: for n = 0, ``exprel``.

    The derivative with respect to x is the next moment.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, order: int) -> Tensor:
        """Return the moment of this order."""
        ctx.save_for_backward(value)
        ctx.order = order
        return _moment(value, order)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Multiply the gradient by the next moment."""
        (value,) = ctx.saved_tensors
        slope: Tensor = _Moment.apply(value, ctx.order + 1)  # type: ignore[no-untyped-call]
        return gradients[0] * slope, None


#: Terms of the series below, for arguments up to 1.
_TERMS = 20


def _moment(value: Tensor, order: int) -> Tensor:
    moment: Tensor = array_functions(torch, value.dtype)["exprel"](value)
    if order == 0:
        return moment
    # By parts, which loses all digits near 0; there, by the series sum(x**k/(k! (k + n + 1))).
    power = value.exp()
    for n in range(1, order + 1):
        moment = (power - n * moment) / value
    series = torch.zeros_like(value)
    for k in range(_TERMS, -1, -1):
        series = series * value + 1 / (math.factorial(k) * (k + order + 1))
    moment = torch.where(value.abs() < 1, series, moment)
    # Where the power overflows, so does the difference: by parts it would be NaN.
    return torch.where(power.isposinf(), math.inf, moment)
