"""Functions with custom gradients, which tracing, linearising and diagnosis override."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

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
