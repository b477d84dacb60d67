"""Graphs: populations of neurons, and the projections between them."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, Strict, field_validator, model_validator

from bioae.fields import Count, Natural, Size
from bioae.networks.layer_base import (
    ENCODER,
    NAME,
    PopulationBase,
    ProjectionBase,
    Shape,
    as_texts,
)

if TYPE_CHECKING:
    from scipy.sparse import coo_array

#: The names of other arrays and parts of a population.
_TAKEN = ("bias", "neurons", "readout")


class Population(PopulationBase):
    """Neurons of one model."""

    size: Size | None = Field(None, description="the number of neurons; or give `shape`")
    shape: Annotated[tuple[Size, Size, Size], Strict(False)] | None = Field(
        None, description="(channel, y, x) of the population, if it is an image"
    )
    initial: dict[str, str] = Field(
        default_factory=dict, description="initial values of variables that replace the model's"
    )
    depth: Size | None = Field(
        None, description="the steps by which its window begins later than the input's; the fewest "
        "projections from the input by default"
    )  # fmt: skip
    sign: Literal["positive", "negative"] | None = Field(
        None,
        description="the sign of all weights from it (Dale's law), where a projection has none",
    )

    @field_validator("initial", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return as_texts(value)

    @model_validator(mode="after")
    def _one_size(self) -> Population:
        if (self.size is None) == (self.shape is None):
            raise ValueError("a population has either `size` or `shape`")
        return self

    @property
    def neurons(self) -> Shape:
        """The population's shape: (channel, y, x), or (neuron,)."""
        return self.output_shape()

    def output_shape(self, input_shape: Shape = ()) -> Shape:
        """Return `neurons`."""
        return self.shape if self.shape is not None else (self.size or 0,)


class Projection(ProjectionBase):
    """Connections from a population, or from the input, to a population."""

    model_config = ConfigDict(
        revalidate_instances="always", serialize_by_alias=True, populate_by_name=True
    )

    source: str = Field(alias="from", description="the source: a population, or `input`")
    to: str = Field(description="the population that receives the spikes")
    name: str | None = Field(
        None, pattern=NAME, description="unique among the projections to a population; "
        "`from_SOURCE` by default"
    )  # fmt: skip
    kind: Literal["dense", "sparse", "conv2d", "conv_transpose2d", "avg_pool2d", "sum_pool2d"] = (
        Field("dense", description="the kind of connections, as of a layer")
    )
    target: str | None = Field(
        None, description="the variable that spikes add to; the neuron model's `input` by default"
    )
    weight: str | None = Field(
        None, pattern=r"\S", description="what a weight of 1 adds to `target`, with its unit; "
        "by default that of the neuron model"
    )  # fmt: skip
    autapses: bool = Field(False, description="whether a neuron also projects to itself")
    probability: float | None = Field(None, description="the share of pairs that are connected")
    indegree: Size | None = Field(None, description="the number of synapses of each neuron")
    synapses: Count | None = Field(None, description="the number of all synapses")
    kernel: Size | None = Field(None, description="rows and columns of the kernel")
    stride: Size | None = Field(None, description="steps of the kernel")
    padding: Natural | None = Field(None, description="rows and columns of zeros around the image")
    dilation: Size | None = Field(None, description="steps between the taps of the kernel")
    groups: Size | None = Field(None, description="groups of channels")
    output_padding: Natural | None = Field(None, description="rows and columns at the far end")

    @field_validator("weight", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return as_texts(value)

    @model_validator(mode="after")
    def _of_the_input(self) -> Projection:
        if self.weight is not None and self.target is None:
            raise ValueError(
                "`weight` needs `target`: that of the input is the `weight` of the population"
            )
        if self.name in _TAKEN:
            raise ValueError(f"no projection is called {self.name!r}: choose another `name`")
        return self

    @property
    def key(self) -> str:
        """The name of its weights: ``POPULATION.NAME``."""
        return f"{self.to}.{self.name or f'from_{self.source}'}"


def depths(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the least number of projections from the input to each population.

    Populations that the input does not reach have the greatest depth.
    """
    from scipy.sparse.csgraph import shortest_path

    nodes = (ENCODER, *names)
    steps = shortest_path(_matrix(nodes, edges), unweighted=True, indices=0)
    deepest = max(steps[np.isfinite(steps)].max(), 1)
    each = np.where(np.isfinite(steps), steps, deepest).astype(int).tolist()
    return dict(zip(names, each[1:], strict=True))


def components(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the strongly connected components, those after the ones that they depend on."""
    from scipy.sparse.csgraph import connected_components

    number, label = connected_components(_matrix(names, edges), connection="strong")
    place = dict(zip(names, label.tolist(), strict=True))
    before: dict[int, set[int]] = {n: set() for n in range(number)}
    for source, target in edges:
        if source in place and place[source] != place[target]:
            before[place[target]].add(place[source])
    order = TopologicalSorter(before).static_order()
    return [[name for name in names if place[name] == each] for each in order]


def _matrix(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> coo_array:
    """Return the adjacency matrix (source, target) of some nodes."""
    from scipy.sparse import coo_array

    places = {name: n for n, name in enumerate(nodes)}
    inside = [(places[a], places[b]) for a, b in edges if a in places and b in places]
    rows, columns = np.array(inside, int).reshape(-1, 2).T
    return coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(nodes), len(nodes)))
