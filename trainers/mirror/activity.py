"""The activity of layers and of a network in a presentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from torch import Tensor

#: The steps in which the potential is computed.
Potential = Literal["all", "last"]


@dataclass
class LayerActivity:
    """A layer's activity in a presentation.

    Attributes
    ----------
    name
        The layer's name.
    spikes
        (time, example, *shape), 0 or 1.
    potential
        The potential U of the layer's read-out model, which is never reset, at the end of each
        step (time, example, *shape); None if it was not requested.
    states
        The requested states, by name (time, example, *shape).
    final_potential
        `potential` after the last step (example, *shape); None if neither was requested.
    summed
        The sum of `spikes` over time, if it is already known.
    """

    name: str
    spikes: Tensor
    potential: Tensor | None = None
    states: dict[str, Tensor] = field(default_factory=dict)
    final_potential: Tensor | None = None
    summed: Tensor | None = None

    def __post_init__(self) -> None:
        if self.final_potential is None and self.potential is not None:
            self.final_potential = self.potential[-1]

    @cached_property
    def counts(self) -> Tensor:
        """The number of spikes of each neuron (example, *shape)."""
        return self.spikes.sum(0) if self.summed is None else self.summed


@dataclass
class Activity:
    """A network's activity in a presentation.

    Attributes
    ----------
    layers
        By name, in order.
    output
        The decoded output (example, ...), of the shape that the network's task gives it.
    """

    layers: dict[str, LayerActivity]
    output: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """The decoded images (example, channel, y, x) of an auto-encoder: `output`."""
        return self.output
