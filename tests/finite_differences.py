"""Gradients of weights by central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn


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
