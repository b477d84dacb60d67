"""One time step as a graph of scalar operations, none of them twice."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

__all__ = ["Graph", "Kind", "Node", "Unsupported"]

Kind = Literal["number", "condition"]


class Unsupported(Exception):  # noqa: N818 - no error where the plain mirror takes over
    """An operation that is not compiled: the message says which."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operation on numbers or conditions, of one neuron in one step.

    Attributes
    ----------
    index
        Its place in the graph: that of its arguments is lower.
    operation
        A name; ``"leaf"`` and ``"literal"`` have no arguments.
    arguments
        What it is computed from.
    kind
        What it is.
    text
        A leaf's name, or a literal in C++.
    """

    index: int
    operation: str
    arguments: tuple[Node, ...]
    kind: Kind
    text: str = ""


@dataclass(eq=False)
class Graph:
    """The operations so far, none of them twice."""

    nodes: list[Node] = field(default_factory=list)
    _known: dict[tuple[Any, ...], Node] = field(default_factory=dict)

    def make(self, operation: str, *arguments: Node, kind: Kind = "number", text: str = "") -> Node:
        """Return a node, the one that is there already where it is the same."""
        key = (operation, *(a.index for a in arguments), kind, text)
        if key not in self._known:
            self._known[key] = Node(len(self.nodes), operation, arguments, kind, text)
            self.nodes.append(self._known[key])
        return self._known[key]

    def leaf(self, name: str, kind: Kind = "number") -> Node:
        """Return a value that is given."""
        return self.make("leaf", kind=kind, text=name)

    def literal(self, value: float | bool) -> Node:
        """Return a constant."""
        if isinstance(value, bool):
            return self.make("literal", kind="condition", text="true" if value else "false")
        return self.make("literal", text=_number(value))

    def node(self, value: Any) -> Node:
        """Return a node itself, and what stands for a number, or for a tensor that is one."""
        if isinstance(value, Node):
            return value
        if isinstance(value, Tensor):
            if value.ndim:
                raise Unsupported("an array among the statements")
            value = value.item()
        if not isinstance(value, bool | int | float):
            raise Unsupported(f"{type(value).__name__} among the statements")
        return self.literal(value if isinstance(value, bool) else float(value))

    def reached(self, ends: Iterable[Node]) -> list[Node]:
        """Return what is needed to compute some nodes, in order."""
        found: dict[int, Node] = {}
        waiting = [*ends]
        while waiting:
            node = waiting.pop()
            if node.index not in found:
                found[node.index] = node
                waiting.extend(node.arguments)
        return [found[index] for index in sorted(found)]


def _number(value: float) -> str:
    if math.isnan(value):
        return "R(NAN)"
    if math.isinf(value):
        return "R(INFINITY)" if value > 0 else "-R(INFINITY)"
    return f"R({value!r})"
