"""The optimiser of a run: its groups of weights, whose learning rates follow stage and schedule."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import nn

from bioae.trainers.training.optimisers import optimiser
from bioae.trainers.training.sections import DescentConfig
from bioae.trainers.training.stages import Stage

__all__ = ["Optimisation", "let_train"]


def let_train(
    stage: Stage, weights: Mapping[str, nn.Parameter], parameters: Collection[str]
) -> None:
    """Let the weights and parameters be trained that a stage trains, and no others.

    Parameters
    ----------
    stage
        The stage.
    weights
        The weights, biases and neuron parameters, by name.
    parameters
        The names of the neuron parameters.
    """
    trained = stage.trained(weights, parameters)
    for name, weight in weights.items():
        weight.requires_grad_(name in trained)
        weight.grad = None


class Optimisation:
    """An optimiser of a network's weights.

    Weights with the same learning rate in every stage, and the same decay, are a group. Weight
    decay acts on connections only: a neuron parameter at 0 is its initial value, and biases are
    not decayed either.

    Parameters
    ----------
    weights
        The weights, biases and neuron parameters, by name.
    synaptic, parameters
        The names of those that are weights of connections, and of the neuron parameters.
    settings
        The settings of the run.
    stages
        The stages of the run.

    Attributes
    ----------
    optimiser
        The optimiser; its state is that of the whole run.
    """

    def __init__(
        self,
        weights: Mapping[str, nn.Parameter],
        synaptic: Collection[str],
        parameters: Collection[str],
        settings: DescentConfig,
        stages: Sequence[Stage],
    ) -> None:
        self._weights = weights
        self._parameters = frozenset(parameters)
        groups: dict[tuple[tuple[float, ...], float], list[nn.Parameter]] = {}
        for name, weight in weights.items():
            rates = tuple(stage.settings.rate(name) for stage in stages)
            decay = settings.optimiser.weight_decay if name in synaptic else 0.0
            groups.setdefault((rates, decay), []).append(weight)
        self._rates = [rates for rates, _ in groups]
        described: list[dict[str, Any]] = [
            {"params": params, "lr": rates[0], "weight_decay": decay}
            for (rates, decay), params in groups.items()
        ]
        self.optimiser = optimiser(settings.optimiser, described)

    def enter(self, stage: Stage) -> None:
        """Let the weights and parameters be trained that the stage trains, and no others."""
        let_train(stage, self._weights, self._parameters)

    def step(self, stage: Stage, factor: float) -> None:
        """Update the weights, scaling the stage's learning rates by a factor."""
        for group, rates in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rates[stage.number] * factor
        self.optimiser.step()
