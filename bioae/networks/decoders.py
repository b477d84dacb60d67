"""Decoders: from the last layer's activity to an image, for NumPy arrays and PyTorch tensors.

`U` is the potential of the layer's read-out model, which integrates the layer's input and is never
reset, sampled at the end of each step.

Brian2 decodes U without storing it at every step: each neuron keeps one number, which is `start`
before the presentation, and `collects` at the end of each step.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from array_api_compat import array_namespace
from pydantic import Field

from bioae.fields import Positive, Table

__all__ = ["CountDecoder", "Decoder", "LastDecoder", "MaxDecoder", "MeanDecoder"]

Array = Any


class _Decoder(Table):
    scale: Positive | None = Field(
        None, description="divisor of the decoded image; the encoder's mean drive by default"
    )

    #: Whether it decodes the read-out's potential rather than the spikes.
    reads_potential: ClassVar[bool] = True

    #: The number that a neuron keeps: its initial value, and its value after each step, in Brian2's
    #: language, from the number ``kept`` before and the ``potential``.
    start: ClassVar[str] = "0"
    collects: ClassVar[str]

    def decode(self, activity: Array, *, mean_drive: float) -> Array:
        """Decode a presentation.

        Parameters
        ----------
        activity
            The potential U, or the spikes, (time, example, ...).
        mean_drive
            The drive of a pixel of 1, summed over a presentation: `mean_drive` of the encoder.

        Returns
        -------
        array
            (example, ...).
        """
        kept = self._reduce(activity)
        return self.finish(kept, steps=len(activity), mean_drive=mean_drive)

    def finish(self, kept: Array, *, steps: int, mean_drive: float) -> Array:
        """Decode the numbers that neurons keep at the end of a presentation.

        Parameters
        ----------
        kept
            (example, ...); for `CountDecoder`, the numbers of spikes.
        steps
            Steps of the presentation.
        mean_drive
            As for `decode`.

        Returns
        -------
        array
            (example, ...).
        """
        return kept / (self.scale or mean_drive)

    @abstractmethod
    def _reduce(self, activity: Array) -> Array: ...


class MaxDecoder(_Decoder):
    """The largest potential of the presentation."""

    kind: Literal["max"] = "max"

    start: ClassVar[str] = "-inf"
    collects: ClassVar[str] = "clip(potential, kept, inf)"

    def _reduce(self, activity: Array) -> Array:
        return array_namespace(activity).max(activity, axis=0)


class LastDecoder(_Decoder):
    """The potential at the last step."""

    kind: Literal["last"] = "last"

    collects: ClassVar[str] = "potential"

    def _reduce(self, activity: Array) -> Array:
        return activity[-1]


class MeanDecoder(_Decoder):
    """The mean potential over the presentation."""

    kind: Literal["mean"] = "mean"

    collects: ClassVar[str] = "kept + potential"

    def finish(self, kept: Array, *, steps: int, mean_drive: float) -> Array:
        """Divide the sum by the steps first."""
        return super().finish(kept / steps, steps=steps, mean_drive=mean_drive)

    def _reduce(self, activity: Array) -> Array:
        # Step by step: libraries differ in the order in which they sum an axis, and in rounding.
        return sum(activity)


class CountDecoder(_Decoder):
    """The number of spikes."""

    kind: Literal["count"] = "count"
    reads_potential: ClassVar[bool] = False

    def _reduce(self, activity: Array) -> Array:
        return array_namespace(activity).sum(activity, axis=0)


Decoder = Annotated[
    MaxDecoder | LastDecoder | MeanDecoder | CountDecoder, Field(discriminator="kind")
]
