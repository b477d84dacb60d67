"""Regularisers of firing and of weights, the terms added to the loss of the reconstruction.

Notation: s is a neuron's spike count for one example, T the number of steps, r = s / T its rate per
step, and U_T its cumulative potential (never reset) after the last step.

Every activity term is *summed* over the neurons of a layer and over layers, and *averaged* over
the examples of a batch, as in the public code of Hübotter, Lanillos, Tomczak 2021
(arXiv:2109.11045; github.com/jhuebotter/SpikingVAE, ``src/losses.py``), where every coefficient
defaults to 0. A coefficient therefore has the same weight for every neuron, whatever the size of
its layer, relative to the sum of squared errors. Only `neuron2` depends on the batch size: it
squares a sum over the batch.

A coefficient may be any finite number. A negative one rewards the quantity instead of penalising
it; the reward of beta1 and beta2 is unbounded. A `target` bounds it: beta2 with a target of 0.02
pulls the potential of every neuron towards 0.02 T, silent neurons included. Without a target, beta1
and beta2 pull a strongly negative potential up to 0, from where input may make the neuron fire.
Under the membrane rule only the beta terms reach a silent neuron: its spikes have no derivative,
its potential has one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from bioae.errors import NetworkError
from bioae.trainers.training.schedules import growth

if TYPE_CHECKING:
    from bioae.trainers.mirror.activity import Activity, LayerActivity

__all__ = [
    "REGULARISERS",
    "WEIGHT_KINDS",
    "ActivityRegulariser",
    "Regulariser",
    "TargetedRegulariser",
    "WeightRegulariser",
    "evaluate",
]


#: The last parts of the names of weights: of spiking layers, and of variational auto-encoders.
WEIGHT_KINDS = ("weight", "recurrent", "log_variance_weight")


class LayerReading:
    """Quantities of one layer that the terms share, each computed once."""

    def __init__(self, layer: LayerActivity) -> None:
        self._layer = layer

    @cached_property
    def rate(self) -> Tensor:
        """Spikes per step, s / T: shape (example, neuron)."""
        return self._layer.counts.flatten(1) / len(self._layer.spikes)

    @cached_property
    def potential(self) -> Tensor:
        """Cumulative potential after the last step over the steps, U_T / T: (example, neuron)."""
        potential = self._layer.final_potential
        if potential is None:
            raise NetworkError(
                "a regulariser acts on a potential that was not computed",
                where=f"layer {self._layer.name}",
                hint="Ask the mirror for the cumulative potential of the layer",
            )
        return potential.flatten(1) / len(self._layer.spikes)


@dataclass(frozen=True)
class Regulariser(ABC):
    """A term of the loss.

    Parameters
    ----------
    coefficient
        The factor of the term; any finite number.
    layers
        The names of the layers that the term acts on; None for all.
    warm_up
        The epochs over which the coefficient grows linearly from 0.
    """

    symbol: ClassVar[str]
    coefficient: float
    layers: tuple[str, ...] | None = None
    warm_up: float = 0.0

    def acts_on(self, layer: str) -> bool:
        """Return whether the term acts on the layer of that name."""
        return self.layers is None or layer in self.layers

    @abstractmethod
    def __call__(
        self, readings: Mapping[str, LayerReading], weights: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the coefficient times the term, a number.

        Parameters
        ----------
        readings
            One for each spiking layer, by the layer's name.
        weights
            By ``LAYER.weight`` and so on: `WEIGHT_KINDS`, on which terms of weights act, biases
            and neuron parameters.
        """

    def _total(self, terms: Sequence[Tensor]) -> Tensor:
        if not terms:
            raise NetworkError(
                "a regulariser acts on no layer",
                expected="the name of at least one layer that it can act on",
            )
        return self.coefficient * torch.stack(list(terms)).sum()


class ActivityRegulariser(Regulariser):
    """A term on the activity of each layer that it acts on."""

    needs_potential: ClassVar[bool] = False

    def __call__(
        self, readings: Mapping[str, LayerReading], weights: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the coefficient times the sum of the term over layers."""
        return self._total([self._term(r) for name, r in readings.items() if self.acts_on(name)])

    @abstractmethod
    def _term(self, reading: LayerReading) -> Tensor:
        """Return the term of one layer, without the coefficient."""


@dataclass(frozen=True)
class TargetedRegulariser(ActivityRegulariser):
    """A term that pulls a quantity of each neuron towards a target, 0 in the paper.

    Parameters
    ----------
    target
        The value where the term is 0.
    window
        Bounds between which the term is 0, instead of a target.
    over
        Whether the quantity is that of each example, or its mean over the batch: a neuron may then
        fire for some examples and be silent for others.
    """

    target: float = 0.0
    window: tuple[float, float] | None = None
    over: Literal["example", "batch"] = "example"

    def _term(self, reading: LayerReading) -> Tensor:
        quantity = self._quantity(reading)
        if self.over == "batch":
            quantity = quantity.mean(0, keepdim=True)
        return self._cost(self._distance(quantity)).sum(1).mean()

    def _distance(self, quantity: Tensor) -> Tensor:
        """Return the distance from the target, or from the window, where it is not negative."""
        if self.window is None:
            return quantity - self.target
        low, high = self.window
        return (low - quantity).relu() + (quantity - high).relu()

    @abstractmethod
    def _quantity(self, reading: LayerReading) -> Tensor:
        """Return the quantity (example, neuron)."""

    @abstractmethod
    def _cost(self, distance: Tensor) -> Tensor:
        """Return the cost of each distance."""


class _OfPotential(TargetedRegulariser):
    """A term on the cumulative potential, U_T / T."""

    needs_potential = True

    def _quantity(self, reading: LayerReading) -> Tensor:
        return reading.potential


class _OfRate(TargetedRegulariser):
    """A term on the rate, s / T."""

    def _quantity(self, reading: LayerReading) -> Tensor:
        return reading.rate


class Beta1(_OfPotential):
    """``sum |U_T / T - target|``: the potential, linearly."""

    symbol = "beta1"

    def _cost(self, distance: Tensor) -> Tensor:
        return distance.abs()


class Beta2(_OfPotential):
    """``sum (U_T / T - target)^2``: the potential, squared."""

    symbol = "beta2"

    def _cost(self, distance: Tensor) -> Tensor:
        return distance.square()


class Lambda1(_OfRate):
    """``sum |s / T - target|``: the rate, linearly.

    With a window, over the batch and with a coefficient of 0.5 it is the rate regulariser of
    Bittar, Garner 2022 (arXiv:2212.01187): ``0.5 sum [relu(low - r) + relu(r - high)]``.
    """

    symbol = "lambda1"

    def _cost(self, distance: Tensor) -> Tensor:
        return distance.abs()


class Lambda2(_OfRate):
    """``sum (s / T - target)^2``: the rate, squared."""

    symbol = "lambda2"

    def _cost(self, distance: Tensor) -> Tensor:
        return distance.square()


class Neuron1(ActivityRegulariser):
    """``sum s / T``: the layer's activity; equal to lambda1 where both act on the same layer."""

    symbol = "neuron1"

    def _term(self, reading: LayerReading) -> Tensor:
        return reading.rate.sum(1).mean()


class Example2(ActivityRegulariser):
    """``(sum over neurons of s / T)^2``: few neurons should fire for an example."""

    symbol = "example2"

    def _term(self, reading: LayerReading) -> Tensor:
        return reading.rate.sum(1).square().mean()


class Neuron2(ActivityRegulariser):
    """``sum over neurons of (sum over examples of s / T)^2 / examples``: no neuron fires for all.

    At constant activity it grows in proportion to the batch size.
    """

    symbol = "neuron2"

    def _term(self, reading: LayerReading) -> Tensor:
        return reading.rate.sum(0).square().sum() / len(reading.rate)


class WeightRegulariser(Regulariser):
    """A term on the weights into each layer that it acts on, all `WEIGHT_KINDS` included."""

    def __call__(
        self, readings: Mapping[str, LayerReading], weights: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the coefficient times the sum of the term over weight arrays."""
        names = (name.rpartition(".") for name in weights)
        return self._total(
            [
                self._term(weights[f"{layer}.{kind}"])
                for layer, _, kind in names
                if kind in WEIGHT_KINDS and self.acts_on(layer)
            ]
        )

    @abstractmethod
    def _term(self, weight: Tensor) -> Tensor:
        """Return the term of one array of weights, without the coefficient."""


class L1(WeightRegulariser):
    """``sum |w|``."""

    symbol = "l1"

    def _term(self, weight: Tensor) -> Tensor:
        return weight.abs().sum()


class L2(WeightRegulariser):
    """``sum w^2``, without the factor 1/2 of weight decay."""

    symbol = "l2"

    def _term(self, weight: Tensor) -> Tensor:
        return weight.square().sum()


#: Every term by its symbol.
REGULARISERS: dict[str, type[Regulariser]] = {
    term.symbol: term
    for term in (Beta1, Beta2, Lambda1, Lambda2, L1, L2, Neuron1, Example2, Neuron2)
}


def evaluate(
    regularisers: Sequence[Regulariser],
    activity: Activity,
    weights: Mapping[str, Tensor],
    elapsed: float = math.inf,
) -> dict[str, Tensor]:
    """Return the value of each term for one batch, by symbol, coefficient included.

    Parameters
    ----------
    regularisers
        The terms; no symbol twice.
    activity
        The mirror's activity for the batch.
    weights
        The mirror's weights, by ``LAYER.weight``.
    elapsed
        The time since the terms came into force, in epochs, for their warm-ups.

    Raises
    ------
    NetworkError
        If a term acts on a potential that the mirror did not compute, or on no layer at all.
    """
    readings = {name: LayerReading(layer) for name, layer in activity.layers.items()}
    return {
        each.symbol: growth(elapsed, each.warm_up) * each(readings, weights)
        for each in regularisers
    }
