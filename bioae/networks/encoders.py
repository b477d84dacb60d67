"""Encoders: from data to the input layer's spikes or graded events at each step.

An encoder returns the *drive* of the input neurons, (time, example, *neurons): a value of 0 emits
nothing, and any other value multiplies the weights of the first layer.

Brian2 obtains the same drive without that array: each input neuron holds one number (`held`) for
the whole presentation of an image, or for a step of a signal, and emits at the steps at which a
condition on it is true (`emits`).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict, model_validator

from bioae.fields import Positive, Size
from bioae.networks.encoder_base import Drive, EncoderBase, TimedEncoder, ValueEncoder, on_grid


class Bernoulli(EncoderBase):
    """Bernoulli spikes: at each step a pixel x emits a spike with probability ``rate * x``."""

    kind: Literal["bernoulli"] = "bernoulli"
    rate: float = Field(0.2, ge=1e-12, le=1, description="probability of a spike for a pixel of 1")

    amount: ClassVar[Literal["rate", "gain"] | None] = "rate"
    emits: ClassVar[str] = "uniform < held"

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the probability of a spike."""
        return self.rate * values.astype(np.float64, copy=False)


class FirstSpike(EncoderBase):
    """Latency code: a pixel emits one spike, earlier if it is brighter; a black pixel none.

    Pixel x fires at the step nearest to ``(1 - x) (T - 1)``.
    """

    kind: Literal["first_spike"] = "first_spike"

    amount: ClassVar[Literal["rate", "gain"] | None] = None
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


class ConstantCurrent(EncoderBase):
    """Constant current: a pixel x emits the graded event ``gain * x`` at every step.

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


class Frames(ValueEncoder):
    """Graded events: a value x of a signal emits ``gain * x``, of either sign, at its step."""

    of_images: ClassVar[bool] = False

    kind: Literal["frames"] = "frames"
    gain: Positive = Field(1.0, description="the event of a value of 1")
    shape: Annotated[tuple[Size, Size, Size], Strict(False)] | None = Field(
        None,
        description="the channels as an image (channel, y, x) in C order, such as those of an "
        "event camera, for convolutions",
    )

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return one neuron per channel, in `shape`."""
        if self.shape is None:
            return input_shape
        if (math.prod(self.shape),) != input_shape:
            raise ValueError(
                f"the encoder's shape {list(self.shape)} has {math.prod(self.shape)} channels, "
                f"input_shape = {list(input_shape)}"
            )
        return self.shape

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the events, or the probabilities, in `shape`."""
        held = super().held(values, steps=steps)
        return held if self.shape is None else held.reshape(*held.shape[:2], *self.shape)

    def respond(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values."""
        return values


class LevelCrossing(TimedEncoder):
    """Delta modulation: an up and a down neuron per channel emit when its value has moved by delta.

    A channel has a level, at first its first value. At each point in time the level moves in
    multiples of ``delta`` until it is less than ``delta`` from the value, and the neuron of this
    direction emits the graded event ``gain`` times their number: ``gain`` for each crossed level.
    Neurons are in the order (channel, direction), up first.

    In a circuit (Inose, Aoki & Watanabe 1966; Corradi & Indiveri 2015) each level takes an event
    and a short time; here those of a step are one event.
    """

    of_images: ClassVar[bool] = False

    kind: Literal["level_crossing"] = "level_crossing"
    delta: Positive = Field(0.1, description="the distance of two levels")
    gain: Positive = Field(1.0, description="the event of a crossed level")

    graded: ClassVar[bool] = True  # several levels may be crossed in a step
    emits: ClassVar[str] = "True"

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return two neurons per channel."""
        return (2 * input_shape[0],)

    def held(self, values: NDArray[np.floating], *, steps: int) -> NDArray[np.float64]:
        """Return the events of crossed levels, in the first step of each point in time."""
        crossed = self._crossed(values.astype(np.float64))
        events = np.stack([crossed.clip(min=0), (-crossed).clip(min=0)], axis=-1)
        examples, points = events.shape[:2]
        held = np.zeros((examples, points, self.every, events[0, 0].size))
        held[:, :, 0] = on_grid(self.gain * events).reshape(examples, points, -1)
        return held.reshape(examples, points * self.every, -1)

    def _crossed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the number of levels crossed upward at each point (example, time, channel)."""
        heights = (values - values[:, :1]) / self.delta
        levels = np.zeros_like(heights)
        for point in range(1, heights.shape[1]):
            height, level = heights[:, point], levels[:, point - 1]
            moved = np.where(height > level, np.floor(height), np.ceil(height))
            levels[:, point] = np.where(np.abs(height - level) < 1, level, moved)
        return np.diff(levels, axis=1, prepend=0.0)

    def mean_drive(self, steps: int) -> float:
        """Return the drive of a rise from 0 to 1, ``gain / delta``."""
        return self.gain / self.delta

    def in_finer_steps(self, parts: Fraction) -> Self:
        """Return the encoder with more steps per point, and the same events."""
        return self.model_copy(update={"every": int(self.every * parts)})


class Population(ValueEncoder):
    """Population code: neurons per pixel or channel emit ``gain`` times Gaussian tuning curves.

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
        1.5, ge=1e-3, le=1e3,
        description="the distance between neighbouring tuning curves, in their widths",
    )  # fmt: skip
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
        """Return the shape, in which the neurons of a channel are consecutive channels."""
        return (input_shape[0] * self.neurons, *input_shape[1:])

    def respond(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the tuning curves' values, at most 1."""
        channel = 2 if values.ndim == 3 else 1
        centres = self.centres.reshape(-1, *(1 for _ in values.shape[channel + 1 :]))
        distance = np.expand_dims(values, channel + 1) - centres
        tuned = np.exp(-0.5 * (distance / self.width) ** 2)
        shape = self.output_shape(values.shape[channel:])
        return tuned.reshape(*values.shape[:channel], *shape)


Encoder = Annotated[
    Bernoulli | FirstSpike | ConstantCurrent | Frames | LevelCrossing | Population,
    Field(discriminator="kind"),
]
