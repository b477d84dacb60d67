"""Trained neuron parameters: dimensionless during training, in base units otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.equations.declarations import parameter_values, trained_bounds
from bioae.equations.model import NeuronModel

Array = NDArray[np.float64]


def as_array(tensor: Tensor) -> NDArray[np.float64]:
    """Return a tensor's numbers in float64, from any device."""
    return np.asarray(tensor.cpu().double().numpy(force=True))


@dataclass(frozen=True)
class Scale:
    """The scale of a trained parameter: a dimensionless ``u`` in place of base units.

    A parameter with positive bounds, such as a time constant, is trained as ``start exp(u)``: a
    step of ``u`` changes it in proportion. Any other parameter is trained as ``start + unit u``,
    where `unit` is the model's value or the width of the bounds, whichever is smaller. So a
    learning rate has the same meaning for 100 ms and for -50 mV, and the norm of the gradient,
    which is clipped over weights and parameters together, does not depend on units. Bounds are kept
    by projection, see `TrainedParameter.clamp_`: unlike a sigmoid between the bounds, the scale
    does not saturate, and reproduces the start to the last bit.

    `start` is a scalar, or an array (neuron); it, the bounds and `unit` are in base units.
    """

    start: Array
    low: float
    high: float
    unit: float
    logarithmic: bool

    @classmethod
    def for_parameter(cls, model: NeuronModel, name: str, start: NDArray[Any]) -> Scale:
        """Return the scale of a model's trainable parameter that starts at these values."""
        start = np.asarray(start, dtype=np.float64)
        default = parameter_values(model)[name]
        low, high = trained_bounds(model, name)
        unit = min(abs(float(default)) or high - low, high - low)
        return cls(start, low, high, unit, logarithmic=low > 0 and bool((start > 0).all()))

    def values(self, u: Array) -> Array:
        """Return values in base units; rounding does not leave the bounds."""
        values = self.start * np.exp(u) if self.logarithmic else self.start + self.unit * u
        below, above = np.minimum(self.low, self.start), np.maximum(self.high, self.start)
        return np.asarray(np.clip(values, below, above))

    def attached(self, u: Tensor, values: Tensor) -> Tensor:
        """Return `values`, which belong to `u`, with a gradient that reaches `u`."""
        slope = values if self.logarithmic else self.unit
        return values + slope * (u - u.detach())

    @property
    def bounds(self) -> tuple[Array, Array]:
        """The bounds of ``u``, in the shape of `start`."""
        ends = np.asarray(self.low), np.asarray(self.high)
        if self.logarithmic:
            low, high = (np.log(end / self.start) for end in ends)
        else:
            low, high = ((end - self.start) / self.unit for end in ends)
        return low, high


class TrainedParameter(nn.Module):
    """A trained parameter of a population; an optimiser moves `raw`, see `Scale`.

    The initial value of the scale is a scalar, or an array (neuron) of separately trained values.
    """

    def __init__(self, scale: Scale, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale = scale
        self.raw = nn.Parameter(torch.zeros(self.scale.start.shape, dtype=dtype))

    def values(self) -> Array:
        """Return the values in base units, computed in float64."""
        return self.scale.values(as_array(self.raw))

    def attached(self, values: Tensor) -> Tensor:
        """Return `values`, in base units, with a gradient that reaches `raw`."""
        return self.scale.attached(self.raw, values)

    @torch.no_grad()
    def clamp_(self) -> None:
        """Project into the bounds of the model; a frozen parameter keeps its value."""
        if not self.raw.requires_grad:
            return
        low, high = (torch.from_numpy(np.asarray(end)).to(self.raw) for end in self.scale.bounds)
        self.raw.clamp_(low, high)
