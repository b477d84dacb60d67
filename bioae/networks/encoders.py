"""From images to what the input layer emits at each step: spikes, or graded events.

An encoder returns the *drive* of the input neurons, (time, example, channel, y, x): a value of 0
emits nothing, and any other value is what the weights of the first layer are multiplied by.

It also says how Brian2 comes to the same without that array: each input neuron holds one number of
its pixel for the whole presentation (`held`), and emits at the steps where a condition on it is
true (`emits`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from bioae.random import uniform

__all__ = ["Bernoulli", "ConstantCurrent", "Encoder", "FirstSpike"]

Drive = NDArray[np.float32]


class _Encoder(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Whether the drive takes other values than 0 and 1: what neurons hold.
    graded: ClassVar[bool] = False

    #: When a neuron that does not hold 0 emits, as a condition in Brian2's language on ``held``, on
    #: the step of the presentation ``step`` and on ``uniform``, a number in [0, 1) drawn for neuron
    #: and step as `bioae.random.uniform` draws them: in order of (step, neuron), a stream an
    #: example.
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
            The number of each image (example): random numbers depend on it and on nothing else.
        steps
            Steps of a presentation.
        seed
            Seeds random numbers, together with each example's number.

        Returns
        -------
        NDArray
            The drive (time, example, channel, y, x), float32.
        """

    @abstractmethod
    def held(self, images: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return what the input neurons hold during a presentation; 0 emits nothing.

        Parameters
        ----------
        images
            In [0, 1], of any shape, which is the result's.
        steps
            Steps of a presentation.
        """

    @abstractmethod
    def mean_drive(self, steps: int) -> float:
        """Return the drive of a pixel of value 1, expected and summed over a presentation."""

    def in_finer_steps(self, parts: int) -> Self:
        """Return the encoder that emits as much in a time whose steps are cut in parts."""
        return self


class Bernoulli(_Encoder):
    """At each step a pixel x emits a spike with probability ``rate * x``."""

    kind: Literal["bernoulli"] = "bernoulli"
    rate: float = Field(0.2, gt=0, le=1, description="probability of a spike for a pixel of 1")

    emits: ClassVar[str] = "uniform < held"

    def encode(
        self,
        images: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
    ) -> Drive:
        """Draw spikes; one stream an example, counted by (step, neuron)."""
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
    """A pixel emits one spike, the earlier the brighter it is; a black one emits none.

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
        """Place one spike a pixel."""
        clock = np.arange(steps).reshape(steps, *(1 for _ in images.shape))
        spikes: Drive = (clock + 1 == self.held(images, steps=steps)).astype(np.float32)
        return spikes

    def held(self, images: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the step of the spike, counted from 1."""
        when = np.rint((1.0 - images.astype(np.float64)) * (steps - 1))
        return np.where(images > 0, when + 1.0, 0.0)

    def mean_drive(self, steps: int) -> float:
        """Return 1: one spike."""
        return 1.0


class ConstantCurrent(_Encoder):
    """A pixel x emits the graded event ``gain * x`` at every step.

    Events are rounded to multiples of 2^-12, so that sums of them are exact in any order when the
    weights are on such a grid too.
    """

    kind: Literal["constant_current"] = "constant_current"
    gain: float = Field(0.2, gt=0, description="the event of a pixel of 1")

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
        """Return the event, a number of 32 bits."""
        events = np.rint(self.gain * images.astype(np.float64) * self._GRID) / self._GRID
        return events.astype(np.float32).astype(np.float64)

    def mean_drive(self, steps: int) -> float:
        """Return ``gain * steps``."""
        return self.gain * steps

    def in_finer_steps(self, parts: int) -> Self:
        """Return the encoder with the gain divided by `parts`."""
        return self.model_copy(update={"gain": self.gain / parts})


Encoder = Annotated[Bernoulli | FirstSpike | ConstantCurrent, Field(discriminator="kind")]
