"""How far a neuron is from its threshold, read from the condition where the file does not say.

It serves the spike derivatives alone: whether a neuron fires is the condition's affair.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from brian2.units import have_same_dimensions
from brian2.utils.stringtools import word_substitute

from bioae.equations.model import NeuronModel, Surrogate
from bioae.equations.quantities import constants, evaluate
from bioae.equations.syntax import names_in
from bioae.errors import InputError, ModelError

__all__ = ["read_surrogate"]

_FLIPPED = {ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt}


def read_surrogate(
    model: NeuronModel,
    threshold: str,
    *,
    conditions: Mapping[str, str | None],
    states: Mapping[str, str],
    inline: Mapping[str, str],
    values: Mapping[str, Any],
    means: Mapping[str, str],
) -> Surrogate:
    """Return the distance to threshold, and its scale.

    A comparison ``a > b`` is ``a - b`` from being true, on the scale of b where the neuron starts.
    Of conditions joined by ``and`` the smaller distance counts, each relative to its scale; by
    ``or`` the larger; ``not`` turns the sign. A Boolean variable is at no distance; a threshold of
    nothing else has one that no gradient goes through.

    Parameters
    ----------
    model
        The neuron model; its ``[surrogate]`` is taken where it has one.
    threshold
        The condition, its random numbers named.
    conditions
        The Boolean variables, and what those that are subexpressions stand for.
    states
        The other variables, and their units.
    inline
        What other subexpressions stand for.
    values
        The parameters' values.
    means
        The means of the random numbers, by name: what a scale has in their place.

    Raises
    ------
    ModelError
        If the file gives a constant scale that is not positive.
    """
    if model.surrogate is not None:
        return _given(model, model.surrogate, values)
    starts = {
        name: f"({model.initial_state.get(name, f'0*{unit}')})" for name, unit in states.items()
    }
    known = {"t": "(0*second)", **starts, **{name: f"({text})" for name, text in inline.items()}}
    reader = _Reader(model, conditions, {**known, **means}, values)
    return reader.read(ast.parse(threshold, mode="eval").body)


def _given(model: NeuronModel, surrogate: Surrogate, values: Mapping[str, Any]) -> Surrogate:
    if not _is_constant(surrogate.scale, values):
        return surrogate
    where = f"{model.name}.toml, [surrogate] scale"
    if not evaluate(surrogate.scale, values, where=where, error=ModelError) > 0:
        raise ModelError(
            "the scale of the distance to threshold must be positive",
            where=where,
            found=surrogate.scale,
        )
    return surrogate


def _is_constant(text: str, values: Collection[str]) -> bool:
    return names_in(text) <= {*values, *constants()}


class _Reader:
    def __init__(
        self,
        model: NeuronModel,
        conditions: Mapping[str, str | None],
        starts: Mapping[str, str],
        values: Mapping[str, Any],
    ) -> None:
        self._model = model
        self._conditions = conditions
        self._starts = starts
        self._values = values

    def read(self, condition: ast.expr) -> Surrogate:
        condition = self._plain(condition)
        sides = _sides(condition)
        if sides is not None:
            above, below = sides
            return Surrogate(distance=f"({above}) - ({below})", scale=self._scale(above, below))
        distance = self._relative(condition)
        return Surrogate(distance=distance or f"int({ast.unparse(condition)}) - 0.5", scale="1")

    def _plain(self, condition: ast.expr) -> ast.expr:
        """Return what a Boolean subexpression or a negated comparison stands for."""
        match condition:
            case ast.Name(id=name) if self._conditions.get(name):
                return self._plain(ast.parse(str(self._conditions[name]), mode="eval").body)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._plain(operand)
                if isinstance(inner, ast.Compare) and type(inner.ops[0]) in _FLIPPED:
                    flipped = _FLIPPED[type(inner.ops[0])]()
                    return ast.Compare(inner.left, [flipped], inner.comparators)
        return condition

    def _relative(self, condition: ast.expr) -> str | None:
        """Return a distance relative to its scale; None of what is at none."""
        condition = self._plain(condition)
        match condition:
            case ast.BoolOp(op=op, values=parts):
                found = [text for text in map(self._relative, parts) if text is not None]
                return _joined("minimum" if isinstance(op, ast.And) else "maximum", found)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._relative(operand)
                return None if inner is None else f"-({inner})"
            case ast.Compare(left=left, comparators=[right]) if not self._compares_truth(condition):
                return self._compared(condition, ast.unparse(left), ast.unparse(right))
        return None

    def _compared(self, condition: ast.Compare, left: str, right: str) -> str:
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

    def _scale(self, above: str, below: str) -> str:
        if _is_constant(below, self._values) or names_in(below) & self._starts.keys():
            return self._constant_scale(above, below)
        return below  # of each neuron

    def _constant_scale(self, above: str, below: str) -> str:
        """Return a constant of the distance's unit that is positive."""
        for text in self._candidates(above, below):
            value = self._value(text)
            if value is not None and value > 0:
                return text
            if value is not None and value < 0:
                return f"abs({text})"
        return "1"

    def _candidates(self, above: str, below: str) -> Iterator[str]:
        sides = [self._at_start(side) for side in (below, above)]
        start = f"({sides[1]}) - ({sides[0]})"
        yield from sides
        known = [value for value in map(self._value, (*sides, start)) if value is not None]
        if known and have_same_dimensions(known[0], self._value(self._model.weight)):
            yield self._model.weight
        yield start

    def _at_start(self, text: str) -> str:
        # As often as names may name one another; a circle is refused elsewhere.
        for _ in self._starts:
            if not names_in(text) & self._starts.keys():
                break
            text = str(word_substitute(text, self._starts))
        return text

    def _value(self, text: str) -> Any:
        if not _is_constant(text, self._values):
            return None
        try:
            return evaluate(text, self._values, where="scale")
        except InputError:
            return None


def _sides(condition: ast.expr) -> tuple[str, str] | None:
    """Return what must be larger for a comparison to be true, and what smaller."""
    match condition:
        case ast.Compare(left=left, ops=[ast.Gt() | ast.GtE()], comparators=[right]):
            return ast.unparse(left), ast.unparse(right)
        case ast.Compare(left=left, ops=[ast.Lt() | ast.LtE()], comparators=[right]):
            return ast.unparse(right), ast.unparse(left)
    return None


def _joined(function: str, parts: list[str]) -> str | None:
    if not parts:
        return None
    first, *rest = parts
    for part in rest:
        first = f"{function}({first}, {part})"
    return first
