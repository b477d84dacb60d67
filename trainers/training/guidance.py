"""Guidance of the layers of a network by those of a former one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bioae.runs.assessment import read_layers
from bioae.trainers.mirror.activity import Activity
from bioae.trainers.training.descent import Batch
from bioae.trainers.training.losses import loss_function
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.stages import Stage

#: The weight of the term at first, in errors of the former network.
_WEIGHT = 3.0


@dataclass(frozen=True)
class GuidedProblem(Problem):
    """A problem whose layers are drawn to the spike counts of a former network.

    Hidden layers of a changed network need not carry any information, and gradients through many
    layers are noisy; a term on each layer reaches it directly (hints; Romero et al. 2015,
    arXiv:1412.6550), and shows what the former network learned from more examples. It is the
    `misfit` of the counts, times a weight that falls linearly to 0.
    `former` is the problem of the former network, on the same data.
    """

    former: Problem

    def added(
        self, outputs: Activity, batch: Batch, stage: Stage, elapsed: float
    ) -> dict[str, Tensor]:
        """Return the regularisers, and the guidance."""
        terms = super().added(outputs, batch, stage, elapsed)
        share = 1 - elapsed / stage.end
        train, (seed, examples, _) = self.data.train, batch.key
        order = np.argsort(train.indices)
        places = order[np.searchsorted(train.indices, examples, sorter=order)]
        with torch.no_grad():
            shown = self.former.batch(train[places], seed)
            wanted = self.former.run(shown)
            error = loss_function(self.config.loss)(wanted.output, shown.targets)
        layers = read_layers(self.config.network, outputs.layers)
        differences = [
            misfit(layer.counts, wanted.layers[name].counts) for name, layer in layers.items()
        ]
        if not differences:
            return terms
        return {**terms, "guidance": _WEIGHT * share * error * torch.stack(differences).sum()}


def misfit(counts: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared difference of spike counts at unit norms: 0 if proportional, 2 at most.

    Neurons that saturate early carry most at lower rates than those of the former network.
    """
    norms = counts.norm().clamp(min=1) * wanted.norm().clamp(min=1)
    difference: Tensor = 2 - 2 * (counts * wanted).sum() / norms
    return difference.clamp(min=0)
