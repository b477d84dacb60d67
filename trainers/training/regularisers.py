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
Where spikes that do not happen have no derivative, as under the rules membrane and exact, only the
beta terms and `silent` reach a silent neuron: its potential has one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from bioae.errors import NetworkError
from bioae.trainers.mirror.activity import DISTANCE
from bioae.trainers.training.schedules import growth

if TYPE_CHECKING:
    from bioae.trainers.mirror.activity import Activity, LayerActivity
    from bioae.trainers.training.terms import TermConfig


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
        assert potential is not None  # the mirror computes it where a term needs it
        return potential.flatten(1) / len(self._layer.spikes)

    @cached_property
    def peak(self) -> Tensor:
        """The largest distance to threshold in units of its scale: (example, neuron)."""
        return self._layer.states[DISTANCE].amax(0).flatten(1)


#: Returns the term of one layer, without its coefficient, from its table in the configuration.
_ActivityTerm: TypeAlias = Callable[[LayerReading, Any], Tensor]


def _towards(quantity: str, cost: Callable[[Tensor], Tensor]) -> _ActivityTerm:
    """Return a term that pulls a quantity of each neuron towards a target, or into a window.

    With ``over = "batch"`` the quantity is its mean over the batch: a neuron may then fire for some
    examples and be silent for others.
    """
    read = attrgetter(quantity)

    def term(reading: LayerReading, config: Any) -> Tensor:
        values: Tensor = read(reading)
        if config.over == "batch":
            values = values.mean(0, keepdim=True)
        if config.window is None:
            distance = values - config.target
        else:
            low, high = config.window
            distance = (low - values).relu() + (values - high).relu()
        return cost(distance).sum(1).mean()

    return term


def _neuron1(reading: LayerReading, _: TermConfig) -> Tensor:
    """Return ``sum s / T``: equal to lambda1 where both act on the same layer."""
    return reading.rate.sum(1).mean()


def _example2(reading: LayerReading, _: TermConfig) -> Tensor:
    """Return ``(sum over neurons of s / T)^2``: few neurons should fire for an example."""
    return reading.rate.sum(1).square().mean()


def _neuron2(reading: LayerReading, _: TermConfig) -> Tensor:
    """Return ``sum over neurons of (sum over examples of s / T)^2 / examples``.

    No neuron should fire for all. At constant activity it grows in proportion to the batch size.
    """
    return reading.rate.sum(0).square().sum() / len(reading.rate)


def _silent(reading: LayerReading, config: Any) -> Tensor:
    """Return the distance from the threshold at the peak, summed over silent neurons.

    With ``over = "batch"`` it is that of the example in which the neuron comes closest to it. It is
    0 above a threshold at which refractoriness, or another condition, keeps the neuron silent.
    """
    fires, peak = reading.rate > 0, reading.peak
    if config.over == "batch":
        fires, peak = fires.any(0, keepdim=True), peak.amax(0, keepdim=True)
    return torch.where(fires, 0, (-peak).relu()).sum(1).mean()


#: The terms of the activity of a layer, by symbol. With a window, over the batch and with a
#: coefficient of 0.5, lambda1 is the rate regulariser of Bittar, Garner 2022 (arXiv:2212.01187).
ACTIVITY_TERMS: dict[str, _ActivityTerm] = {
    "beta1": _towards("potential", torch.abs),
    "beta2": _towards("potential", torch.square),
    "lambda1": _towards("rate", torch.abs),
    "lambda2": _towards("rate", torch.square),
    "neuron1": _neuron1,
    "example2": _example2,
    "neuron2": _neuron2,
    "silent": _silent,
}

#: Those that need the cumulative potential.
POTENTIAL_TERMS = frozenset({"beta1", "beta2"})

#: The terms of an array of weights, by symbol; l2 is without the factor 1/2 of weight decay.
WEIGHT_TERMS: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda weight: weight.abs().sum(),
    "l2": lambda weight: weight.square().sum(),
}


def evaluate(
    terms: Mapping[str, TermConfig],
    activity: Activity,
    weights: Mapping[str, Tensor],
    elapsed: float = math.inf,
) -> dict[str, Tensor]:
    """Return the value of each term for one batch, by symbol, coefficient included.

    `terms`: the tables of the terms, by symbol.
    `activity`: the mirror's activity for the batch.
    `weights`: the weights of connections, by ``LAYER.weight``.
    `elapsed`: the time since the terms came into force, in epochs, for their warm-ups.

    Raises `NetworkError` if a term acts on no layer at all.
    """
    readings = {name: LayerReading(layer) for name, layer in activity.layers.items()}
    return {
        symbol: growth(elapsed, term.warm_up)
        * (term.coefficient * _summed(symbol, term, readings, weights))
        for symbol, term in terms.items()
    }


def _summed(
    symbol: str,
    term: TermConfig,
    readings: Mapping[str, LayerReading],
    weights: Mapping[str, Tensor],
) -> Tensor:
    """Return the sum of a term over the layers, or the arrays of weights, that it acts on."""
    if symbol in ACTIVITY_TERMS:
        read = ACTIVITY_TERMS[symbol]
        found = [read(each, term) for name, each in readings.items() if term.acts_on(name)]
    else:
        read_weights = WEIGHT_TERMS[symbol]
        found = [read_weights(w) for n, w in weights.items() if term.acts_on(n.partition(".")[0])]
    if not found:
        raise NetworkError("a regulariser acts on no layer", where=f"regularisers.{symbol}")
    return torch.stack(found).sum()
