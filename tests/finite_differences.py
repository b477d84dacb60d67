"""Gradients of weights by central differences, and a surrogate for loops in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn


class Surrogate(torch.autograd.Function):
    """A step with the derivative 1 / (1 + 10 |x|)^2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x > 0).double()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        slope: Tensor = 1 / (1 + 10 * x.abs()) ** 2
        return gradients[0] * slope


def assert_gradients(
    loss: Callable[[], Tensor],
    weights: Mapping[str, nn.Parameter],
    *,
    every: int,
    tolerance: float,
    step: float = 1e-6,
) -> None:
    """Compare the gradient of a loss, which has been computed, with slopes at some places."""
    for name, weight in weights.items():
        assert weight.grad is not None
        for place in range(0, weight.numel(), every):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    weight.view(-1)[place] += sign * step
                    ends.append(loss().item())
                    weight.view(-1)[place] -= sign * step
            slope = (ends[0] - ends[1]) / (2 * step)
            assert weight.grad.view(-1)[place].item() == pytest.approx(slope, abs=tolerance), name
