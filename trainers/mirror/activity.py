"""What a layer does in a presentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from torch import Tensor

__all__ = ["LayerActivity", "Potential"]

#: Of which steps the potential is wanted.
Potential = Literal["all", "last"]


@dataclass
class LayerActivity:
    """What a layer did in a presentation.

    Attributes
    ----------
    name
        The layer's name.
    spikes
        (time, example, *shape), 0 or 1.
    potential
        The potential U of the layer's read-out model, which is never reset, at the end of each
        step (time, example, *shape); None where it was not asked for.
    states
        The states that were asked for, by name (time, example, *shape).
    final_potential
        `potential` after the last step (example, *shape); None where neither was asked for.
    summed
        The sum of `spikes` over time, where it is known already.
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
        """How often each neuron spiked (example, *shape)."""
        return self.spikes.sum(0) if self.summed is None else self.summed
