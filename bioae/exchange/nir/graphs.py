"""The order of a NIR graph: neurons in a chain, each with the operations that feed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from bioae.errors import InputError
from bioae.exchange.nir.library import Graph, nir_error

#: The types of nodes that are populations of neurons, and the files of their models.
NEURONS = {
    "LIF": "lif", "CubaLIF": "cuba_lif", "IF": "if", "LI": "li", "CubaLI": "cuba_li", "I": "i",
}  # fmt: skip

#: To ``v_reset``, as NIR defines it; or by subtraction of the threshold, at once or after the leak
#: of the next step.
Reset = Literal["zero", "subtract", "subtract_delayed"]

_LINEAR = (
    "Linear", "Affine", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Scale", "Flatten", "Delay",
)  # fmt: skip
#: The most nodes and edges of a graph.
_MOST = 10_000

_ONE = "a chain of nodes; only a neuron may also lead back to itself"

Node = tuple[str, Graph]


class Stage(NamedTuple):
    """A population of neurons, and the operations that lead to it, in order.

    `operations` are those from the neurons before, or the input; `recurrent` those from the neurons
    back to themselves, None if there is no such way.
    """

    name: str
    node: Graph
    operations: tuple[Node, ...]
    recurrent: tuple[Node, ...] | None


class Chain(NamedTuple):
    """A graph in order: input, neurons and output."""

    source: Node
    stages: tuple[Stage, ...]
    sink: Node


def kind_of_node(node: Graph) -> str:
    """Return the type of a node, such as ``LIF``."""
    return type(node).__name__


def chain_of(graph: Graph) -> Chain:
    """Return a graph in order, with subgraphs in place of their nodes.

    Raise InputError unless it is a chain of neurons, each with at most one way back to itself.
    """
    nodes: dict[str, Graph] = {}
    edges: list[tuple[str, str]] = []
    _inline(graph, "", nodes, edges)
    if max(len(nodes), len(edges)) > _MOST:
        raise InputError(
            "the NIR graph is too large", expected=f"at most {_MOST} nodes and edges",
            found=f"{len(nodes)} nodes and {len(edges)} edges",
        )  # fmt: skip
    edges = list(dict.fromkeys(edges))
    _bypass_inner_ends(nodes, edges)
    for name, node in nodes.items():
        if (kind := kind_of_node(node)) not in (*NEURONS, *_LINEAR, "Input", "Output"):
            raise nir_error(name, f"there is no rule for a node of type {kind}")
    return _Walk(nodes, edges).chain()


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
            if len(before) > 1 and len(after) > 1:  # their product would grow without bound
                raise nir_error(name, "several nodes lead here, and on to several others",
                                found=f"{len(before)} and {len(after)}")  # fmt: skip
            edges[:] = [edge for edge in edges if name not in edge]
            edges += [(a, b) for a in before for b in after]
            del nodes[name]


class _Walk:
    """A walk through a graph from its input to its output."""

    def __init__(self, nodes: Mapping[str, Graph], edges: list[tuple[str, str]]) -> None:
        self._nodes = nodes
        self._after: dict[str, list[str]] = {name: [] for name in nodes}
        self._before: dict[str, list[str]] = {name: [] for name in nodes}
        for first, last in edges:
            self._after[first].append(last)
            self._before[last].append(first)
        self._seen: set[str] = set()

    def chain(self) -> Chain:
        source, sink = self._only("Input"), self._only("Output")
        stages: list[Stage] = []
        self._visit(source)
        name = self._next(source)
        while True:
            operations, name = self._linear(name)
            if name == sink:
                break
            self._visit(name)
            recurrent, following = self._ways_out(name)
            stages.append(Stage(name, self._nodes[name], operations, recurrent))
            if following is None:
                raise nir_error(name, "nothing receives the output of these neurons")
            name = following
        if operations:
            raise nir_error(
                operations[-1][0], "the graph ends with an operation and not with neurons",
                hint="Add an LI node, which integrates its output",
            )  # fmt: skip
        if not stages:
            raise InputError("the NIR graph has no neurons", expected=", ".join(NEURONS))
        for left in self._nodes:
            if left not in self._seen and left != sink:
                raise nir_error(left, "this node is on no way from the input to the output")
        if len(self._before[sink]) != 1:
            raise nir_error(sink, "several nodes lead here", expected=_ONE)
        return Chain((source, self._nodes[source]), tuple(stages), (sink, self._nodes[sink]))

    def _only(self, kind: str) -> str:
        names = [name for name, node in self._nodes.items() if kind_of_node(node) == kind]
        if len(names) > 1:
            raise nir_error(names[1], f"the graph has {len(names)} nodes of type {kind}")
        if not names:
            raise InputError(f"the NIR graph has no node of type {kind}")
        return names[0]

    def _visit(self, name: str) -> None:
        if name in self._seen:
            raise nir_error(name, "a cycle of several populations leads here", expected=_ONE)
        self._seen.add(name)

    def _next(self, name: str) -> str:
        after = self._after[name]
        if len(after) != 1:
            what = f"the output of this node goes to {' and '.join(map(repr, after)) or 'nothing'}"
            raise nir_error(name, what, expected=_ONE)
        return after[0]

    def _linear(self, name: str) -> tuple[tuple[Node, ...], str]:
        """Return the operations from a node on, and the neurons or output that follow."""
        operations: list[Node] = []
        while kind_of_node(self._nodes[name]) in _LINEAR:
            self._visit(name)
            if len(self._before[name]) != 1:
                raise nir_error(name, "several nodes lead here", expected=_ONE)
            operations.append((name, self._nodes[name]))
            name = self._next(name)
        return tuple(operations), name

    def _ways_out(self, neurons: str) -> tuple[tuple[Node, ...] | None, str | None]:
        """Return the recurrent connection of some neurons, if there is one, and the next node."""
        back = [each for each in self._after[neurons] if self._leads_back(each, neurons)]
        onward = [each for each in self._after[neurons] if each not in back]
        if len(onward) > 1 or len(back) > 1:
            raise nir_error(
                neurons,
                f"the output of this node goes to {' and '.join(map(repr, self._after[neurons]))}",
                expected=_ONE,
            )
        if len(self._before[neurons]) != 1 + len(back):
            raise nir_error(neurons, "several nodes lead here", expected=_ONE)
        recurrent = self._linear(back[0])[0] if back else None
        return recurrent, onward[0] if onward else None

    def _leads_back(self, name: str, neurons: str) -> bool:
        """Return whether operations alone lead from a node to some neurons."""
        seen: set[str] = set()
        while kind_of_node(self._nodes[name]) in _LINEAR and name not in seen:
            seen.add(name)
            after = self._after[name]
            if neurons in after:
                if len(after) > 1:
                    raise nir_error(name, "this node leads back and onward", expected=_ONE)
                return True
            if len(after) != 1:
                return False
            name = after[0]
        return name == neurons
