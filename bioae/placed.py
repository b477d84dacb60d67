"""A layer with its place in a network: what feeds it, and the neuron models that it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bioae.equations.model import NeuronModel
from bioae.layers import LayerBase, Shape

if TYPE_CHECKING:
    from bioae.equations.program import Program

__all__ = ["PlacedLayer"]


@dataclass(frozen=True)
class PlacedLayer:
    """A layer with its place in a network.

    Attributes
    ----------
    layer
        Its description.
    depth
        1 for the first layer; the input is 0.
    input_shape
        The shape of what feeds it.
    model, readout
        Its neuron model, and the model of its potential U: parameters that the two have in common
        are those of the neuron.
    """

    layer: LayerBase
    depth: int
    input_shape: Shape
    model: NeuronModel
    readout: NeuronModel

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @cached_property
    def shape(self) -> Shape:
        """The population's shape: (channel, y, x), or (neuron,)."""
        return self.layer.output_shape(self.input_shape)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    @cached_property
    def program(self) -> Program:
        """The neuron model, lowered."""
        from bioae.equations.lowering import lower

        return lower(self.model)

    @cached_property
    def readout_program(self) -> Program:
        """The read-out model, lowered."""
        from bioae.equations.lowering import lower

        return lower(self.readout)

    @cached_property
    def weight_shapes(self) -> dict[str, Shape]:
        """The shapes of its weight arrays, by name (``LAYER.weight``)."""
        shapes = {f"{self.name}.weight": self.layer.weight_shape(self.input_shape)}
        if self.layer.recurrent:
            shapes[f"{self.name}.recurrent"] = (self.size, self.size)
        return shapes

    @property
    def trainable(self) -> tuple[str, ...]:
        """The names of arrays that hold trained parameters (``LAYER.PARAMETER``)."""
        return tuple(f"{self.name}.{parameter}" for parameter in self.model.trainable)
