"""Differentiation of a time step, by PyTorch's rules and those of the mirror, in both modes.

Each rule returns the contribution of an operation to the gradients of its arguments. In a
conditional, the branch not taken gets a gradient of 0, which is propagated to its arguments as in
PyTorch. The forward mode, for the sensitivities of values to parameters, has the same derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from bioae.trainers.mirror.compiled.graph import Graph, Node
from bioae.trainers.mirror.compiled.unsupported import Unsupported

Gradients = tuple["Node | None", ...]


@dataclass(eq=False)
class Step:
    """A time step of a layer: its operations, and all values at its end."""

    graph: Graph = field(default_factory=Graph)
    inputs: dict[str, Node] = field(default_factory=dict)
    #: The values that one step passes to the next: before the step, and after.
    carried: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    #: Those of `carried` that every population has or a spike derivative adds, at the start.
    starts: dict[str, float | bool] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)
    #: The timed arrays, in the order of their rows after that of the time.
    timed: list[str] = field(default_factory=list)

    def needed(self, ends: Iterable[Node], always: Collection[str] = ()) -> set[str]:
        """Return the carried values that some nodes depend on, in any step, and those of names."""
        needed = set(always)
        ends = [*ends, *(self.carried[name][1] for name in needed)]
        while True:
            reached = set(self.graph.reached(ends))
            now = {name for name, (before, _) in self.carried.items() if before in reached}
            if now <= needed:
                return needed
            needed |= now
            ends += [self.carried[name][1] for name in now]

    def adjoint(
        self, read: Mapping[str, Node], final: Collection[str], learning: Collection[Node]
    ) -> tuple[dict[str, Node], dict[Node, Node]]:
        """Return the gradients of the carried values before the step, by name, and of `learning`.

        `read` are the gradients of the values read at the end of the step, `final` the values read
        after the last step, `learning` leaves. The gradients of the carried values after the step
        are leaves, ``later NAME``.
        """
        active = set(final)
        befores = {name: before for name, (before, _) in self.carried.items()}
        while True:
            seeds: dict[Node, Node] = {}
            pairs = [(self.values[name], gradient) for name, gradient in read.items()]
            pairs += [(self.carried[n][1], self.graph.leaf(f"later {n}")) for n in sorted(active)]
            for node, seed in pairs:
                seeds[node] = self.graph.make("add", seeds[node], seed) if node in seeds else seed
            gradients = differentiate(self.graph, seeds, [*befores.values(), *learning])
            reached = {name for name, before in befores.items() if before in gradients}
            if reached <= active:
                earlier = {name: gradients[befores[name]] for name in sorted(reached)}
                return earlier, {leaf: gradients[leaf] for leaf in learning if leaf in gradients}
            active |= reached


def differentiate(
    graph: Graph, seeds: Mapping[Node, Node], leaves: Collection[Node]
) -> dict[Node, Node]:
    """Return the gradients of the leaves that a gradient reaches, and add them to the graph.

    `seeds` are the gradients of the outputs.
    """
    needed = _depending(graph.reached(seeds), leaves)
    gradients: dict[Node, Node] = {}
    rules = Rules(graph)

    def accumulate(node: Node, gradient: Node) -> None:
        before = gradients.get(node)
        gradients[node] = gradient if before is None else graph.make("add", before, gradient)

    for node, seed in seeds.items():
        if node in needed:
            accumulate(node, seed)
    for node in sorted(needed, key=lambda each: -each.index):
        if node not in gradients or not node.arguments:
            continue
        contributions = rules(node, gradients[node])
        for argument, gradient in zip(node.arguments, contributions, strict=True):
            if argument in needed and gradient is not None:
                accumulate(argument, gradient)
    return {leaf: gradients[leaf] for leaf in leaves if leaf in gradients}


#: Operations that pass no gradient.
FLAT = frozenset({"detach", "floor", "ceil", "trunc", "sign", "ones_like", "number", "floordiv"})


def _depending(nodes: list[Node], leaves: Collection[Node]) -> set[Node]:
    """Return the nodes through which a gradient reaches one of the leaves."""
    depending = {leaf for leaf in leaves if leaf.kind == "number"}
    for node in nodes:
        through = node.kind == "number" and node.operation not in FLAT
        if through and any(argument in depending for argument in node.arguments):
            depending.add(node)
    return depending


class Rules:
    """The derivative of each operation, recorded in the graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __call__(self, node: Node, gradient: Node) -> Gradients:
        """Return the contribution to each argument's gradient, or None."""
        rule: Callable[..., Gradients] | None = getattr(self, f"_{node.operation}", None)
        if rule is not None:
            return rule(gradient, node, *node.arguments)
        slope = self._slope(node)
        return (self._do("mul", gradient, slope),)

    def _do(self, operation: str, *arguments: Node | float) -> Node:
        graph = self._graph
        nodes = [a if isinstance(a, Node) else graph.literal(float(a)) for a in arguments]
        condition = operation in ("lt", "gt", "le", "ge", "eq", "and", "or", "not")
        return graph.make(operation, *nodes, kind="condition" if condition else "number")

    def _where_else(self, condition: Node, gradient: Node) -> tuple[Node, Node]:
        do = self._do
        return do("where", condition, gradient, 0.0), do("where", condition, 0.0, gradient)

    def _add(self, g: Node, _: Node, *__: Node) -> Gradients:
        return g, g

    def _sub(self, g: Node, _: Node, *__: Node) -> Gradients:
        return g, self._do("neg", g)

    def _neg(self, g: Node, _: Node, *__: Node) -> Gradients:
        return (self._do("neg", g),)

    def _mul(self, g: Node, _: Node, a: Node, b: Node) -> Gradients:
        return self._do("mul", g, b), self._do("mul", g, a)

    def _div(self, g: Node, node: Node, _: Node, b: Node) -> Gradients:
        do = self._do
        return do("div", g, b), do("mul", do("neg", g), do("div", node, b))

    def _mod(self, g: Node, _: Node, a: Node, b: Node) -> Gradients:
        do = self._do
        return g, do("neg", do("mul", g, do("floordiv", a, b)))

    def _pow(self, g: Node, node: Node, a: Node, b: Node) -> Gradients:
        do = self._do
        base = do("mul", g, do("mul", b, do("pow", a, do("sub", b, 1.0))))
        base = do("where", do("eq", b, 0.0), 0.0, base)
        exponent = do("mul", g, do("mul", node, do("log", a)))
        silent = do("and", do("eq", a, 0.0), do("ge", b, 0.0))
        return base, do("where", silent, 0.0, exponent)

    def _where(self, g: Node, _: Node, condition: Node, *__: Node) -> Gradients:
        return None, *self._where_else(condition, g)

    def _clip(self, g: Node, _: Node, a: Node, low: Node, high: Node) -> Gradients:
        do = self._do
        inside = do("and", do("ge", a, low), do("le", a, high))
        below = do("and", do("lt", low, high), do("lt", a, low))
        above = do("or", do("gt", a, high), do("lt", high, low))
        return tuple(do("where", where, g, 0.0) for where in (inside, below, above))

    def _minimum(self, g: Node, _: Node, a: Node, b: Node) -> Gradients:
        return self._extreme(g, a, b, "lt")

    def _maximum(self, g: Node, _: Node, a: Node, b: Node) -> Gradients:
        return self._extreme(g, a, b, "gt")

    def _extreme(self, g: Node, a: Node, b: Node, taken: str) -> Gradients:
        do = self._do
        shared = do("where", do("eq", a, b), do("mul", g, 0.5), 0.0)
        return (
            do("where", do(taken, a, b), g, shared),
            do("where", do(taken, b, a), g, shared),
        )

    def _spike(self, g: Node, _: Node, *arguments: Node) -> Gradients:
        _, _, slope = arguments
        return None, self._do("mul", g, slope), None

    def _written(self, g: Node, _: Node, *arguments: Node) -> Gradients:
        condition, _, value, old = arguments
        to_weight = self._do("mul", g, self._do("sub", value, old))
        return None, to_weight, *self._where_else(condition, g)

    def _through(self, g: Node, _: Node, *__: Node) -> Gradients:
        return g, None

    def _moved(self, g: Node, _: Node, *arguments: Node) -> Gradients:
        return g, self._do("mul", g, arguments[2]), None

    def _shifted(self, g: Node, _: Node, *arguments: Node) -> Gradients:
        crossed, _, rise = arguments
        time = self._do("div", self._do("neg", g), rise)
        return None, self._do("where", crossed, time, 0.0), None

    def _slope(self, node: Node) -> Node:
        """Return the derivative of a unary function."""
        if node.operation not in _SLOPES:
            raise Unsupported(f"the derivative of {node.operation!r}")
        return _SLOPES[node.operation](self._do, node, node.arguments[0])


#: Records an operation on nodes and numbers.
_Do = Callable[..., Node]

#: The derivatives of unary functions, with argument `a` and value `f`.
_SLOPES: dict[str, Callable[[_Do, Node, Node], Node]] = {
    "exp": lambda _, f, __: f,
    "expm1": lambda do, f, _: do("add", f, 1.0),
    "exprel": lambda do, _, a: do("exprel_slope", a),
    "log": lambda do, _, a: do("div", 1.0, a),
    "log10": lambda do, _, a: do("div", 1.0, do("mul", a, math.log(10))),
    "log1p": lambda do, _, a: do("div", 1.0, do("add", a, 1.0)),
    "sin": lambda do, _, a: do("cos", a),
    "cos": lambda do, _, a: do("neg", do("sin", a)),
    "tan": lambda do, f, _: do("add", do("mul", f, f), 1.0),
    "sinh": lambda do, _, a: do("cosh", a),
    "cosh": lambda do, _, a: do("sinh", a),
    "tanh": lambda do, f, _: do("sub", 1.0, do("mul", f, f)),
    "asin": lambda do, _, a: do("div", 1.0, _circle(do, a)),
    "acos": lambda do, _, a: do("neg", do("div", 1.0, _circle(do, a))),
    "atan": lambda do, _, a: do("div", 1.0, do("add", do("mul", a, a), 1.0)),
    "sqrt": lambda do, f, _: do("div", 0.5, f),
    "abs": lambda do, _, a: do("sign", a),
    "square": lambda do, _, a: do("mul", a, 2.0),
    "reciprocal": lambda do, f, _: do("neg", do("mul", f, f)),
}


def _circle(do: _Do, a: Node) -> Node:
    return do("sqrt", do("sub", 1.0, do("mul", a, a)))


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
