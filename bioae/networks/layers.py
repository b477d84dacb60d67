"""Layers: the shape of a population, its neuron model, and the connections that feed it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, Strict, model_validator

from bioae.fields import Positive, Size
from bioae.networks.convolutions import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Pool2d,
    SumPool2d,
)
from bioae.networks.layer_base import (
    Background,
    Connections,
    Delay,
    LayerBase,
    Shape,
    Spread,
    all_to_all,
    as_text,
)

__all__ = [
    "AvgPool2d",
    "Background",
    "Connections",
    "Conv2d",
    "ConvTranspose2d",
    "Delay",
    "Dense",
    "Layer",
    "LayerBase",
    "Pool2d",
    "Shape",
    "Spread",
    "SumPool2d",
    "all_to_all",
    "as_text",
]


class Dense(LayerBase):
    """A fully connected layer; weights (neuron, input)."""

    kind: Literal["dense"] = "dense"
    units: Size | None = Field(None, description="the number of neurons; or give `shape`")
    shape: Annotated[tuple[Size, Size, Size], Strict(False)] | None = Field(
        None, description="(channel, y, x) of the population, if it is an image"
    )
    gain: Positive = Field(2.0, description="scale of the initial weights")

    @model_validator(mode="after")
    def _one_size(self) -> Dense:
        if (self.units is None) == (self.shape is None):
            raise ValueError("a dense layer has either `units` or `shape`")
        return self

    @property
    def shares_weights(self) -> bool:
        """Return False: each synapse has a separate weight."""
        return False

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron,), or the image's shape."""
        return self.shape if self.shape is not None else (self.units or 0,)

    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron, input)."""
        return math.prod(self.output_shape(input_shape)), math.prod(input_shape)

    def bias_shape(self, input_shape: Shape) -> Shape:
        """Return (neuron,)."""
        return (math.prod(self.output_shape(input_shape)),)

    def fan_in(self, input_shape: Shape) -> int:
        """Return the number of inputs."""
        return math.prod(input_shape)

    def connections(self, input_shape: Shape) -> Connections:
        """Return all pairs."""
        return all_to_all(*reversed(self.weight_shape(input_shape)))


Layer = Annotated[
    Dense | Conv2d | ConvTranspose2d | AvgPool2d | SumPool2d, Field(discriminator="kind")
]
