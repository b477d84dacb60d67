"""Encoders of values, of which each is a graded event or the probability of a spike."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bioae.fields import Positive, Steps
from bioae.networks.encoders.base import Drive, EncoderBase, drawn, on_grid

__all__ = ["TimedEncoder", "ValueEncoder"]


class TimedEncoder(EncoderBase):
    """An encoder of signals, each of whose points lasts some steps."""

    in_time: ClassVar[bool] = True

    gain: Positive = 1.0
    every: Steps = Field(1, description="steps from one point of a signal to the next")

    def points(self, steps: int) -> int:
        """Return the number of points in time of a signal that lasts `steps`."""
        if steps % self.every:
            raise ValueError(
                f"steps = {steps} is no multiple of the encoder's every = {self.every}"
            )
        return steps // self.every

    def encode(
        self,
        values: NDArray[np.floating],
        examples: NDArray[np.int64],
        *,
        steps: int,
        seed: int = 0,
    ) -> Drive:
        """Return the held events of each step, or spikes drawn with these probabilities."""
        held = self.held(values, steps=steps)
        held = held if values.ndim == 3 else held[:, None]
        if not self.graded:
            return drawn(held, examples, steps=steps, seed=seed)
        in_order = held.astype(np.float32).swapaxes(0, 1)
        return np.broadcast_to(in_order, (steps, *in_order.shape[1:])).copy()


class ValueEncoder(TimedEncoder):
    """An encoder of values; with ``random``, they are probabilities of spikes."""

    random: bool = Field(False, description="whether events are probabilities of spikes")

    @property
    def graded(self) -> bool:
        """Whether values are events."""
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

    def mean_drive(self, steps: int) -> float:
        """Return ``gain * steps``."""
        return self.gain * steps

    def in_finer_steps(self, parts: int) -> Self:
        """Return the encoder with the gain divided by `parts`, and points that last longer."""
        return self.model_copy(update={"gain": self.gain / parts, "every": self.every * parts})
