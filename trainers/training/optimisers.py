"""Optimisers of PyTorch, from their tables: groups of weights, each with its learning rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from bioae.runs.tables import AdamWConfig, Optimiser, SgdConfig
from bioae.trainers.training.stages import Stage

#: The learning rates of a group of weights, by stage.
_Rates = tuple[float, ...]


def optimiser(settings: Optimiser, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """Return the optimiser of groups of weights, each with its learning rate and weight decay."""
    if isinstance(settings, SgdConfig):
        return torch.optim.SGD(groups, momentum=settings.momentum)
    kind = torch.optim.AdamW if isinstance(settings, AdamWConfig) else torch.optim.Adam
    return kind(groups, fused=True)


def grouped(
    weights: Mapping[str, nn.Parameter], synaptic: Collection[str], stages: Sequence[Stage]
) -> tuple[torch.optim.Optimizer, list[_Rates]]:
    """Return the optimiser of a run, and the learning rates of its groups.

    Weights with the same learning rate in every stage, and the same decay, are a group. Weight
    decay acts on connections only, the `synaptic` weights: a neuron parameter at 0 is its initial
    value, and biases are not decayed either.
    """
    settings = stages[0].settings.optimiser
    groups: dict[tuple[_Rates, float], list[nn.Parameter]] = {}
    for name, weight in weights.items():
        rates = tuple(stage.settings.rate(name) for stage in stages)
        decay = settings.weight_decay if name in synaptic else 0.0
        groups.setdefault((rates, decay), []).append(weight)
    described: list[dict[str, Any]] = [
        {"params": params, "lr": rates[0], "weight_decay": decay}
        for (rates, decay), params in groups.items()
    ]
    return optimiser(settings, described), [rates for rates, _ in groups]
