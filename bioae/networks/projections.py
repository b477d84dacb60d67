"""A projection in a network: an array of weights from one population, or the input, to another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.synapses.model import SynapseModel
from bioae.networks.layer_base import (
    Connections,
    Delay,
    Index,
    Initial,
    LayerBase,
    Shape,
)

#: The signs of weights, by their names in a description.
SIGNS = {"positive": 1.0, "negative": -1.0}


@dataclass(frozen=True)
class PlacedProjection:
    """A projection in a network.

    `name`: the name of its weights (``POPULATION.weight``).
    `source`: the name of the population that it comes from, or `ENCODER`.
    `source_shape`, `shape`: the shapes of the source and of the target.
    `layer`: its connections, as those of a layer that receives it.
    `number`: its number among the network's projections, on which random numbers depend.
    `lag`: the steps from a spike, in the source's window, to its arrival in the target's, without a
        delay: 0 from the layer before, 1 within a population.
    `own`: whether the target is the source, and its spikes of the lead-in count.
    `autapses`: whether a neuron projects to itself, where the target is the source.
    `target`: the variable that its spikes add to; None: the neuron model's `input`.
    `delay`, `initial`, `gain`, `sign`: see `LayerBase`.
    `synapse`: the synapse model by which it learns; None: it does not.
    """

    name: str
    source: str
    source_shape: Shape
    shape: Shape
    layer: LayerBase
    number: int
    lag: int = 0
    own: bool = False
    autapses: bool = True
    target: str | None = None
    delay: Delay = None
    initial: Initial = "normal"
    gain: float = 1.0
    sign: str | None = None
    synapse: SynapseModel | None = None

    @property
    def kind(self) -> str:
        """The name without that of the population: ``weight``."""
        return self.name.rpartition(".")[-1]

    @cached_property
    def weight_shape(self) -> Shape:
        """The shape of the weights, in PyTorch's order."""
        return self.layer.weight_shape(self.source_shape)

    @cached_property
    def fixed(self) -> NDArray[np.float64] | None:
        """The weights, if they are not trained."""
        return self.layer.fixed_weights(self.source_shape)

    @property
    def fan_in(self) -> int:
        """The number of sources of each target."""
        excluded = not (self.autapses or self.layer.listed)
        return max(self.layer.fan_in(self.source_shape) - excluded, 1)

    @property
    def index_shapes(self) -> dict[str, Shape]:
        """The shapes of the arrays that list its synapses, by name; empty if it needs none."""
        listed = ("source", "target") if self.layer.listed else ()
        return {f"{self.name}_{end}": self.weight_shape for end in listed}

    def indices(self, arrays: Mapping[str, NDArray[Any]]) -> tuple[Index, ...]:
        """Return the sources and the targets of listed synapses, from the network's arrays."""
        return tuple(np.asarray(arrays[name]).astype(np.int64) for name in self.index_shapes)

    def fan_out(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        """Return the number of synapses from each source (source)."""
        sources = math.prod(self.source_shape)
        if not (self.layer.shares_weights or self.layer.listed):
            return np.full(sources, math.prod(self.shape) - (not self.autapses), np.int64)
        return np.bincount(self.connections(arrays).source, minlength=sources).astype(np.int64)

    def connections(self, arrays: Mapping[str, NDArray[Any]]) -> Connections:
        """Return the synapses, one by one; `arrays` are those of the network."""
        if self.layer.listed:
            source, target = self.indices(arrays)
            return Connections(source, target, np.arange(len(source)))
        every = self.layer.connections(self.source_shape)
        if self.autapses:
            return every
        other = every.source != every.target
        return Connections(*(index[other] for index in every))

    @property
    def possible(self) -> NDArray[np.bool_] | None:
        """A mask of the weights that are connections, in their shape; None: all of them."""
        every = self.autapses or self.layer.listed
        return None if every else ~np.eye(math.prod(self.shape), dtype=bool)


#: A projection, the name of the synapse model by which it learns, and the place of that key.
Received = tuple[PlacedProjection, str | None, str]
