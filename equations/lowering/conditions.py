"""Conditions among numbers: their conversion to numbers, written out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from brian2.equations.equations import SUBEXPRESSION

from bioae.equations.expressions import Expression, parse_expression
from bioae.equations.grammar import is_condition
from bioae.errors import ModelError, shortened


def check_integrated(parsed: Sequence[Any], *, where: str) -> None:
    """Reject conditions among the numbers of equations: SymPy cannot read them.

    `parsed`: the equations, as `bioae.equations.language.parsed_equations` returns them.

    Raises `ModelError` if there is one, or an equation is beyond a limit.
    """
    texts = {
        each["identifier"]: parse_expression(each["expression"], where=where, random=True)
        for each in parsed
        if "expression" in each
    }
    # Brian2 puts subexpressions in wherever they are named.
    truths = {
        each["identifier"]
        for each in parsed
        if each.get_name() == SUBEXPRESSION and each["unit"].strip() == "boolean"
    }
    for name, text in texts.items():
        numbers = _Numbers(truths)
        text.rewritten(numbers)
        for condition in numbers.found:
            raise ModelError(
                "a condition stands among numbers", where=where,
                found=f"{condition!r} in the equation of {name}",
                hint=f"Write int({shortened(condition, 500)})",
            )  # fmt: skip


def is_true_or_false(node: ast.AST, conditions: AbstractSet[str]) -> bool:
    """Return whether a syntax tree is a condition, by its form or as one of the names given."""
    return is_condition(node) or (isinstance(node, ast.Name) and node.id in conditions)


def with_numbers(expression: Expression, conditions: AbstractSet[str]) -> Expression:
    """Return an expression with ``int(...)`` around conditions among numbers, as in ``v*(w > 1)``.

    Libraries and languages differ in the arithmetic of true and false.

    `conditions`: the names of variables that are true or false.
    """
    return expression.rewritten(_Numbers(conditions))


class _Numbers(ast.NodeTransformer):
    def __init__(self, conditions: AbstractSet[str]) -> None:
        self._conditions = conditions
        #: The text of the conditions that were met among numbers.
        self.found: list[str] = []

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
        if not is_true_or_false(node, self._conditions):
            return node
        self.found.append(ast.unparse(node))
        return ast.Call(ast.Name("int", ast.Load()), [node], [])
