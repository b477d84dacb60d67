"""The interfaces of encoders, of signals and of values; the rounding of graded events."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from fractions import Fraction
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bioae.equations.arrays.functions import rounded
from bioae.errors import NetworkError
from bioae.fields import Positive, Steps, Table
from bioae.networks.schedule import points_in
from bioae.random import uniform

Drive = NDArray[np.float32]

#: Graded events are multiples of 2**-12.
_GRID_BITS = 12


class EncoderBase(Table):
    """An encoder: its input, the values that input neurons hold, and when they emit."""

    #: Whether it encodes images, and signals that vary in time.
    of_images: ClassVar[bool] = True
    in_time: ClassVar[bool] = False

    #: The key whose value a pixel of 1 emits in each step; none where it emits no more in longer
    #: presentations.
    amount: ClassVar[Literal["rate", "gain"] | None] = "gain"

    @property
    def graded(self) -> bool:
        """True if the drive takes values other than 0 and 1, namely those that neurons hold."""
        return False

    @property
    @abstractmethod
    def emits(self) -> str:
        """The condition, in Brian2's language, at which a neuron that does not hold 0 emits.

        Its names are ``held``, the step of the presentation ``step``, and ``uniform``, a number in
        [0, 1) for neuron and step as `bioae.random.uniform` draws them: in order of (step, neuron),
        one stream per presentation.
        """

    @property
    def draws(self) -> bool:
        """True if neurons emit at random."""
        return re.search(r"\buniform\b", self.emits) is not None

    @property
    def constant(self) -> bool:
        """True if the drive is the same in every step."""
        return False

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the input neurons; by default one per pixel or channel."""
        return input_shape

    def points(self, steps: int) -> int:
        """Return the number of points in time of a signal that lasts `steps`."""
        return steps

    def encode(
        self,
        values: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
        repeats: NDArray[np.int64] | None = None,
    ) -> Drive:
        """Encode data.

        Parameters
        ----------
        values
            Images (example, channel, y, x), in [0, 1]; or signals (example, time, channel).
        examples
            The number of each example (example), on which random numbers depend.
        steps
            Steps of a presentation.
        seed
            The seed of random numbers, used together with each example's number.
        repeats
            The repeat of each example (example), on which random numbers depend too; 0 by default.

        Returns
        -------
        NDArray
            The drive (time, example, *neurons), float32.
        """
        held = self.held(values, steps=steps)
        held = held if self.in_time and values.ndim == 3 else held[:, None]
        if self.draws:
            return _drawn(held, examples, steps=steps, seed=seed, repeats=repeats)
        return self._emitted(held, steps)

    def _emitted(self, held: NDArray[np.float64], steps: int) -> Drive:
        """Return the drive of neurons that draw nothing; by default they emit at every step.

        The axis of steps of `held`, (example, step, *neurons), may have length 1.
        """
        in_order = held.astype(np.float32).swapaxes(0, 1)
        return np.broadcast_to(in_order, (steps, *in_order.shape[1:])).copy()

    @abstractmethod
    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the numbers that input neurons hold; 0 emits nothing.

        For images, those of a whole presentation, (example, *neurons); for signals, those of each
        step, (example, step, *neurons). The arguments are those of `encode`.
        """

    def mean_drive(self, steps: int) -> float:
        """Return the expected drive of a pixel of value 1, summed over a presentation."""
        return 1.0 if self.amount is None else float(getattr(self, self.amount) * steps)

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the encoder for steps divided into `parts`, with the same output per unit of time.

        There are fewer than 1 for longer steps, which may not need a probability above 1.
        """
        if self.amount is None:
            return self
        return self.model_copy(update={self.amount: self._divided(self.amount, parts)})

    def _divided(self, name: str, parts: Fraction) -> float:
        """Return the rate or gain of a part of a step; probabilities are at most 1."""
        amount = float(getattr(self, name) / parts)
        if self.draws and parts < 1 and amount > 1:
            raise NetworkError(
                "the time step is too long for random spikes, of which it has at most one",
                where="dt", expected=f"a {name} of at most 1 per step",
                found=f"{name} = {amount:g}", hint=f"Choose a shorter dt or a smaller {name}",
            )  # fmt: skip
        return amount


class TimedEncoder(EncoderBase):
    """An encoder of signals, each of whose points lasts some steps."""

    in_time: ClassVar[bool] = True

    gain: Positive = 1.0
    every: Steps = Field(1, description="steps from one point of a signal to the next")

    def points(self, steps: int) -> int:
        """Return the number of points in time of a signal that lasts `steps`."""
        return points_in(steps, self.every, "encoder")


class ValueEncoder(TimedEncoder):
    """An encoder of values; with ``random``, they are probabilities of spikes."""

    random: bool = Field(False, description="whether events are probabilities of spikes")

    @property
    def graded(self) -> bool:
        """True if values are events."""
        return not self.random

    @property
    def emits(self) -> str:
        """Every step, or a random number is below the probability."""
        return "uniform < held" if self.random else "True"

    @abstractmethod
    def respond(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the response of each input neuron to values, before the gain."""

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the events, rounded to 32 bits, or the probabilities."""
        events = self.gain * self.respond(values.astype(np.float64))
        events = events if self.random else on_grid(events)
        return np.repeat(events, self.every, axis=1) if values.ndim == 3 else events

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the encoder with the gain divided by `parts`, and more steps per point."""
        every = math.ceil(self.every * parts)  # a whole number, except where images ignore it
        return self.model_copy(update={"gain": self._divided("gain", parts), "every": every})


def on_grid(events: NDArray[np.floating]) -> NDArray[np.float64]:
    """Round graded events to multiples of 2^-12 in 32 bits.

    Sums of them are exact in any order when the weights are on such a grid too.
    """
    return rounded(events, _GRID_BITS).astype(np.float32).astype(np.float64)


def _drawn(
    probabilities: NDArray[np.float64],
    examples: NDArray[np.int64],
    *,
    steps: int,
    seed: int,
    repeats: NDArray[np.int64] | None = None,
) -> Drive:
    """Draw spikes, from one stream per example in order of (step, neuron).

    The axis of steps of the probabilities, (example, step, *neurons), may have length 1.
    """
    shape = steps, *probabilities.shape[2:]
    spikes = np.empty((steps, len(examples), *shape[1:]), dtype=np.float32)
    # One example at a time: its random numbers stay in the cache until they are compared.
    for place, numbers in enumerate(uniform(seed, examples, math.prod(shape), repeats=repeats)):
        np.less(
            numbers.reshape(shape), probabilities[place], out=spikes[:, place], casting="unsafe"
        )
    return spikes
