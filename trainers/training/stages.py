"""Stages of a run: the settings of each, its learning rates, and its regularisers.

This file imports no PyTorch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioae.errors import NetworkError, key_path
from bioae.networks.config import NetworkConfig
from bioae.trainers.training.sections import DescentConfig
from bioae.trainers.training.terms import WEIGHT_SYMBOLS, RegularisersConfig, TermConfig

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Stage:
    """Consecutive epochs of a run with the same settings."""

    #: Its place among the stages, from 0.
    number: int
    #: The epochs of the run before the stage, and until its end.
    start: int
    end: int
    settings: DescentConfig
    #: The terms that its loss adds to the reconstruction, by symbol.
    regularisers: Mapping[str, TermConfig]
    #: The epochs of the learning-rate schedule: of the run, or of the stage if it has one.
    scheduled: range
    #: The epochs before the regularisers came into force: with the run, or with the stage.
    regularised: int

    @property
    def where(self) -> str:
        """The table of the stage, named in errors."""
        return key_path("training", "stages", self.number) if self.settings.stages else "training"

    def key(self, name: str, value: float) -> str:
        """Return a suggestion for a key of the settings, in the table that sets it."""
        stages = self.settings.stages
        own = stages and getattr(stages[self.number], name) is not None
        return f"{name} = {value:g} in [{self.where if own else 'training'}]"

    def trained(self, names: Collection[str], parameters: Collection[str]) -> frozenset[str]:
        """Return the names of the weights and neuron parameters that the stage trains."""
        trains = self.settings.trains
        return frozenset(name for name in names if trains(name, weight=name not in parameters))

    def let_train(self, weights: Mapping[str, nn.Parameter], parameters: Collection[str]) -> None:
        """Let the weights be trained that the stage trains, and no others.

        `parameters` are the names of the neuron parameters among them.
        """
        trained = self.trained(weights, parameters)
        for name, weight in weights.items():
            weight.requires_grad_(name in trained)
            weight.grad = None

    def batches(self, examples: int) -> int:
        """Return the number of updates per epoch."""
        return -(-examples // self.settings.batch_size)

    def rate_factor(self, epoch: int, batch: int, batches: int) -> float:
        """Return the factor of the learning rates after finished epochs and batches of the next."""
        elapsed = epoch - self.scheduled.start + batch / batches
        return self.settings.schedule.rate_factor(elapsed, 1 / batches, len(self.scheduled))

    def regularised_for(self, epoch: int, batch: int, batches: int) -> float:
        """Return the time since the regularisers came into force, in epochs."""
        return epoch - self.regularised + batch / batches


def build_regularisers(
    config: RegularisersConfig, network: NetworkConfig, where: str = "regularisers"
) -> dict[str, TermConfig]:
    """Return the tables of the terms that are set, by symbol, with the layers that they act on.

    Terms of the activity act on the layers that spike, those of weights on the layers with trained
    ones; others, and no layer, are a NetworkError. `where` is the key of the table, named in it.
    """
    spiking = tuple(each.name for each in network.placed if each.can_fire)
    weighted = tuple(each.name for each in network.placed if each.weight_shapes)
    terms = {}
    for symbol, term in config.terms(network.latent).items():
        allowed, lack, layers = weighted, "without trained weights", term.layers
        if symbol not in WEIGHT_SYMBOLS:
            allowed, lack, layers = spiking, "that never spikes", term.layers or spiking
        wrong = [name for name in term.layers or () if name not in allowed]
        if wrong or not allowed:
            which = f"{wrong[0]!r}, a layer {lack}" if wrong else f"no layer: each is one {lack}"
            raise NetworkError(
                f"the regulariser acts on {which}", where=f"{where}.{symbol}",
                expected=f"one of {', '.join(allowed)}" if allowed else None,
            )  # fmt: skip
        terms[symbol] = term.model_copy(update={"layers": layers})
    return terms
