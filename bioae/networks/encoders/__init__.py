"""Encoders: from data to the input layer's spikes or graded events at each step.

An encoder returns the *drive* of the input neurons, (time, example, *neurons): a value of 0 emits
nothing, and any other value multiplies the weights of the first layer.

Brian2 obtains the same drive without that array: each input neuron holds one number (`held`) for
the whole presentation of an image, or for a step of a signal, and emits at the steps at which a
condition on it is true (`emits`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bioae.networks.encoders.base import EncoderBase
from bioae.networks.encoders.pixels import Bernoulli, ConstantCurrent, FirstSpike
from bioae.networks.encoders.signals import Frames, LevelCrossing, Population

__all__ = [
    "Bernoulli",
    "ConstantCurrent",
    "Encoder",
    "EncoderBase",
    "FirstSpike",
    "Frames",
    "LevelCrossing",
    "Population",
]

Encoder = Annotated[
    Bernoulli | FirstSpike | ConstantCurrent | Frames | LevelCrossing | Population,
    Field(discriminator="kind"),
]
