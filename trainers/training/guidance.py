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

#: The weight of the term, in errors of the former network, and the part of the run that it acts in.
_WEIGHT, _PART = 3.0, 0.5


@dataclass(frozen=True)
class GuidedProblem(Problem):
    """A problem whose layers are drawn to the spike counts of a former network at first.

    Hidden layers of a changed network need not carry any information, and gradients through many
    layers are noisy; a term on each layer reaches it directly (hints; Romero et al. 2015,
    arXiv:1412.6550). It is the squared difference of the counts, divided by the squared counts of
    the former layer, and times a weight that falls linearly to 0 in the first half of the run.
    `former` is the problem of the former network, on the same data.
    """

    former: Problem

    def added(
        self, outputs: Activity, batch: Batch, stage: Stage, elapsed: float
    ) -> dict[str, Tensor]:
        """Return the regularisers, and the guidance."""
        terms = super().added(outputs, batch, stage, elapsed)
        share = 1 - elapsed / (_PART * stage.end)
        if share <= 0:
            return terms
        train, (seed, examples, _) = self.data.train, batch.key
        order = np.argsort(train.indices)
        places = order[np.searchsorted(train.indices, examples, sorter=order)]
        with torch.no_grad():
            shown = self.former.batch(train[places], seed)
            wanted = self.former.run(shown)
            error = loss_function(self.config.loss)(wanted.output, shown.targets)
        layers = read_layers(self.config.network, outputs.layers)
        differences = [
            (layer.counts - wanted.layers[name].counts).square().sum()
            / wanted.layers[name].counts.square().sum().clamp(min=1)
            for name, layer in layers.items()
        ]
        if not differences:
            return terms
        return {**terms, "guidance": _WEIGHT * share * error * torch.stack(differences).sum()}
