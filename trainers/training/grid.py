"""Weights on a grid of dyadic fractions, on which their sums are exact in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

__all__ = ["on_grid"]


@contextmanager
@torch.no_grad()
def on_grid(weights: Collection[Tensor], bits: int | None) -> Iterator[None]:
    """Round weights to multiples of ``2^-bits`` inside the block, ties to even.

    They come back as they were; `bits` of None rounds nothing. A weight moves by at most
    ``2^-(bits + 1)``, far less than training feels: it goes on with the unrounded ones.
    """
    exact = [weight.detach().clone() for weight in weights]
    if bits is not None:
        for weight in weights:
            weight.copy_(torch.round(weight * 2.0**bits) * 2.0**-bits)
    try:
        yield
    finally:
        for weight, before in zip(weights, exact, strict=True):
            weight.copy_(before)
