"""Terms that a training loss adds to the reconstruction, so that neurons neither burst nor die.

Notation: s is a neuron's spike count for one example, T the number of steps, r = s / T its rate per
step, and U_T its cumulative potential (never reset) after the last step.

Every activity term is *summed* over the neurons of a layer and over layers, and *averaged* over
the examples of a batch, as in the public code of Hübotter, Lanillos, Tomczak 2021
(arXiv:2109.11045; github.com/jhuebotter/SpikingVAE, ``src/losses.py``), where every coefficient is
0 unless given. So a coefficient weighs each neuron alike, whatever its layer's size, beside the sum
of squared errors. `neuron2` alone depends on the batch size: a square of a sum over the batch.

A coefficient may be any finite number. A negative one turns a penalty into a demand, and the demand
of beta1 or beta2 then has no bound. A bounded one is a `target`: beta2 with a target of 0.02 pulls
the potential of every neuron towards 0.02 T, that of the silent ones too. Without a target, beta1
and beta2 pull a strongly negative potential up to 0, from where input may make the neuron fire.
Under the membrane rule nothing but the beta terms reaches a neuron that is silent: its spikes have
no derivative, its potential has one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from bioae.errors import NetworkError

if TYPE_CHECKING:
    from bioae.trainers.mirror.activity import LayerActivity
    from bioae.trainers.mirror.network import Activity

__all__ = [
    "L1",
    "L2",
    "REGULARISERS",
    "ActivityRegulariser",
    "Beta1",
    "Beta2",
    "Example2",
    "Lambda1",
    "Lambda2",
    "Neuron1",
    "Neuron2",
    "Reading",
    "Regulariser",
    "WeightRegulariser",
    "evaluate",
]


class Reading:
    """What the terms read of one layer's activity, each computed once for all of them."""

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
                mend="Ask the mirror for the cumulative potential of the layer",
            )
        return potential.flatten(1) / len(self._layer.spikes)


@dataclass(frozen=True)
class Regulariser(ABC):
    """One term of the loss.

    Parameters
    ----------
    coefficient
        What the term is multiplied by; any finite number.
    layers
        The names of the layers that the term acts on; None for all.
    """

    symbol: ClassVar[str]
    coefficient: float
    layers: tuple[str, ...] | None = None

    def acts_on(self, layer: str) -> bool:
        """Whether the term acts on the layer of that name."""
        return self.layers is None or layer in self.layers

    @abstractmethod
    def __call__(self, readings: Mapping[str, Reading], weights: Mapping[str, Tensor]) -> Tensor:
        """Return the coefficient times the term, a number.

        Parameters
        ----------
        readings
            Of each spiking layer, by the layer's name.
        weights
            By ``LAYER.weight`` and ``LAYER.recurrent``; other names are neuron parameters.
        """


class ActivityRegulariser(Regulariser):
    """A term on the activity of each layer it acts on."""

    needs_potential: ClassVar[bool] = False

    def __call__(self, readings: Mapping[str, Reading], weights: Mapping[str, Tensor]) -> Tensor:
        """Return the coefficient times the sum of the term over layers."""
        return _total(
            self.coefficient, [self.term(r) for name, r in readings.items() if self.acts_on(name)]
        )

    @abstractmethod
    def term(self, reading: Reading) -> Tensor:
        """Return the term of one layer, without the coefficient."""


@dataclass(frozen=True)
class _Towards(ActivityRegulariser):
    """A term that pulls a quantity of each neuron towards a target, 0 in the paper."""

    target: float = 0.0


class Beta1(_Towards):
    """``sum |U_T / T - target|``: the potential, linearly."""

    symbol = "beta1"
    needs_potential = True

    def term(self, reading: Reading) -> Tensor:
        """Return the sum over neurons, as the mean over examples."""
        return _over_examples((reading.potential - self.target).abs())


class Beta2(_Towards):
    """``sum (U_T / T - target)^2``: the potential, squared."""

    symbol = "beta2"
    needs_potential = True

    def term(self, reading: Reading) -> Tensor:
        """Return the sum over neurons, as the mean over examples."""
        return _over_examples((reading.potential - self.target).square())


class Lambda1(_Towards):
    """``sum |s / T - target|``: the rate, linearly."""

    symbol = "lambda1"

    def term(self, reading: Reading) -> Tensor:
        """Return the sum over neurons, as the mean over examples."""
        return _over_examples((reading.rate - self.target).abs())


class Lambda2(_Towards):
    """``sum (s / T - target)^2``: the rate, squared."""

    symbol = "lambda2"

    def term(self, reading: Reading) -> Tensor:
        """Return the sum over neurons, as the mean over examples."""
        return _over_examples((reading.rate - self.target).square())


class Neuron1(ActivityRegulariser):
    """``sum s / T``: the layer's activity. It equals lambda1 where both act on the same layer."""

    symbol = "neuron1"

    def term(self, reading: Reading) -> Tensor:
        """Return the sum over neurons, as the mean over examples."""
        return _over_examples(reading.rate)


class Example2(ActivityRegulariser):
    """``(sum over neurons of s / T)^2``: few neurons should fire for an example."""

    symbol = "example2"

    def term(self, reading: Reading) -> Tensor:
        """Return the squared activity of an example, as the mean over examples."""
        return reading.rate.sum(1).square().mean()


class Neuron2(ActivityRegulariser):
    """``sum over neurons of (sum over examples of s / T)^2 / examples``: no neuron fires for all.

    At a given activity it grows in proportion to the batch size.
    """

    symbol = "neuron2"

    def term(self, reading: Reading) -> Tensor:
        """Return the squared activity of a neuron over the batch, summed over neurons."""
        return reading.rate.sum(0).square().sum() / len(reading.rate)


class WeightRegulariser(Regulariser):
    """A term on the weights into each layer it acts on, recurrent ones included."""

    def __call__(self, readings: Mapping[str, Reading], weights: Mapping[str, Tensor]) -> Tensor:
        """Return the coefficient times the sum of the term over weight arrays."""
        chosen = (name.rpartition(".") for name in weights)
        terms = [
            self.term(weights[f"{layer}.{kind}"])
            for layer, _, kind in chosen
            if kind in ("weight", "recurrent") and self.acts_on(layer)
        ]
        return _total(self.coefficient, terms)

    @abstractmethod
    def term(self, weight: Tensor) -> Tensor:
        """Return the term of one array of weights, without the coefficient."""


class L1(WeightRegulariser):
    """``sum |w|``."""

    symbol = "l1"

    def term(self, weight: Tensor) -> Tensor:
        """Return the sum of absolute weights."""
        return weight.abs().sum()


class L2(WeightRegulariser):
    """``sum w^2``, without the factor 1/2 of weight decay."""

    symbol = "l2"

    def term(self, weight: Tensor) -> Tensor:
        """Return the sum of squared weights."""
        return weight.square().sum()


#: Every term by its symbol.
REGULARISERS: dict[str, type[Regulariser]] = {
    term.symbol: term
    for term in (Beta1, Beta2, Lambda1, Lambda2, L1, L2, Neuron1, Example2, Neuron2)
}


def evaluate(
    regularisers: Sequence[Regulariser], activity: Activity, weights: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the value of each term for one batch, by symbol, coefficient included.

    Parameters
    ----------
    regularisers
        The terms; no symbol twice.
    activity
        What the mirror computed for the batch.
    weights
        The mirror's, by ``LAYER.weight``.

    Raises
    ------
    NetworkError
        If a term acts on a potential that the mirror did not compute, or on no layer at all.
    """
    readings = {name: Reading(layer) for name, layer in activity.layers.items()}
    return {each.symbol: each(readings, weights) for each in regularisers}


def _over_examples(values: Tensor) -> Tensor:
    """Sum over neurons, average over examples."""
    return values.sum(1).mean()


def _total(coefficient: float, terms: Sequence[Tensor]) -> Tensor:
    if not terms:
        raise NetworkError(
            "a regulariser acts on no layer",
            expected="the name of at least one layer that it can act on",
        )
    return coefficient * torch.stack(list(terms)).sum()
