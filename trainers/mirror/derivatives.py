"""Spike derivatives: the rules that replace the derivative of a spike in the backward pass.

Forward, a spike is a step of the distance to threshold. Backward, a rule replaces the step's
derivative. With ``x = distance / |scale|`` each rule is a profile ``g(x)``, and the derivative with
respect to the distance is ``g(x) / |scale|``: a rule has the same meaning for a threshold of 1 and
for one of -50 mV.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from bioae.checks import number, one_of
from bioae.errors import NetworkError
from bioae.trainers.mirror.functions import overridable


@dataclass(frozen=True)
class SpikeDerivative(ABC):
    """A spike derivative (surrogate gradient), with respect to the distance to threshold.

    Attributes
    ----------
    name
        The rule's name in configurations.
    citation
        The rule's source.
    straight_through
        Whether the derivative of the state update with respect to the input variable is set to 1.
    detach_reset
        Whether no gradient passes through the reset.

    Raises
    ------
    NetworkError
        If a parameter is not a positive finite number.
    """

    name: ClassVar[str]
    citation: ClassVar[str]
    straight_through: ClassVar[bool] = False
    detach_reset: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for field in fields(self):
            number(getattr(self, field.name), field.name, above=0, error=NetworkError)

    def __call__(self, distance: Tensor, scale: Tensor, spike: Tensor) -> Tensor:
        """Return the derivative of the spike with respect to the distance.

        Parameters
        ----------
        distance
            Distance to threshold, positive above it, of any shape and unit.
        scale
            The distance's unit of length, in the same unit, broadcastable to it; not 0.
        spike
            The spikes, 0 or 1 or boolean, of the distance's shape.
        """
        size = scale.abs()
        return self.profile(distance / size, spike) / size

    @abstractmethod
    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return ``g(x)``, the derivative with respect to ``x = distance / |scale|``."""


@dataclass(frozen=True)
class Membrane(SpikeDerivative):
    """1 where the neuron spiked, 0 where it was silent; straight through the leak.

    No gradient from downstream reaches a silent neuron: only terms on its potential can reactivate
    it. The rule requires that the derivative of the update with respect to the input variable is
    set to 1 and that the reset is detached, which its attributes request from the mirror.
    """

    name = "membrane"
    citation = "Hübotter, Lanillos, Tomczak 2021, arXiv:2109.11045"
    straight_through = True
    detach_reset = True

    def __call__(self, distance: Tensor, scale: Tensor, spike: Tensor) -> Tensor:
        """Return 1 over the scale where the neuron spiked, at any distance."""
        return spike.to(distance.dtype) / scale.abs()

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the spikes themselves."""
        return spike.to(x.dtype)


@dataclass(frozen=True)
class FastSigmoid(SpikeDerivative):
    """``1 / (1 + slope |x|)^2``: peak 1, area ``2 / slope``.

    The derivative of ``x / (1 + slope |x|)``. The default slope is the one of Zenke and Vogels
    2021 (Neural Computation 33:899).
    """

    name = "fast_sigmoid"
    citation = "Zenke, Ganguli 2018, Neural Computation 30:1514"
    slope: float = 10.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the squared reciprocal of ``1 + slope |x|``."""
        return (1 + self.slope * x.abs()).square().reciprocal()


@dataclass(frozen=True)
class ArcTan(SpikeDerivative):
    """``(alpha / 2) / (1 + (pi alpha x / 2)^2)``: peak ``alpha / 2``, area 1.

    The derivative of ``arctan(pi alpha x / 2) / pi``.
    """

    name = "arctan"
    citation = "Fang et al. 2021, arXiv:2007.05785"
    alpha: float = 2.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the Cauchy density of half-width ``2 / (pi alpha)``."""
        return self.alpha / 2 / (1 + (math.pi / 2 * self.alpha * x).square())


@dataclass(frozen=True)
class Triangular(SpikeDerivative):
    """``height max(0, 1 - |x| / width)``: peak ``height``, area ``height * width``.

    The default height is the dampening factor of Bellec et al.; Esser et al. 2016 (PNAS
    113:11441) use the same triangle with a height of 1.
    """

    name = "triangular"
    citation = "Bellec et al. 2018, arXiv:1803.09574"
    height: float = 0.3
    width: float = 1.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the triangle of base ``2 width`` around the threshold."""
        return self.height * (1 - x.abs() / self.width).clamp(min=0)


@dataclass(frozen=True)
class Boxcar(SpikeDerivative):
    """``1 / width`` where ``|x| <= width / 2``, else 0: area 1."""

    name = "boxcar"
    citation = "Bittar, Garner 2022, arXiv:2212.01187"
    width: float = 1.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the box of base `width` around the threshold."""
        return (x.abs() <= self.width / 2).to(x.dtype) / self.width


@dataclass(frozen=True)
class Gaussian(SpikeDerivative):
    """The normal density of standard deviation `sigma`, times `factor`: area `factor`.

    Yin et al. use a factor of 0.5.
    """

    name = "gaussian"
    citation = "Yin, Corradi, Bohté 2020, arXiv:2005.11633"
    sigma: float = 0.5
    factor: float = 1.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the scaled normal density around the threshold."""
        return self.factor * _normal(x, 0.0, self.sigma)


@dataclass(frozen=True)
class MultiGaussian(SpikeDerivative):
    """A normal density minus two wide ones on either side: area ``1 - height``.

    ``(1 + h) N(x; 0, s) - h N(x; s, ws) - h N(x; -s, ws)`` with ``h = height``, ``s = sigma`` and
    ``w = widening``; negative far from the threshold.
    """

    name = "multi_gaussian"
    citation = "Yin, Corradi, Bohté 2021, Nature Machine Intelligence 3:905"
    sigma: float = 0.5
    height: float = 0.15
    widening: float = 6.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return the sum of the three normal densities."""
        wide = self.widening * self.sigma
        sides = _normal(x, self.sigma, wide) + _normal(x, -self.sigma, wide)
        return (1 + self.height) * _normal(x, 0.0, self.sigma) - self.height * sides


@dataclass(frozen=True)
class Exact(SpikeDerivative):
    """0: the spike itself has no derivative, its time has the exact one.

    The time's derivative is ``-1 / rise``, where the rise is the rate of the distance to threshold,
    at least `floor` scales per second: neurons that just reach the threshold have times that
    change without bound. It is for currents with time courses: where an arriving jump crosses the
    threshold, the spike's time is that of the jump. Spikes that appear or vanish have no gradient:
    of the regularisers, only those of potentials reach silent neurons.
    """

    name = "exact"
    citation = "Wunderlich, Pehle 2021, Scientific Reports 11:12829"
    detach_reset = True
    floor: float = 1.0

    def profile(self, x: Tensor, spike: Tensor) -> Tensor:
        """Return zeros."""
        return 0 * x


def _normal(x: Tensor, mean: float, sigma: float) -> Tensor:
    return torch.exp(-0.5 * ((x - mean) / sigma).square()) / (sigma * math.sqrt(2 * math.pi))


#: Every rule by its name.
DERIVATIVES: dict[str, type[SpikeDerivative]] = {
    rule.name: rule
    for rule in (Membrane, FastSigmoid, ArcTan, Triangular, Boxcar, Gaussian, MultiGaussian, Exact)
}


def derivative(name: str, **parameters: Any) -> SpikeDerivative:
    """Return a spike derivative by its name.

    Parameters
    ----------
    name
        A key of `DERIVATIVES`.
    parameters
        The rule's parameters; each has a default.

    Raises
    ------
    NetworkError
        If there is no such rule, or it has no such parameter, or a parameter does not fit.
    """
    one_of(name, "the spike derivative", tuple(DERIVATIVES), error=NetworkError)
    rule = DERIVATIVES[name]
    for each in parameters:
        known = [field.name for field in fields(rule)]
        one_of(each, f"the parameter of the spike derivative {name!r}", known, error=NetworkError)
    return rule(**parameters)


class SpikeFunction(torch.autograd.Function):
    """A step going forward, the rule's derivative going backward."""

    @staticmethod
    def forward(
        ctx: Any, threshold: Tensor, distance: Tensor, scale: Tensor, rule: SpikeDerivative
    ) -> Tensor:
        """Return the condition as numbers, and store the derivative if it is needed."""
        # PyTorch converts bytes to numbers several times faster than booleans.
        spikes = threshold.view(torch.uint8).to(distance.dtype)
        if ctx.needs_input_grad[1]:
            ctx.save_for_backward(rule(distance, scale, spikes))
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None, None]:
        """Multiply the gradient by the derivative; the scale gets none."""
        (slope,) = ctx.saved_tensors
        return None, gradients[0] * slope, None, None


@overridable
def spike(
    threshold: Tensor, distance: Tensor, scale: Tensor, derivative: SpikeDerivative
) -> Tensor:
    """Return spikes as 0 and 1, differentiable with respect to the distance by the rule.

    Parameters
    ----------
    threshold
        The condition to fire, boolean, of any shape.
    distance
        Distance to threshold, broadcastable to `threshold`. A parameter of the threshold gets its
        gradient through the distance.
    scale
        The distance's unit of length, broadcastable to it; not 0.
    derivative
        The rule.

    Returns
    -------
    Tensor
        In the threshold's shape and the distance's type.
    """
    distance = distance.expand_as(threshold)
    spikes: Tensor = SpikeFunction.apply(threshold, distance, scale, derivative)  # type: ignore[no-untyped-call]
    return spikes
