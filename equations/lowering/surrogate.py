"""Distance to threshold, read from the condition where the model's file does not give it.

Only the spike derivatives use it: whether a neuron fires is decided by the condition.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from brian2.units import have_same_dimensions

from bioae.equations.expressions import Expression
from bioae.equations.model import NeuronModel, Surrogate
from bioae.equations.quantities import SOME_DT, constants, evaluate
from bioae.errors import InputError, ModelError

_NEGATED = {ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt}


def read_surrogate(
    model: NeuronModel,
    threshold: Expression,
    *,
    conditions: Mapping[str, Expression | None],
    states: Mapping[str, str],
    inline: Mapping[str, Expression],
    values: Mapping[str, Any],
    means: Mapping[str, Expression],
) -> tuple[Expression, Expression]:
    """Return the distance to threshold, and its scale.

    The distance of a comparison ``a > b`` is ``a - b``, and its scale is the initial value of b. Of
    conditions joined by ``and`` the smaller distance counts, each relative to its scale; by ``or``
    the larger; ``not`` changes the sign. A Boolean variable has no distance; the distance of a
    threshold that consists of such variables passes no gradient.

    `model`: the neuron model; if it has a ``[surrogate]``, that is returned.
    `threshold`: the condition, with names for its random numbers.
    `conditions`: the Boolean variables, with the expressions of those that are subexpressions.
    `states`: the other variables, and their units.
    `inline`: the expressions of other subexpressions.
    `means`: the means of the random numbers, by name: scales contain them instead.

    Raises `ModelError` if the file gives a constant scale that is not positive and finite.
    """
    if model.surrogate is not None:
        return _checked(model, model.surrogate, values)
    starts = {
        name: Expression(model.initial_state.get(name, f"0*{unit}"))
        for name, unit in states.items()
    }
    clock = {"t": Expression("0*second"), "t_in_timesteps": Expression("0")}
    starts = {**clock, **starts, **inline, **means}
    return _Reader(model, conditions, starts, values).read(threshold)


def _checked(
    model: NeuronModel, surrogate: Surrogate, values: Mapping[str, Any]
) -> tuple[Expression, Expression]:
    distance, scale = Expression(surrogate.distance), Expression(surrogate.scale)
    where = f"{model.name}.toml, [surrogate] scale"
    if _is_constant(scale, values):
        value = float(evaluate(scale.text, values, where=where, error=ModelError))
        if not 0 < value < math.inf:
            raise ModelError(
                "the scale of the distance to threshold must be positive and finite", where=where,
                found=surrogate.scale,
            )  # fmt: skip
    return distance, scale


def _is_constant(expression: Expression, values: Collection[str]) -> bool:
    return expression.names <= {*values, *constants()}


class _Reader:
    def __init__(
        self,
        model: NeuronModel,
        conditions: Mapping[str, Expression | None],
        starts: Mapping[str, Expression],
        values: Mapping[str, Any],
    ) -> None:
        self._model = model
        self._conditions = conditions
        self._starts = starts
        # `weight` may be a scale, and name the time step.
        self._values = {**values, "dt": SOME_DT}

    def read(self, threshold: Expression) -> tuple[Expression, Expression]:
        condition = self._plain(threshold.tree)
        sides = _sides(condition)
        if sides is not None:
            above, below = sides
            return Expression(f"({above}) - ({below})"), self._scale(above, below)
        distance = self._relative(condition) or f"int({Expression.of(condition)}) - 0.5"
        return Expression(distance), Expression("1")

    def _plain(self, condition: ast.expr) -> ast.expr:
        """Return a condition, its Boolean subexpression replaced or its comparison negated."""
        match condition:
            case ast.Name(id=name) if (expression := self._conditions.get(name)) is not None:
                return self._plain(expression.tree)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._plain(operand)
                if isinstance(inner, ast.Compare) and type(inner.ops[0]) in _NEGATED:
                    negated = _NEGATED[type(inner.ops[0])]()
                    return ast.Compare(inner.left, [negated], inner.comparators)
        return condition

    def _relative(self, condition: ast.expr) -> str | None:
        """Return a distance relative to its scale; None if the condition has none."""
        condition = self._plain(condition)
        match condition:
            case ast.BoolOp(op=op, values=parts):
                distances = [text for text in map(self._relative, parts) if text is not None]
                return _joined("minimum" if isinstance(op, ast.And) else "maximum", distances)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._relative(operand)
                return None if inner is None else f"-({inner})"
            case ast.Compare(left=left, comparators=[right]) if not self._compares_truth(condition):
                return self._compared(condition, Expression.of(left), Expression.of(right))
        return None

    def _compared(self, condition: ast.Compare, left: Expression, right: Expression) -> str:
        above, below = _sides(condition) or (left, right)
        scale = self._constant_scale(above, below)
        match condition.ops[0]:
            case ast.Eq():
                return f"-abs(({left}) - ({right}))/({scale})"
            case ast.NotEq():
                return f"abs(({left}) - ({right}))/({scale})"
        return f"(({above}) - ({below}))/({scale})"

    def _compares_truth(self, condition: ast.Compare) -> bool:
        def is_truth(node: ast.expr) -> bool:
            match node:
                case ast.Name(id=name):
                    return name in self._conditions
                case ast.Constant(value=value):
                    return isinstance(value, bool)
            return isinstance(node, ast.Compare | ast.BoolOp) or (
                isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
            )

        return is_truth(condition.left) or is_truth(condition.comparators[0])

    def _scale(self, above: Expression, below: Expression) -> Expression:
        if _is_constant(below, self._values) or below.names & self._starts.keys():
            return self._constant_scale(above, below)
        return below  # each neuron has its own

    def _constant_scale(self, above: Expression, below: Expression) -> Expression:
        """Return a positive, finite constant of the distance's unit."""
        for candidate in self._candidates(above, below):
            value = self._value(candidate)
            if value is not None and 0 < abs(float(value)) < math.inf:
                return candidate if value > 0 else Expression(f"abs({candidate})")
        return Expression("1")

    def _candidates(self, above: Expression, below: Expression) -> Iterator[Expression]:
        sides = [self._at_start(side) for side in (below, above)]
        start = Expression(f"({sides[1]}) - ({sides[0]})")
        weight = Expression(self._model.weight)
        yield from sides
        known = [value for value in map(self._value, (*sides, start)) if value is not None]
        if known and have_same_dimensions(known[0], self._value(weight)):
            yield weight
        yield start

    def _at_start(self, expression: Expression) -> Expression:
        # As often as names may name one another; a circle is refused elsewhere.
        for _ in self._starts:
            if not expression.names & self._starts.keys():
                break
            expression = expression.substituted(self._starts)
        return expression

    def _value(self, expression: Expression) -> Any:
        if not _is_constant(expression, self._values):
            return None
        try:
            return evaluate(expression.text, self._values, where="scale")
        except InputError:
            return None


def _sides(condition: ast.expr) -> tuple[Expression, Expression] | None:
    """Return the two sides of a comparison, the one that must be larger first."""
    match condition:
        case ast.Compare(left=left, ops=[ast.Gt() | ast.GtE()], comparators=[right]):
            return Expression.of(left), Expression.of(right)
        case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE()], comparators=[right]):
            return Expression.of(right), Expression.of(left)
    return None


def _joined(function: str, parts: list[str]) -> str | None:
    if not parts:
        return None
    first, *rest = parts
    for part in rest:
        first = f"{function}({first}, {part})"
    return first
