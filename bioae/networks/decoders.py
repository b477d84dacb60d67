"""Decoders: from the last layer's activity to the outputs, for NumPy arrays and PyTorch tensors.

`U` is the potential of the layer's read-out model, which integrates the layer's input and is never
reset, sampled at the end of each step or, for outputs in time, in `NetworkConfig.decoding_slot`.

Brian2 decodes U without storing it at every step where a decoder allows it: each neuron keeps one
number, which is `start` before the presentation, and `collects` at the end of each step. For the
other decoders of U, Brian2 records U of the last layer at every step, and `decode` reads it after
each chunk of presentations.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from bioae.fields import Positive, Size, Table

Array = Any

#: What is decoded: U, the numbers of spikes, or the steps from the first spike on.
Reads = Literal["potential", "count", "latency"]


class _Decoder(Table):
    scale: Positive | None = Field(
        None, description="divisor of the output; the default depends on the task"
    )

    #: Whether there is an output for each step.
    in_time: ClassVar[bool] = False

    #: Whether outputs grow with the number of steps of a presentation, at the same activity.
    sums_steps: ClassVar[bool] = False

    #: The number that a neuron keeps: its initial value, and its value after each step, in Brian2's
    #: language, from the number ``kept`` before and the ``potential``; None for a decoder that
    #: needs all neurons or all steps at once.
    start: ClassVar[str] = "0"
    collects: ClassVar[str | None] = None

    def factor(self, steps: int) -> float:
        """Return the factor of the number ``kept`` before each of the steps of a presentation."""
        return 1.0

    @property
    def reads(self) -> Reads:
        """The quantity that is decoded."""
        return "potential"

    @property
    def reads_potential(self) -> bool:
        """True if it decodes the read-out's potential rather than the spikes."""
        return self.reads == "potential"

    def outputs(self, neurons: int) -> int:
        """Return the number of outputs, of one step if `in_time`, of a layer of some neurons."""
        return neurons

    def decode(self, activity: Array, *, default_scale: float) -> Array:
        """Decode a presentation.

        Parameters
        ----------
        activity
            The potential U, or the spikes, (time, example, ...).
        default_scale
            The divisor if the decoder has no `scale`: `NetworkConfig.default_scale`.

        Returns
        -------
        array
            (example, ...); (example, output) from `PopulationDecoder`, (example, time, ...) if
            `in_time`.
        """
        kept = self._reduce(activity)
        return self.finish(kept, steps=len(activity), default_scale=default_scale)

    def finish(self, kept: Array, *, steps: int, default_scale: float) -> Array:
        """Decode the numbers that neurons keep at the end of a presentation, (example, ...).

        Where spikes are read, they are what `reads` says.
        """
        return kept / (self.scale or default_scale)

    def in_finer_steps(self, parts: Fraction, *, default_scale: float) -> Self:
        """Return the decoder that gives the same outputs in parts of each step."""
        if not self.sums_steps:
            return self
        return self.model_copy(update={"scale": float((self.scale or default_scale) * parts)})

    @abstractmethod
    def _reduce(self, activity: Array) -> Array: ...


class MaxDecoder(_Decoder):
    """The largest potential of the presentation."""

    kind: Literal["max"] = "max"

    start: ClassVar[str] = "-inf"
    collects: ClassVar[str | None] = "clip(potential, kept, inf)"

    def _reduce(self, activity: Array) -> Array:
        return _largest(activity, 0)


class LastDecoder(_Decoder):
    """The potential at the last step."""

    kind: Literal["last"] = "last"

    collects: ClassVar[str | None] = "potential"

    def _reduce(self, activity: Array) -> Array:
        return activity[-1]


class MeanDecoder(_Decoder):
    """The mean potential over the presentation, in which early steps may weigh more.

    With `decay` the weights of steps fall as ``exp(-t / (decay T))`` over a presentation of length
    T, as in the loss of Nowotny, Turner & Knight 2022, arXiv:2212.01232.
    """

    kind: Literal["mean"] = "mean"
    decay: float | None = Field(
        None, ge=0.02, le=100,
        description="the time constant, in presentations, with which the weights of steps fall; "
        "none: equal weights",
    )  # fmt: skip

    collects: ClassVar[str | None] = "kept + potential"

    def finish(self, kept: Array, *, steps: int, default_scale: float) -> Array:
        """Divide the sum by that of the weights first."""
        weights: float = steps
        if self.decay is not None:
            weights = math.expm1(1 / self.decay) / math.expm1(1 / (self.decay * steps))
        return super().finish(kept / weights, steps=steps, default_scale=default_scale)

    def factor(self, steps: int) -> float:
        """Return the growth of the weights of steps, counted from the last one."""
        return 1.0 if self.decay is None else math.exp(1 / (self.decay * steps))

    def _reduce(self, activity: Array) -> Array:
        # Step by step: libraries differ in the order in which they sum an axis, and in rounding.
        if self.decay is None:
            return sum(activity)
        factor, kept = self.factor(len(activity)), activity[0]
        for potential in activity[1:]:
            kept = factor * kept + potential
        return kept


class CountDecoder(_Decoder):
    """The number of spikes."""

    kind: Literal["count"] = "count"

    reads: ClassVar[Reads] = "count"

    def _reduce(self, activity: Array) -> Array:
        return activity.sum(0)


class FirstSpikeDecoder(_Decoder):
    """The steps left at the first spike, T - t for a first spike at step t; 0 without a spike.

    The earliest neuron has the largest output. It is the sum over steps of one minus the product
    of ``1 - s`` over the spikes s so far, which is what the gradient differentiates: a spike before
    the first one would add the steps by which it is earlier, and losing the first one would cost
    the steps until the second.
    """

    kind: Literal["first_spike"] = "first_spike"

    sums_steps: ClassVar[bool] = True
    reads: ClassVar[Reads] = "latency"

    def _reduce(self, activity: Array) -> Array:
        silent, steps = 1.0 - activity[0], activity[0]
        for spikes in activity[1:]:
            silent = silent * (1.0 - spikes)
            steps = steps + (1.0 - silent)
        return steps


class PopulationDecoder(_Decoder):
    """The mean over a group of neurons of their mean potential, or of their spikes.

    Output k reads the neurons from ``k * neurons`` to ``(k + 1) * neurons - 1``.
    """

    kind: Literal["population"] = "population"
    neurons: Size = Field(description="neurons per output")
    of: Literal["potential", "spikes"] = Field(
        "potential",
        description='`"potential"`, averaged over the presentation, or `"spikes"`, counted',
    )

    collects: ClassVar[str | None] = MeanDecoder.collects

    @property
    def reads(self) -> Reads:
        """The potential or the numbers of spikes."""
        return "potential" if self.of == "potential" else "count"

    def outputs(self, neurons: int) -> int:
        """Return the number of groups."""
        if neurons % self.neurons:
            raise ValueError(
                f"groups of {self.neurons} neurons do not divide the {neurons} of the last layer"
            )
        return neurons // self.neurons

    def finish(self, kept: Array, *, steps: int, default_scale: float) -> Array:
        """Average over each group."""
        grouped = kept.reshape(len(kept), -1, self.neurons)
        # One by one, as in `MeanDecoder`.
        total = sum(grouped[..., each] for each in range(self.neurons))
        mean = total / (self.neurons * steps if self.reads_potential else self.neurons)
        return super().finish(mean, steps=steps, default_scale=default_scale)

    def _reduce(self, activity: Array) -> Array:
        return sum(activity)


class SummedSoftmaxDecoder(_Decoder):
    """The softmax of the potentials over the neurons, summed over the steps.

    As in Bittar & Garner 2022, arXiv:2212.01187.
    """

    kind: Literal["summed_softmax"] = "summed_softmax"

    sums_steps: ClassVar[bool] = True

    def _reduce(self, activity: Array) -> Array:
        flat = activity.reshape(*activity.shape[:2], -1)
        powers = _exp(flat - _largest(flat, -1)[..., None])
        each = powers / powers.sum(-1)[..., None]
        return sum(each).reshape(activity.shape[1:])


class TrajectoryDecoder(_Decoder):
    """The potential at each step, before the input of the next one arrives."""

    kind: Literal["trajectory"] = "trajectory"

    in_time: ClassVar[bool] = True

    def _reduce(self, activity: Array) -> Array:
        return activity.swapaxes(0, 1)


Decoder = Annotated[
    MaxDecoder
    | LastDecoder
    | MeanDecoder
    | CountDecoder
    | SummedSoftmaxDecoder
    | TrajectoryDecoder
    | PopulationDecoder
    | FirstSpikeDecoder,
    Field(discriminator="kind"),
]


def _largest(values: Array, axis: int) -> Array:
    # `max` of PyTorch also returns places.
    return values.max(axis) if isinstance(values, np.ndarray) else values.amax(axis)


def _exp(values: Array) -> Array:
    return np.exp(values) if isinstance(values, np.ndarray) else values.exp()
