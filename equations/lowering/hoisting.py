"""Take what does not change over time out of statements, so that it is computed once."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from bioae.equations.arrays.functions import EXTREMES, SUPPORTED
from bioae.equations.lowering.refractory import ACTIVE, Activity
from bioae.equations.model import RESERVED_PREFIX
from bioae.equations.syntax import is_condition, names_in

__all__ = ["REFRACTORY_PREFIX", "Hoist"]

#: Constants that only a refractory neuron meets: they need not be finite.
REFRACTORY_PREFIX = f"{RESERVED_PREFIX}r"


class Hoist:
    """Rewrites expressions so that constant parts become names, collected in `constants`.

    A part that depends on the state through ``int(not_refractory)`` alone has two values only, and
    both are taken out: so ``exp(-dt*int(not_refractory)/tau)`` costs no exponential either.

    Parameters
    ----------
    constant
        The names that do not change over time.
    literals
        Names that stand for a number: units.
    inline
        Subexpressions, replaced by what they stand for.
    """

    def __init__(
        self, constant: AbstractSet[str], literals: Mapping[str, float], inline: Mapping[str, str]
    ) -> None:
        self._constant = constant
        self._literals = literals
        self._inline = {name: ast.parse(text, mode="eval").body for name, text in inline.items()}
        self._names: dict[str, str] = {}

    @property
    def constants(self) -> dict[str, str]:
        """The constant expressions met so far, by the names that replace them."""
        return {name: expression for expression, name in self._names.items()}

    def __call__(self, expression: str) -> str:
        """Return the expression with its constant parts taken out.

        Raises
        ------
        TypeError
            If it calls a function that is not supported.
        """
        tree = _Replace(self._inline, self._literals).visit(ast.parse(expression, mode="eval").body)
        return ast.unparse(self._take_out(tree))

    def _take_out(self, node: Any) -> Any:
        if not isinstance(node, ast.expr) or isinstance(node, ast.Name):
            return node
        if isinstance(node, ast.Constant):
            # Brian2 could not read infinity.
            infinite = isinstance(node.value, float) and math.isinf(node.value)
            return self._name(node) if infinite else node
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            node.operand = self._take_out(node.operand)
            return node
        # A constant is a number; Brian2 wants conditions where it expects them.
        if self._is_constant(node) and not is_condition(node):
            return self._name(node)
        if self._has_two_values(node):
            return self._two_values(node)
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, field, [self._take_out(item) for item in value])
            elif field != "func":
                setattr(node, field, self._take_out(value))
        return node

    def _two_values(self, node: ast.expr) -> ast.expr:
        active = self._name(Activity(1).visit(_copy(node)))
        refractory = self._name(Activity(0).visit(_copy(node)), REFRACTORY_PREFIX)
        text = f"int(not_refractory)*{active.id} + int(not not_refractory)*{refractory.id}"
        return ast.parse(text, mode="eval").body

    def _name(self, node: ast.expr, prefix: str = f"{RESERVED_PREFIX}c") -> ast.Name:
        name = self._names.setdefault(ast.unparse(node), f"{prefix}{len(self._names)}")
        return ast.Name(name, ast.Load())

    def _is_constant(self, node: ast.AST, also: AbstractSet[str] = frozenset()) -> bool:
        return names_in(node) <= self._constant | also

    def _has_two_values(self, node: ast.AST) -> bool:
        if not self._is_constant(node, also={"not_refractory"}):
            return False
        if is_condition(node):
            return False
        # Plain arithmetic is left where it is: there is nothing to save.
        calls = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
        stray = ast.unparse(Activity(1).visit(_copy(node)))
        return any(ast.dump(call) != ACTIVE for call in calls) and "not_refractory" not in stray


class _Replace(ast.NodeTransformer):
    """Put subexpressions and the values of units in their places; refuse unknown functions."""

    def __init__(self, inline: Mapping[str, ast.expr], literals: Mapping[str, float]) -> None:
        self._inline = inline
        self._literals = literals

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._inline:
            return self.visit(_copy(self._inline[node.id]))  # type: ignore[no-any-return]
        if node.id in self._literals:
            return ast.Constant(self._literals[node.id])
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        name = ast.unparse(node.func)
        if name not in {*SUPPORTED, *EXTREMES}:
            raise TypeError(f"the function {name}() is not supported")
        node.args = [self.visit(argument) for argument in node.args]
        return node


def _copy(node: Any) -> Any:
    return ast.parse(ast.unparse(node), mode="eval").body
