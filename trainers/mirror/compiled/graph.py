"""A time step as a graph of scalar operations without duplicates, recorded on symbols."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from bioae.trainers.mirror.compiled.unsupported import Unsupported
from bioae.trainers.mirror.derivatives import spike

Kind = Literal["number", "condition"]


@dataclass(frozen=True, eq=False)
class Node:
    """An operation on numbers or conditions of one neuron in one step."""

    #: Its position in the graph, after those of its arguments.
    index: int
    #: A name; ``"leaf"`` and ``"literal"`` have no arguments.
    operation: str
    arguments: tuple[Node, ...]
    kind: Kind
    #: A leaf's name, or a literal in C++.
    text: str = ""


@dataclass(eq=False)
class Graph:
    """The recorded operations, without duplicates."""

    nodes: list[Node] = field(default_factory=list)
    _known: dict[tuple[Any, ...], Node] = field(default_factory=dict)

    def make(self, operation: str, *arguments: Node, kind: Kind = "number", text: str = "") -> Node:
        """Return the node of an operation, an existing one if it is the same."""
        key = (operation, *(a.index for a in arguments), kind, text)
        if key not in self._known:
            self._known[key] = Node(len(self.nodes), operation, arguments, kind, text)
            self.nodes.append(self._known[key])
        return self._known[key]

    def leaf(self, name: str, kind: Kind = "number") -> Node:
        """Return the node of an external value."""
        return self.make("leaf", kind=kind, text=name)

    def literal(self, value: float | bool) -> Node:
        """Return a constant."""
        if isinstance(value, bool):
            return self.make("literal", kind="condition", text="true" if value else "false")
        return self.make("literal", text=_number(value))

    def node(self, value: Any) -> Node:
        """Return a node unchanged; of a number or a scalar tensor, its literal."""
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
        """Return some nodes and all nodes that they depend on, in order."""
        reached: dict[int, Node] = {}
        waiting = [*ends]
        while waiting:
            node = waiting.pop()
            if node.index not in reached:
                reached[node.index] = node
                waiting.extend(node.arguments)
        return [reached[index] for index in sorted(reached)]


def _number(value: float) -> str:
    if math.isnan(value):
        return "R(NAN)"
    if math.isinf(value):
        return "R(INFINITY)" if value > 0 else "-R(INFINITY)"
    return f"R({value!r})"


_SYNONYMS = {
    "truediv": "div", "divide": "div", "true_divide": "div", "multiply": "mul", "subtract": "sub",
    "absolute": "abs", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "clamp": "clip",
    "logical_and": "and", "logical_or": "or", "logical_not": "not", "bitwise_and": "and",
    "bitwise_or": "or", "negative": "neg", "select": "where", "rtruediv": "rdiv",
}  # fmt: skip
_REVERSED = ("radd", "rsub", "rmul", "rdiv", "rtruediv", "rpow")
_CONDITIONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "isfinite"})

#: The supported operations; their C++ is in `cpp`, their derivatives in `adjoint`.
OPERATIONS = frozenset({
    *_CONDITIONS, "add", "sub", "mul", "div", "pow", "neg", "abs", "exp", "expm1", "log", "log10",
    "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "sqrt", "square",
    "reciprocal", "floor", "ceil", "trunc", "sign", "where", "clip", "minimum", "maximum",
    "ones_like", "detach", "number", "spike", "written", "through", "moved",
    "shifted", "exprel", "floordiv", "mod",
})  # fmt: skip


def _binary(operation: str, *, swapped: bool = False) -> Callable[[Symbol, Any], Symbol]:
    def apply(self: Symbol, other: Any) -> Symbol:
        pair = (other, self) if swapped else (self, other)
        return record(self.graph, operation, *pair)

    return apply


class Symbol:
    """A placeholder for a tensor that records the operations on it.

    It records arithmetic, PyTorch's functions by their names, and the operations with a custom
    gradient.
    """

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph = graph
        self.node = node

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Symbol:
        """Record one of PyTorch's functions."""
        graph = next(a.graph for a in args if isinstance(a, Symbol))
        if func is spike:
            fired, distance, scale, rule = args
            slope = rule(distance.detach(), symbol(graph, scale).detach(), number(fired))
            return record(graph, "spike", fired, distance, slope)
        name = getattr(func, "__name__", "").strip("_")
        if name in ("expand", "expand_as", "view_as"):
            return symbol(graph, args[0])
        if kwargs:
            raise Unsupported(f"{name} with options")
        if name in _REVERSED:
            name, args = name[1:], args[::-1]
        return record(graph, _SYNONYMS.get(name, name), *args)

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        operation = _SYNONYMS.get(name, name)
        if operation not in OPERATIONS:
            raise AttributeError(name)
        return lambda *others: record(self.graph, operation, self, *others)

    def expand_as(self, other: Any) -> Symbol:
        """Return the symbol itself, which represents every neuron."""
        return self

    def expand(self, *shape: Any) -> Symbol:
        """Return the symbol itself."""
        return self

    def clamp(self, *, min: float) -> Symbol:  # noqa: A002
        """Record a lower bound."""
        bounded: Symbol = self.maximum(symbol(self.graph, min))
        return bounded

    def to(self, dtype: torch.dtype) -> Symbol:
        """Return a condition as a number."""
        return number(self)

    def is_floating_point(self) -> bool:
        """Return whether it is a number, not a condition."""
        return self.node.kind == "number"

    @property
    def dtype(self) -> torch.dtype:
        """``torch.bool`` for a condition, a floating-point type for a number."""
        return torch.bool if self.node.kind == "condition" else torch.float64

    __add__, __radd__ = _binary("add"), _binary("add", swapped=True)
    __sub__, __rsub__ = _binary("sub"), _binary("sub", swapped=True)
    __mul__, __rmul__ = _binary("mul"), _binary("mul", swapped=True)
    __truediv__, __rtruediv__ = _binary("div"), _binary("div", swapped=True)
    __pow__, __rpow__ = _binary("pow"), _binary("pow", swapped=True)
    __lt__, __le__ = _binary("lt"), _binary("le")
    __gt__, __ge__ = _binary("gt"), _binary("ge")
    __eq__ = _binary("eq")  # type: ignore[assignment]
    __ne__ = _binary("ne")  # type: ignore[assignment]
    __and__, __or__ = _binary("and"), _binary("or")
    __hash__ = object.__hash__

    def __neg__(self) -> Symbol:
        return record(self.graph, "neg", self)

    def __abs__(self) -> Symbol:
        return record(self.graph, "abs", self)


def symbol(graph: Graph, value: Any) -> Symbol:
    """Return a value as a symbol."""
    return value if isinstance(value, Symbol) else Symbol(graph, graph.node(value))


def number(value: Symbol) -> Symbol:
    """Return a condition as 0 or 1."""
    if value.node.kind == "number":
        return value
    return record(value.graph, "number", value)


def record(graph: Graph, operation: str, *arguments: Any) -> Symbol:
    """Record an operation."""
    if operation not in OPERATIONS:
        raise Unsupported(f"the operation {operation!r}")
    nodes = [a.node if isinstance(a, Symbol) else graph.node(a) for a in arguments]
    if operation == "ones_like":
        return symbol(graph, 1.0)
    if operation == "pow" and nodes[1].operation == "literal":
        return _power(graph, arguments[0], nodes)
    if operation in _CONDITIONS:
        return Symbol(graph, graph.make(operation, *nodes, kind="condition"))
    if operation == "where":
        kinds = {node.kind for node in nodes[1:]}
        if kinds == {"condition"}:
            return Symbol(graph, graph.make(operation, *nodes, kind="condition"))
    if operation not in ("where", "number", "spike", "written", "shifted"):
        nodes = [node if node.kind == "number" else graph.make("number", node) for node in nodes]
    return Symbol(graph, graph.make(operation, *nodes))


def _power(graph: Graph, base: Any, nodes: list[Node]) -> Symbol:
    """Record a power as PyTorch computes it: small integer powers by multiplication."""
    match nodes[1].text:
        case "R(2.0)":
            return record(graph, "mul", base, base)
        case "R(3.0)":
            return record(graph, "mul", record(graph, "mul", base, base), base)
        case "R(0.5)":
            return record(graph, "sqrt", base)
        case "R(1.0)":
            return symbol(graph, base)
    return Symbol(graph, graph.make("pow", *nodes))
