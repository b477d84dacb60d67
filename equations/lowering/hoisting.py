"""Loop invariants: expressions that do not change over time, so that they are computed once."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from bioae.equations.assignments import ACTIVE, Activity
from bioae.equations.expressions import Expression
from bioae.equations.grammar import RESERVED_PREFIX, is_condition, names_in
from bioae.equations.lowering.conditions import with_numbers
from bioae.equations.program import REFRACTORY_PREFIX


class Hoist:
    """Rewrite expressions so that constant parts become names, collected in `constants`.

    A part that depends on the state only through ``int(not_refractory)`` has two values, and both
    become constants: so ``exp(-dt*int(not_refractory)/tau)`` costs no exponential either. The
    one for active neurons must be finite, as in any model that has states.

    `constant`: the names that do not change over time.
    `literals`: the values of units, by name.
    `inline`: the expressions of subexpressions, by name.
    `conditions`: the names of variables that are true or false; may change between calls.
    """

    def __init__(
        self,
        constant: AbstractSet[str],
        literals: Mapping[str, float],
        inline: Mapping[str, Expression],
        conditions: AbstractSet[str] = frozenset(),
    ) -> None:
        self._constant = constant
        self._conditions = conditions
        self._literals = literals
        self._inline = inline
        self._names: dict[Expression, str] = {}

    @property
    def constants(self) -> dict[str, Expression]:
        """The constant expressions met so far, by the names that replace them."""
        return {name: expression for expression, name in self._names.items()}

    def __call__(self, expression: Expression) -> Expression:
        """Return the expression with names in place of its constant parts."""
        while expression.names & self._inline.keys():
            expression = expression.substituted(self._inline)
        expression = with_numbers(expression, self._conditions)
        numbers = {
            name: Expression.of(ast.Constant(self._literals[name]))
            for name in expression.names & self._literals.keys()
        }
        return Expression.of(self._hoisted(expression.substituted(numbers).tree))

    def _hoisted(self, node: Any) -> Any:
        if not isinstance(node, ast.expr) or isinstance(node, ast.Name):
            return node
        if isinstance(node, ast.Constant):
            # Brian2 could not read infinity.
            infinite = isinstance(node.value, float) and math.isinf(node.value)
            return self._name(Expression.of(node)) if infinite else node
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            node.operand = self._hoisted(node.operand)
            return node
        # A constant is a number; Brian2 wants conditions where it expects them.
        if names_in(node) <= self._constant and not is_condition(node):
            return self._name(Expression.of(node))
        if self._has_two_values(node):
            return self._two_values(Expression.of(node))
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, field, [self._hoisted(item) for item in value])
            elif field != "func":
                setattr(node, field, self._hoisted(value))
        return node

    def _two_values(self, expression: Expression) -> ast.expr:
        active = self._name(expression.rewritten(Activity(1)))
        refractory = self._name(expression.rewritten(Activity(0)), REFRACTORY_PREFIX)
        text = f"int(not_refractory)*{active.id} + int(not not_refractory)*{refractory.id}"
        return Expression(text).tree

    def _name(self, value: Expression, prefix: str = f"{RESERVED_PREFIX}c") -> ast.Name:
        name = self._names.setdefault(value, f"{prefix}{len(self._names)}")
        return ast.Name(name, ast.Load())

    def _has_two_values(self, node: ast.AST) -> bool:
        if is_condition(node) or not names_in(node) <= self._constant | {"not_refractory"}:
            return False
        # Plain arithmetic stays in place: there is nothing to save.
        calls = (part for part in ast.walk(node) if isinstance(part, ast.Call))
        if all(ast.dump(call) == ACTIVE for call in calls):
            return False
        return "not_refractory" not in Expression.of(node).rewritten(Activity(1)).text
