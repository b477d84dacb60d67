"""Encoders of values, pixel by pixel."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bioae.fields import Positive
from bioae.networks.encoders.base import Drive, EncoderBase, on_grid

__all__ = ["Bernoulli", "ConstantCurrent", "FirstSpike"]


class Bernoulli(EncoderBase):
    """At each step a pixel x emits a spike with probability ``rate * x``."""

    kind: Literal["bernoulli"] = "bernoulli"
    rate: float = Field(0.2, ge=1e-12, le=1, description="probability of a spike for a pixel of 1")

    emits: ClassVar[str] = "uniform < held"

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the probability of a spike."""
        return self.rate * values.astype(np.float64, copy=False)

    def mean_drive(self, steps: int) -> float:
        """Return ``rate * steps``."""
        return self.rate * steps

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the encoder with the rate divided by `parts`."""
        return self.model_copy(update={"rate": self._divided("rate", parts)})


class FirstSpike(EncoderBase):
    """A pixel emits one spike, earlier if it is brighter; a black pixel emits none.

    Pixel x fires at the step nearest to ``(1 - x) (T - 1)``.
    """

    kind: Literal["first_spike"] = "first_spike"

    emits: ClassVar[str] = "step + 1 == held"

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the step of the spike, counted from 1."""
        when = np.rint((1.0 - values.astype(np.float64)) * (steps - 1))
        return np.where(values > 0, when + 1.0, 0.0)

    def _emitted(self, held: NDArray[np.float64], steps: int) -> Drive:
        """Place one spike per pixel."""
        clock = np.arange(steps).reshape(steps, *(1 for _ in held.shape[1:]))
        spikes: Drive = (clock + 1 == held.swapaxes(0, 1)).astype(np.float32)
        return spikes

    def mean_drive(self, steps: int) -> float:
        """Return 1, for one spike."""
        return 1.0


class ConstantCurrent(EncoderBase):
    """A pixel x emits the graded event ``gain * x`` at every step.

    Events are rounded to multiples of 2^-12, so that sums of them are exact in any order when the
    weights are on such a grid too.
    """

    kind: Literal["constant_current"] = "constant_current"
    gain: Positive = Field(0.2, description="the event of a pixel of 1")

    graded: ClassVar[bool] = True
    emits: ClassVar[str] = "True"
    constant: ClassVar[bool] = True

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the event, rounded to 32 bits."""
        return on_grid(self.gain * values.astype(np.float64))

    def mean_drive(self, steps: int) -> float:
        """Return ``gain * steps``."""
        return self.gain * steps

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the encoder with the gain divided by `parts`."""
        return self.model_copy(update={"gain": self._divided("gain", parts)})
