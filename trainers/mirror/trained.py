"""Trained parameters of neurons: free of units while they are trained, in base units otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.equations.declarations import parameter_values
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import evaluate
from bioae.errors import ModelError
from bioae.trainers.mirror.constants import as_array

__all__ = ["Scale", "TrainedParameter"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """What a trained number means.

    A parameter that is positive throughout its bounds, such as a time constant, is trained as
    ``start exp(u)``: a step of ``u`` changes it in proportion. Any other is trained as
    ``start + unit u``, where `unit` is the model's value or the width of the bounds, whichever is
    smaller. Either way one learning rate means the same for 100 ms and for -50 mV, and the norm of
    a gradient, which is clipped over weights and parameters together, does not depend on units.
    Bounds are kept by projection, see `TrainedParameter.clamp_`: unlike a sigmoid between them, the
    scale does not come to rest near a bound, and where training starts is met to the last bit.

    Attributes
    ----------
    start
        Where ``u`` is 0, in base units: a scalar, or an array (neuron).
    low, high
        The bounds, in base units.
    unit
        How far a ``u`` of 1 leads, where the scale is linear.
    logarithmic
        Whether it is not.
    """

    start: Array
    low: float
    high: float
    unit: float
    logarithmic: bool

    @classmethod
    def of(cls, model: NeuronModel, name: str, start: NDArray[Any]) -> Scale:
        """Return the scale of a model's trainable parameter that starts at these values."""
        start = np.asarray(start, dtype=np.float64)
        default = parameter_values(model)[name]
        where = f"{model.name}.toml, [trainable] {name}"
        low, high = (
            float(evaluate(bound, dimensions_of=default, where=where, error=ModelError))
            for bound in model.trainable[name]
        )
        unit = min(abs(float(default)) or high - low, high - low)
        return cls(start, low, high, unit, logarithmic=low > 0 and bool((start > 0).all()))

    def values(self, u: Array) -> Array:
        """Return base units; rounding does not lead out of the bounds."""
        found = self.start * np.exp(u) if self.logarithmic else self.start + self.unit * u
        below, above = np.minimum(self.low, self.start), np.maximum(self.high, self.start)
        return np.asarray(np.clip(found, below, above))

    def attached(self, u: Tensor, values: Tensor) -> Tensor:
        """Return `values`, those of `u`, with a gradient that reaches it."""
        slope = values if self.logarithmic else self.unit
        return values + slope * (u - u.detach())

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The bounds of ``u``, of the shape of `start`."""
        ends = np.asarray(self.low), np.asarray(self.high)
        if self.logarithmic:
            low, high = (np.log(end / self.start) for end in ends)
        else:
            low, high = ((end - self.start) / self.unit for end in ends)
        return low, high


class TrainedParameter(nn.Module):
    """A trained parameter of a population.

    Parameters
    ----------
    model
        The neuron model.
    name
        The parameter's name in it.
    start
        Where it starts, in base units: a scalar, or an array (neuron) to be trained each on its
        own.
    dtype
        The type of numbers.

    Attributes
    ----------
    raw
        What an optimiser moves, see `Scale`.
    scale
        What it means.
    """

    def __init__(
        self, model: NeuronModel, name: str, start: NDArray[Any], dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.scale = Scale.of(model, name, start)
        self.raw = nn.Parameter(torch.zeros(self.scale.start.shape, dtype=dtype))

    def values(self) -> Array:
        """Return base units, computed in float64."""
        return self.scale.values(as_array(self.raw))

    def attached(self, values: Tensor) -> Tensor:
        """Return `values`, in base units and of `raw`'s shape, with a gradient that reaches it."""
        return self.scale.attached(self.raw, values)

    @torch.no_grad()
    def set_(self, values: NDArray[Any] | float) -> None:
        """Start anew from a value in base units, or one for each neuron.

        An optimiser or a checkpoint that knows the old start knows nothing of the new one.
        """
        start = np.broadcast_to(np.asarray(values, dtype=np.float64), self.scale.start.shape)
        self.scale = replace(
            self.scale, start=start, logarithmic=self.scale.low > 0 and bool((start > 0).all())
        )
        self.raw.zero_()

    @torch.no_grad()
    def clamp_(self) -> None:
        """Move back into the bounds that the model gives."""
        low, high = (torch.from_numpy(np.asarray(end)).to(self.raw) for end in self.scale.bounds)
        self.raw.clamp_(low, high)
