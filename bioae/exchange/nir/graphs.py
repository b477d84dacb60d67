"""The order of a NIR graph: populations by their depth, each with the operations that feed it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from copy import copy
from graphlib import TopologicalSorter
from operator import attrgetter
from typing import Literal, NamedTuple

import numpy as np

from bioae.errors import InputError
from bioae.exchange.nir.library import Graph, nir_error
from bioae.networks.graph import components

#: The types of nodes that are populations of neurons, and the names of their models.
NEURONS = {
    "LIF": "lif", "CubaLIF": "cuba_lif", "IF": "if", "LI": "li", "CubaLI": "cuba_li", "I": "i",
}  # fmt: skip

#: Those without a threshold, whose equations are those of the type with an F more.
SILENT = ("LI", "CubaLI", "I")

#: To ``v_reset``, as NIR defines it; or by subtraction of the threshold, at once or after the leak
#: of the next step.
Reset = Literal["zero", "subtract", "subtract_delayed"]

_LINEAR = (
    "Linear", "Affine", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Scale", "Flatten", "Delay",
)  # fmt: skip
Node = tuple[str, Graph]


class Way(NamedTuple):
    """Operations, in order, from some neurons to a population; None: from the input.

    `back` is true if it closes a cycle: spikes then arrive a step later.
    """

    source: str | None
    operations: tuple[Node, ...]
    back: bool = False


class Stage(NamedTuple):
    """A population of neurons, and the ways that lead to it, those back last.

    `depth` is the most populations on a way from the input to it, itself included, without cycles.
    """

    name: str
    node: Graph
    ways: tuple[Way, ...]
    depth: int


class Ordered(NamedTuple):
    """A graph in order: input, neurons by their depth, of which the output is the last, output."""

    source: Node
    stages: tuple[Stage, ...]
    sink: Node

    @property
    def is_chain(self) -> bool:
        """True if each population has one way from the one before, and at most one to itself."""
        before = None
        for stage in self.stages:
            found = [(way.source, way.back) for way in stage.ways]
            if found not in ([(before, False)], [(before, False), (stage.name, True)]):
                return False
            before = stage.name
        return True


def kind_of_node(node: Graph) -> str:
    """Return the type of a node, such as ``LIF``."""
    return type(node).__name__


def ordered(graph: Graph) -> Ordered:
    """Return a graph in order, with subgraphs in place of their nodes (InputError)."""
    nodes: dict[str, Graph] = {}
    edges: list[tuple[str, str]] = []
    _inline(graph, "", nodes, edges)
    edges = list(dict.fromkeys(edges))
    _bypass_inner_ends(nodes, edges)
    for name, node in nodes.items():
        if (kind := kind_of_node(node)) not in (*NEURONS, *_LINEAR, "Input", "Output"):
            raise nir_error(name, f"there is no rule for a node of type {kind}")
    return _Walk(nodes, edges).ordered()


def _inline(
    graph: Graph, prefix: str, nodes: dict[str, Graph], edges: list[tuple[str, str]]
) -> None:
    """Add the nodes of a graph, and of its subgraphs with their names as prefixes."""
    subgraphs = {}
    for name, node in graph.nodes.items():
        if kind_of_node(node) == "NIRGraph":
            subgraphs[name] = node
            _inline(node, f"{prefix}{name}.", nodes, edges)
        elif f"{prefix}{name}" in nodes:
            raise nir_error(f"{prefix}{name}", "two nodes have this name")
        else:
            nodes[prefix + name] = node
    for first, last in graph.edges:
        for name in (first, last):
            if name not in graph.nodes:
                raise nir_error(prefix + name, "an edge names this node, which does not exist")
        start = _end(subgraphs[first], first, "Output") if first in subgraphs else first
        end = _end(subgraphs[last], last, "Input") if last in subgraphs else last
        edges.append((prefix + start, prefix + end))


def _end(graph: Graph, name: str, kind: str) -> str:
    """Return the name of the only input or output of a subgraph."""
    ends = [each for each, node in graph.nodes.items() if kind_of_node(node) == kind]
    if len(ends) != 1:
        raise nir_error(name, f"the subgraph has {len(ends)} nodes of type {kind}", expected="one")
    return f"{name}.{ends[0]}"


def _bypass_inner_ends(nodes: dict[str, Graph], edges: list[tuple[str, str]]) -> None:
    """Remove inputs that something leads to, and outputs that lead to something."""
    starts, stops = {a for a, _ in edges}, {b for _, b in edges}
    for name in starts & stops:
        if kind_of_node(nodes[name]) in ("Input", "Output"):
            before = [a for a, b in edges if b == name]
            after = [b for a, b in edges if a == name]
            edges[:] = [edge for edge in edges if name not in edge]
            edges += [(a, b) for a in before for b in after]
            del nodes[name]


class _Walk:
    """Walks through a graph, from its neurons back to what feeds them."""

    def __init__(self, nodes: Mapping[str, Graph], edges: list[tuple[str, str]]) -> None:
        self._nodes, self._seen = nodes, set[str]()
        self._before: dict[str, list[str]] = {name: [] for name in nodes}
        for first, last in edges:
            self._before[last].append(first)

    def ordered(self) -> Ordered:
        source, sink = self._only("Input"), self._only("Output")
        neurons = [name for name, node in self._nodes.items() if kind_of_node(node) in NEURONS]
        ways = {name: self._ways(name) for name in neurons}
        last = self._last(sink)
        for left in self._nodes.keys() - {source, sink, *neurons} - self._seen:
            raise nir_error(left, "this node leads to no neurons")
        depth = self._depths(ways)
        order = sorted(neurons, key=lambda name: (name == last, depth[name]))
        stages = [
            Stage(n, self._nodes[n], tuple(sorted(ways[n], key=attrgetter("back"))), depth[n])
            for n in order
        ]
        return Ordered((source, self._nodes[source]), tuple(stages), (sink, self._nodes[sink]))

    def _only(self, kind: str) -> str:
        names = [name for name, node in self._nodes.items() if kind_of_node(node) == kind]
        if len(names) > 1:
            raise nir_error(names[1], f"the graph has {len(names)} nodes of type {kind}")
        if not names:
            raise InputError(f"the NIR graph has no node of type {kind}")
        return names[0]

    def _last(self, sink: str) -> str:
        """Return the neurons whose output is that of the graph."""
        before = self._before[sink]
        if len(before) != 1:
            raise nir_error(sink, f"{len(before)} nodes lead here", expected="one population")
        if kind_of_node(self._nodes[before[0]]) not in NEURONS:
            raise nir_error(
                before[0], "the graph ends with an operation and not with neurons",
                hint="Add an LI node, which integrates its output",
            )  # fmt: skip
        return before[0]

    def _ways(self, name: str) -> list[Way]:
        """Return the ways to some neurons."""
        ways: list[Way] = []
        left: list[tuple[str, tuple[Node, ...]]] = [(name, ())]
        while left:
            node, after = left.pop()
            for number, each in enumerate(self._before[node]):
                kind = kind_of_node(self._nodes[each])
                if number == 1:  # what several ways share adds its bias once
                    after = tuple(map(_without_bias, after))
                if kind in NEURONS or kind == "Input":
                    ways.append(Way(None if kind == "Input" else each, after))
                    continue
                if any(each == later for later, _ in after):
                    raise nir_error(each, "a cycle of operations, without neurons, leads here")
                self._seen.add(each)
                left.append((each, ((each, self._nodes[each]), *after)))
        return ways

    def _depths(self, ways: dict[str, list[Way]]) -> dict[str, int]:
        """Return the depth of each population; mark the ways that lead back."""
        if not ways:
            raise InputError("the NIR graph has no neurons", expected=", ".join(NEURONS))
        edges = [(way.source, name) for name, each in ways.items() for way in each]
        back = ways_back(edges)
        depth: dict[str | None, int] = {None: 0}
        onward: dict[str, list[str | None]] = {}
        for name, each in ways.items():
            ways[name] = [way._replace(back=(way.source, name) in back) for way in each]
            onward[name] = [way.source for way in ways[name] if not way.back]
            if not onward[name]:
                raise nir_error(name, "no way leads from the input to these neurons")
        for node in TopologicalSorter(onward).static_order():
            if node is not None:
                depth[node] = 1 + max(depth[source] for source in onward[node])
        return {name: depth[name] for name in ways}


def ways_back(edges: Collection[tuple[str | None, str]]) -> set[tuple[str | None, str]]:
    """Return the edges between populations that close a cycle; None is the input.

    An edge in a cycle leads back if its target is nearer to the input than its source; of those as
    near, the first by name is the nearer one.
    """
    near: dict[str | None, int] = {None: 0}
    front: set[str | None] = {None}
    while front:
        reached = sorted({b for a, b in edges if a in front} - near.keys())
        near |= {name: len(near) + number for number, name in enumerate(reached)}
        front = {*reached}
    names = [*dict.fromkeys(name for _, name in edges)]
    inner = [(a, b) for a, b in edges if a is not None]
    cycle = {name: n for n, each in enumerate(components(names, inner)) for name in each}
    return {
        (a, b)
        for a, b in inner
        if cycle[a] == cycle[b] and near.get(a, math.inf) >= near.get(b, math.inf)
    }


def _without_bias(operation: Node) -> Node:
    name, node = operation
    if getattr(node, "bias", None) is None:
        return operation
    node = copy(node)
    node.bias = np.zeros(1)
    return name, node
