"""The activity of layers and of a network in a presentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import torch
from torch import Tensor

#: The name of the output that a source sent before a presentation.
SENT = "sent"

#: The distance to threshold, in units of its scale, with which each step decides on spikes.
DISTANCE = "_distance"

#: The state that the output follows, before the input of the step arrives; see `Population`.
SAMPLED = "_sampled"

#: The steps in which the potential is computed.
Potential = Literal["all", "last"]


class Start(NamedTuple):
    """The state from which a presentation starts, where it carries over from the one before.

    `before` is the number of steps whose output each source sent before the presentation. `values`
    are by layer or read-out and variable, ``LAYER/v``; sent output is ``SOURCE/sent``. Those that
    are missing have initial values.
    """

    before: int
    values: Mapping[str, Tensor]

    def of(self, owner: str) -> dict[str, Tensor]:
        """Return the values of a layer or a read-out, by variable."""
        prefix = f"{owner}/"
        return {
            name.removeprefix(prefix): value
            for name, value in self.values.items()
            if name.startswith(prefix)
        }

    def after(self, source: str, output: Tensor) -> Tensor:
        """Return the output that a source sends after what it sent before."""
        return torch.cat([self.values[f"{source}/{SENT}"], output])

    def sent(self, output: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the end of what sources sent, from which the next presentation starts."""
        return {
            f"{n}/{SENT}": each[len(each) - self.before :].detach() for n, each in output.items()
        }


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
        step, or as `SAMPLED` (time, example, *shape); None if it was not requested.
    states
        The requested states, by name (time, example, *shape); `DISTANCE` is one.
    final_potential
        `potential` after the last step (example, *shape); None if neither was requested.
    summed
        The sum of `spikes` over time, if it is already known.
    final
        The state in which the presentation ended, as in `Start`, where it carries over.
    """

    name: str
    spikes: Tensor
    potential: Tensor | None = None
    states: dict[str, Tensor] = field(default_factory=dict)
    final_potential: Tensor | None = None
    summed: Tensor | None = None
    final: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.final_potential is None and self.potential is not None:
            self.final_potential = self.potential[-1]

    @cached_property
    def counts(self) -> Tensor:
        """The number of spikes of each neuron (example, *shape)."""
        return self.spikes.sum(0) if self.summed is None else self.summed

    @classmethod
    def joined(cls, parts: Sequence[LayerActivity]) -> LayerActivity:
        """Join the activity of presentations that followed each other (example) into one."""
        first, spikes = parts[0], torch.cat([each.spikes for each in parts], 1)
        potentials = [each.potential for each in parts if each.potential is not None]
        potential = torch.cat(potentials, 1) if potentials else None
        states = {n: torch.cat([each.states[n] for each in parts], 1) for n in first.states}
        return cls(first.name, spikes, potential, states)

    def of_window(self, steps: int) -> LayerActivity:
        """Return the activity of the first steps."""
        potential, final = self.potential, self.final_potential
        if potential is not None:
            potential, final = potential[:steps], potential[steps - 1]
        states = {name: values[:steps] for name, values in self.states.items()}
        return LayerActivity(self.name, self.spikes[:steps], potential, states, final)


@dataclass
class Activity:
    """A network's activity in a presentation.

    Attributes
    ----------
    layers
        By name, in order.
    output
        The decoded output (example, ...), of the shape that the network's task gives it.
    final
        The state in which the presentation ended, from which the next one starts, if it carries
        over: detached, so that gradients end at the start of a presentation.
    """

    layers: dict[str, LayerActivity]
    output: Tensor
    final: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Sequence[Activity]) -> Activity:
        """Join the activity of presentations that followed each other (example) into one."""
        layers = {
            name: LayerActivity.joined([each.layers[name] for each in parts])
            for name in parts[0].layers
        }
        return cls(layers, torch.cat([each.output for each in parts]), parts[-1].final)

    @property
    def reconstruction(self) -> Tensor:
        """The decoded images (example, channel, y, x) of an auto-encoder: `output`."""
        return self.output
