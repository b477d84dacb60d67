"""Conditions among numbers: their conversion to numbers, written out."""

from __future__ import annotations

import ast
from collections.abc import Set as AbstractSet

from bioae.equations.expressions import Expression, is_condition

__all__ = ["is_true_or_false", "with_numbers"]


def is_true_or_false(value: Expression, conditions: AbstractSet[str]) -> bool:
    """Return whether an expression is a condition, by its form or as one of the names given."""
    return _is_true_or_false(value.tree, conditions)


def with_numbers(expression: Expression, conditions: AbstractSet[str]) -> Expression:
    """Return an expression with ``int(...)`` around conditions among numbers, as in ``v*(w > 1)``.

    Libraries and languages differ in the arithmetic of true and false.

    Parameters
    ----------
    expression
        The expression.
    conditions
        The names of variables that are true or false.
    """
    return expression.rewritten(_Numbers(conditions))


def _is_true_or_false(node: ast.AST, conditions: AbstractSet[str]) -> bool:
    return is_condition(node) or (isinstance(node, ast.Name) and node.id in conditions)


class _Numbers(ast.NodeTransformer):
    def __init__(self, conditions: AbstractSet[str]) -> None:
        self._conditions = conditions

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        node.left, node.right = self._number(node.left), self._number(node.right)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            node.operand = self._number(node.operand)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) != "int":
            node.args = [self._number(argument) for argument in node.args]
        return node

    def _number(self, node: ast.expr) -> ast.expr:
        if not _is_true_or_false(node, self._conditions):
            return node
        return ast.Call(ast.Name("int", ast.Load()), [node], [])
