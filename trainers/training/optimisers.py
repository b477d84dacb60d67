"""Optimisers of PyTorch, from their tables."""

from __future__ import annotations

from typing import Any

import torch

from bioae.runs.tables import AdamWConfig, Optimiser, SgdConfig


def optimiser(settings: Optimiser, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return the optimiser of groups of weights, each with its learning rate and weight decay."""
    if isinstance(settings, SgdConfig):
        return torch.optim.SGD(groups, momentum=settings.momentum)
    kind = torch.optim.AdamW if isinstance(settings, AdamWConfig) else torch.optim.Adam
    return kind(groups, fused=True)
