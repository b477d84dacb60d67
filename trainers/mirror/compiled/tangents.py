"""Forward-mode differentiation of a time step: the sensitivities of its values to parameters.

The derivative of each operation is that of the backward pass, `adjoint`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bioae.trainers.mirror.compiled.adjoint import FLAT, Rules
from bioae.trainers.mirror.compiled.graph import Graph, Node


class Tangents:
    """The tangents of the nodes of a graph along one direction, added to it on request.

    `seeds` are the tangents of leaves; those of all other leaves are 0.
    """

    def __init__(self, graph: Graph, seeds: Mapping[Node, Node]) -> None:
        self._graph, self._rules = graph, Rules(graph)
        self._known: dict[Node, Node | None] = dict(seeds)
        self._one = graph.literal(1.0)

    def __call__(self, nodes: Iterable[Node]) -> list[Node | None]:
        """Return the tangents of nodes; None: it is 0."""
        nodes = [*nodes]
        for node in self._graph.reached(nodes):
            if node not in self._known:
                self._known[node] = self._tangent(node)
        return [self._known[node] for node in nodes]

    def _tangent(self, node: Node) -> Node | None:
        each = [self._known[argument] for argument in node.arguments]
        if node.kind != "number" or node.operation in FLAT or not any(each):
            return None
        make, zero = self._graph.make, self._graph.literal(0.0)
        match node.operation:
            case "where":
                return make("where", node.arguments[0], each[1] or zero, each[2] or zero)
            case "written":  # the reset's own derivative is that of the values
                return make("where", node.arguments[0], each[2] or zero, each[3] or zero)
        total: Node | None = None
        for slope, tangent in zip(self._rules(node, self._one), each, strict=True):
            if slope is None or tangent is None:
                continue
            term = self._product(slope, tangent)
            total = term if total is None else make("add", total, term)
        return total

    def _product(self, slope: Node, tangent: Node) -> Node:
        if slope is self._one:
            return tangent
        if slope.operation == "mul" and slope.arguments[0] is self._one:
            return self._graph.make("mul", slope.arguments[1], tangent)
        if slope.operation == "neg" and slope.arguments[0] is self._one:
            return self._graph.make("neg", tangent)
        return self._graph.make("mul", slope, tangent)
