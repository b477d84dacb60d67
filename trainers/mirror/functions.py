"""Brian2's functions on PyTorch's tensors, with NumPy's bits and exact derivatives.

PyTorch's own `remainder` gives NaN where the quotient overflows, its `sqrt` may be wrong in the
last bit (both by vectorised libraries), and it has no derivative of `floor_divide`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

import numpy as np
import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from bioae.equations.arrays.functions import array_functions

P = ParamSpec("P")


def overridable(function: Callable[P, Tensor]) -> Callable[P, Tensor]:
    """Let tensor subclasses and `TorchFunctionMode` override a function, as those of PyTorch."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Tensor:
        if has_torch_function(args):
            override: Tensor = handle_torch_function(call, args, *args, **kwargs)
            return override
        return function(*args, **kwargs)

    return call


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
    result: Tensor = _Exprel.apply(value)  # type: ignore[no-untyped-call]
    return result


class _Exprel(torch.autograd.Function):
    """``(exp(x) - 1)/x``, whose derivative by PyTorch would lose all digits near 0."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """Return the value."""
        result: Tensor = array_functions(torch, value.dtype)["exprel"](value)
        ctx.save_for_backward(value, result)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Multiply the gradient by the derivative, ``(exp(x) - exprel(x))/x``."""
        value, result = ctx.saved_tensors
        power, series = value.exp(), torch.zeros_like(value)
        for k in range(_TERMS, -1, -1):  # near 0: the sum of x**k/(k! (k + 2))
            series = series * value + 1 / (math.factorial(k) * (k + 2))
        slope = torch.where(value.abs() < 1, series, (power - result) / value)
        # Where the power overflows, so does the difference, which would be NaN.
        return gradients[0] * torch.where(power.isposinf(), math.inf, slope)


#: Terms of the series above, for arguments up to 1.
_TERMS = 20
