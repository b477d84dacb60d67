"""Refractoriness in the integration step: neurons count as active where that changes nothing.

A refractory neuron skips guarded writes. The values that Brian2 computes for it may be 0/0
(exponential Euler divides by the rate of a leak that is switched off), and its derivative would
still reach the gradient although the value is thrown away.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable

from bioae.equations.assignments import Assignment
from bioae.equations.expressions import Expression

__all__ = ["ACTIVE", "Activity", "without_refractory"]

#: The factor of a derivative that is flagged ``(unless refractory)``, as a dumped syntax tree.
ACTIVE = ast.dump(Expression("int(not_refractory)").tree)


class Activity(ast.NodeTransformer):
    """Replace ``int(not_refractory)`` by one of its two values."""

    def __init__(self, value: int) -> None:
        self._value = value

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace a call of ``int(not_refractory)``."""
        if ast.dump(node) == ACTIVE:
            return ast.Constant(self._value)
        return self.generic_visit(node)


class _Active(Activity):
    """Replace ``int(not_refractory)`` by 1, and leave out factors of 1."""

    def __init__(self) -> None:
        super().__init__(1)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.BinOp(left=other, op=ast.Mult(), right=ast.Constant(value=1)):
                return other
            case ast.BinOp(left=ast.Constant(value=1), op=ast.Mult(), right=other):
                return other
        return node


def without_refractory(
    assignments: Iterable[Assignment], guarded: Collection[str], states: Collection[str]
) -> list[Assignment]:
    """Return assignments that treat a neuron as active where only guarded writes use the result.

    Parameters
    ----------
    assignments
        The integration step, as Brian2's state updaters make it.
    guarded
        The variables that are not written while a neuron is refractory.
    states
        All variables of the model; any other target is temporary.
    """
    result: list[Assignment] = []
    used_elsewhere: set[str] = set()
    for each in reversed([*assignments]):
        if each.target in guarded or each.target not in {*states, *used_elsewhere}:
            result.append(each._replace(value=each.value.rewritten(_Active())))
        else:
            used_elsewhere |= each.value.names
            result.append(each)
    return result[::-1]
