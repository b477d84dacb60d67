"""Population coding: neurons with Gaussian tuning curves for each value."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bioae.fields import Positive
from bioae.networks.encoders.base import ValueEncoder

__all__ = ["Population"]


class Population(ValueEncoder):
    """Several neurons per pixel or channel emit ``gain`` times their Gaussian tuning curves.

    The tuning curves of Bohte, Kok & La Poutre (2002), Neurocomputing 48: for m neurons and values
    from a to b, neuron i = 1 ... m prefers ``a + (2 i - 3)/2 (b - a)/(m - 2)``, and the standard
    deviation is ``(b - a)/(m - 2)/beta``. They turn responses into the times of single spikes; here
    they are graded events, or probabilities of spikes.

    Neurons are in the order (channel, neuron): of an image (channel, neuron, y, x).
    """

    kind: Literal["population"] = "population"
    neurons: int = Field(8, ge=3, le=10**4, description="neurons per pixel or channel")
    low: float = Field(0.0, ge=-1e12, le=1e12, description="the lower end of the values' range")
    high: float = Field(1.0, ge=-1e12, le=1e12, description="its upper end")
    beta: float = Field(
        1.5, ge=1e-3, le=1e3, description="the distance of two tuning curves, in their widths"
    )
    gain: Positive = Field(0.2, description="the event at the peak of a tuning curve")

    @model_validator(mode="after")
    def _ordered(self) -> Population:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low:g} is not below high = {self.high:g}")
        return self

    @property
    def constant(self) -> bool:
        """True if the drive of an image is the same in every step."""
        return not self.random

    @property
    def centres(self) -> NDArray[np.float64]:
        """The preferred values (neuron)."""
        return np.asarray(self.low + (np.arange(self.neurons) - 0.5) * self._distance)

    @property
    def width(self) -> float:
        """The standard deviation of the tuning curves."""
        return self._distance / self.beta

    @property
    def _distance(self) -> float:
        return (self.high - self.low) / (self.neurons - 2)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with more channels, those of a channel next to each other."""
        return (input_shape[0] * self.neurons, *input_shape[1:])

    def respond(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the tuning curves' values, at most 1."""
        channel = 2 if values.ndim == 3 else 1
        centres = self.centres.reshape(-1, *(1 for _ in values.shape[channel + 1 :]))
        distance = np.expand_dims(values, channel + 1) - centres
        tuned = np.exp(-0.5 * (distance / self.width) ** 2)
        shape = self.output_shape(values.shape[channel:])
        return tuned.reshape(*values.shape[:channel], *shape)
