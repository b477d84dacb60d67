"""How well a network reconstructs held-out images, and how it fires meanwhile."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

from bioae.trainers.training.grid import on_grid
from bioae.trainers.training.losses import squared_error
from bioae.trainers.training.metrics import LayerTally
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.reproducible import VALIDATION, encoder_seed

__all__ = ["evaluate"]


def evaluate(problem: Problem) -> dict[str, Any]:
    """Evaluate a network on the held-out images, with its weights as the artefact will hold them.

    Returns
    -------
    dict
        ``validation_sum_squared_error``: per image, pixels in [0, 1]; ``layers``: the figures of
        `LayerTally` of each spiking layer, by name.
    """
    settings = problem.config.training
    seed = encoder_seed(settings.seed, VALIDATION)
    tallies: defaultdict[str, LayerTally] = defaultdict(LayerTally)
    error = 0.0
    weights = problem.mirror.weights
    synaptic = [weights[name] for name in problem.mirror.synaptic]
    with on_grid(synaptic, settings.grid_bits), torch.no_grad():
        for start in range(0, len(problem.validation), settings.batch_size):
            images = problem.validation[start : start + settings.batch_size]
            drive, targets, key = problem.batch(images, seed)
            activity = problem.mirror(drive, key=key)
            error += squared_error(activity.reconstruction, targets).double().sum().item()
            for name, layer in activity.layers.items():
                tallies[name].add(layer)
    return {
        "validation_sum_squared_error": error / len(problem.validation),
        "layers": {name: tally.figures() for name, tally in tallies.items()},
    }
