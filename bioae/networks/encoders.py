"""Encoders: from images to the input layer's spikes or graded events at each step.

An encoder returns the *drive* of the input neurons, (time, example, channel, y, x): a value of 0
emits nothing, and any other value multiplies the weights of the first layer.

Brian2 obtains the same drive without that array: each input neuron holds one number of its pixel
for the whole presentation (`held`), and emits at the steps at which a condition on it is true
(`emits`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bioae.fields import Positive, Table
from bioae.random import uniform

__all__ = ["Bernoulli", "ConstantCurrent", "Encoder", "FirstSpike"]

Drive = NDArray[np.float32]


class _Encoder(Table):
    #: Whether the drive takes values other than 0 and 1, namely those that neurons hold.
    graded: ClassVar[bool] = False

    #: The condition, in Brian2's language, at which a neuron that does not hold 0 emits. Its names
    #: are ``held``, the step of the presentation ``step``, and ``uniform``, a number in [0, 1) for
    #: neuron and step as `bioae.random.uniform` draws them: in order of (step, neuron), one stream
    #: per example.
    emits: ClassVar[str]

    #: Whether the drive is the same in every step.
    constant: ClassVar[bool] = False

    @abstractmethod
    def encode(
        self,
        images: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
    ) -> Drive:
        """Encode images.

        Parameters
        ----------
        images
            (example, channel, y, x), in [0, 1].
        examples
            The number of each image (example), on which random numbers depend.
        steps
            Steps of a presentation.
        seed
            The seed of random numbers, used together with each example's number.

        Returns
        -------
        NDArray
            The drive (time, example, channel, y, x), float32.
        """

    @abstractmethod
    def held(self, images: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the numbers that input neurons hold during a presentation; 0 emits nothing.

        Parameters
        ----------
        images
            In [0, 1], of any shape; the result has the same.
        steps
            Steps of a presentation.
        """

    @abstractmethod
    def mean_drive(self, steps: int) -> float:
        """Return the expected drive of a pixel of value 1, summed over a presentation."""

    def in_finer_steps(self, parts: int) -> Self:
        """Return the encoder that emits the same per unit of time when steps are divided."""
        return self


class Bernoulli(_Encoder):
    """At each step a pixel x emits a spike with probability ``rate * x``."""

    kind: Literal["bernoulli"] = "bernoulli"
    rate: float = Field(0.2, ge=1e-12, le=1, description="probability of a spike for a pixel of 1")

    emits: ClassVar[str] = "uniform < held"

    def encode(
        self,
        images: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
    ) -> Drive:
        """Draw spikes, from one stream per example in order of (step, neuron)."""
        shape = images.shape[1:]
        numbers = uniform(seed, examples, steps * int(np.prod(shape)))
        numbers = numbers.reshape(len(images), steps, *shape)
        spikes = numbers < self.held(images, steps=steps)[:, None]
        return np.ascontiguousarray(spikes.swapaxes(0, 1), dtype=np.float32)

    def held(self, images: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the probability of a spike."""
        return self.rate * images.astype(np.float64)

    def mean_drive(self, steps: int) -> float:
        """Return ``rate * steps``."""
        return self.rate * steps

    def in_finer_steps(self, parts: int) -> Self:
        """Return the encoder with the rate divided by `parts`."""
        return self.model_copy(update={"rate": self.rate / parts})


class FirstSpike(_Encoder):
    """A pixel emits one spike, earlier if it is brighter; a black pixel emits none.

    Pixel x fires at the step nearest to ``(1 - x) (T - 1)``.
    """

    kind: Literal["first_spike"] = "first_spike"

    emits: ClassVar[str] = "step + 1 == held"

    def encode(
        self,
        images: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
    ) -> Drive:
        """Place one spike per pixel."""
        clock = np.arange(steps).reshape(steps, *(1 for _ in images.shape))
        spikes: Drive = (clock + 1 == self.held(images, steps=steps)).astype(np.float32)
        return spikes

    def held(self, images: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the step of the spike, counted from 1."""
        when = np.rint((1.0 - images.astype(np.float64)) * (steps - 1))
        return np.where(images > 0, when + 1.0, 0.0)

    def mean_drive(self, steps: int) -> float:
        """Return 1, for one spike."""
        return 1.0


class ConstantCurrent(_Encoder):
    """A pixel x emits the graded event ``gain * x`` at every step.

    Events are rounded to multiples of 2^-12, so that sums of them are exact in any order when the
    weights are on such a grid too.
    """

    kind: Literal["constant_current"] = "constant_current"
    gain: Positive = Field(0.2, description="the event of a pixel of 1")

    graded: ClassVar[bool] = True
    emits: ClassVar[str] = "True"
    constant: ClassVar[bool] = True
    _GRID: ClassVar[float] = 2.0**12

    def encode(
        self,
        images: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
    ) -> Drive:
        """Repeat the scaled image at every step."""
        events = self.held(images, steps=steps).astype(np.float32)
        return np.broadcast_to(events, (steps, *images.shape)).copy()

    def held(self, images: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the event, rounded to 32 bits."""
        events = np.rint(self.gain * images.astype(np.float64) * self._GRID) / self._GRID
        return events.astype(np.float32).astype(np.float64)

    def mean_drive(self, steps: int) -> float:
        """Return ``gain * steps``."""
        return self.gain * steps

    def in_finer_steps(self, parts: int) -> Self:
        """Return the encoder with the gain divided by `parts`."""
        return self.model_copy(update={"gain": self.gain / parts})


Encoder = Annotated[Bernoulli | FirstSpike | ConstantCurrent, Field(discriminator="kind")]
