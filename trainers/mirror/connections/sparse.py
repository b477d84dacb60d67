"""Sparse connections in PyTorch: synapses that are listed one by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bioae.networks.layer_base import Index

#: The most products of spikes and weights at once.
_PRODUCTS = 2**22

#: The part of the sources up to which only the synapses of those that emit something are summed.
_FEW = 0.125


class SparseConnection(nn.Module):
    """The sums of the weights of synapses that arrive at each target (batch, target).

    Spikes and weights are kept for the backward pass, not their products, which are computed for a
    part of the batch at once. `source` and `target` are the neurons that each synapse joins.
    """

    source: Tensor
    target: Tensor

    def __init__(self, source: Index, target: Index, targets: int) -> None:
        super().__init__()
        self.register_buffer("source", torch.from_numpy(source), persistent=False)
        self.register_buffer("target", torch.from_numpy(target), persistent=False)
        self.targets = targets

    def of(self, chosen: Tensor) -> SparseConnection:
        """Return the connection of some synapses (synapse), a mask."""
        part = SparseConnection.__new__(SparseConnection)
        nn.Module.__init__(part)
        for name in ("source", "target"):
            part.register_buffer(name, getattr(self, name)[chosen], persistent=False)
        part.targets = self.targets
        return part

    def forward(self, emitted: Tensor, weight: Tensor) -> Tensor:
        """Return the sums, from the output of the sources (batch, ...) and weights (synapse)."""
        sums: Tensor = _Sparse.apply(  # type: ignore[no-untyped-call]
            emitted.flatten(1), weight, (self.source, self.target), self.targets
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
        active = emitted.any(0)
        if active.sum() < _FEW * len(active):  # others add 0
            chosen = active.index_select(0, source).nonzero()[:, 0]
            source, target, weight = source[chosen], target[chosen], weight[chosen]
        for rows, sent in zip(_parts(sums, source), _parts(emitted, source), strict=True):
            rows.index_add_(1, target, sent.index_select(1, source) * weight)
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        emitted, weight, source, target = ctx.saved_tensors
        to_emitted, to_weight = torch.zeros_like(emitted), torch.zeros_like(weight)
        parts = (_parts(each, source) for each in (gradients[0], emitted, to_emitted))
        for gradient, sent, rows in zip(*parts, strict=True):
            at_target = gradient.index_select(1, target)
            if ctx.needs_input_grad[0]:
                rows.index_add_(1, source, at_target * weight)
            if ctx.needs_input_grad[1]:
                to_weight += (sent.index_select(1, source) * at_target).sum(0)
        needed = ctx.needs_input_grad
        return to_emitted if needed[0] else None, to_weight if needed[1] else None, None, None


def _parts(values: Tensor, synapses: Tensor) -> tuple[Tensor, ...]:
    """Return views of a batch whose products with the synapses fit into memory."""
    return torch.split(values, max(_PRODUCTS // max(len(synapses), 1), 1))
