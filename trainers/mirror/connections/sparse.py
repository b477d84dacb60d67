"""Sparse connections in PyTorch: synapses that are listed one by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bioae.networks.layer_base import Index


class SparseConnection(nn.Module):
    """The sums of the weights of synapses that arrive at each target (batch, target).

    Memory grows with the synapses and the batch in each step alone: spikes and weights are kept for
    the backward pass, not their products.

    Parameters
    ----------
    source, target
        The neurons that each synapse joins (synapse).
    targets
        The number of targets.
    """

    source: Tensor
    target: Tensor

    def __init__(self, source: Index, target: Index, targets: int) -> None:
        super().__init__()
        self.register_buffer("source", torch.from_numpy(source), persistent=False)
        self.register_buffer("target", torch.from_numpy(target), persistent=False)
        self._targets = targets

    def forward(self, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the sums, from the output of the sources (batch, ...) and weights (synapse)."""
        sums: Tensor = _Sparse.apply(  # type: ignore[no-untyped-call]
            emitted.flatten(1), weight, (self.source, self.target), self._targets
        )
        return sums


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, emitted: Tensor, weight: Tensor, ends: tuple[Tensor, Tensor], targets: int
    ) -> Tensor:
        source, target = ends
        ctx.save_for_backward(emitted, weight, source, target)
        sums = emitted.new_zeros(len(emitted), targets)
        return sums.index_add_(1, target, emitted.index_select(1, source) * weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        emitted, weight, source, target = ctx.saved_tensors
        at_target = gradients[0].index_select(1, target)
        to_emitted = to_weight = None
        if ctx.needs_input_grad[0]:
            to_emitted = torch.zeros_like(emitted).index_add_(1, source, at_target * weight)
        if ctx.needs_input_grad[1]:
            to_weight = (emitted.index_select(1, source) * at_target).sum(0)
        return to_emitted, to_weight, None, None
