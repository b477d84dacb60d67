"""Expressions of programs as code for Brian2, by the functions of `bioae.arithmetic.brian`."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace

from bioae.arithmetic.brian import PREFIX, brian2_arithmetic
from bioae.equations.expressions import Expression
from bioae.equations.operators import OPERATORS, power
from bioae.equations.program import Statement

__all__ = ["rendered", "rendered_statement"]

#: C++ computes with integers above it as with floats of 32 bits, which cannot hold them.
_LARGEST_FLOAT32_INTEGER = 2**24


def rendered(expression: Expression, integers: Collection[str]) -> Expression:
    """Return an expression as Brian2 shall compute it.

    Parameters
    ----------
    expression
        An expression of a program.
    integers
        The variables that Brian2 stores as integers: arithmetic converts them to numbers first.
    """
    return expression.rewritten(_Render(integers))


def rendered_statement(
    statement: Statement, integers: Collection[str], numbers: Collection[str] = ()
) -> Statement:
    """Return a statement with its value as Brian2 shall compute it, see `rendered`.

    Parameters
    ----------
    statement
        A statement of a program.
    integers
        As for `rendered`.
    numbers
        The variables of numbers that statements change in place.
    """
    tree = rendered(statement.value, integers).tree
    match tree:
        case ast.Call(func=ast.Name(id="bioae_int") as function) if statement.target in integers:
            function.id = "bioae_integer"  # Cython stores no other number in an integer
        case ast.Name(id=name) if name in numbers:
            tree = _call("number", tree)  # NumPy would give one array two names
        case ast.Constant(value=int()) | ast.UnaryOp(operand=ast.Constant(value=int())) if (
            statement.target not in {*integers, *numbers}
        ):
            tree = _call("number", tree)  # C++ would declare an integer
    return replace(statement, value=Expression.of(tree))


class _Render(ast.NodeTransformer):
    def __init__(self, integers: Collection[str]) -> None:
        self._integers = integers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _call("number", node) if node.id in self._integers else node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        match node.value:
            case int() as value if value > _LARGEST_FLOAT32_INTEGER:
                return ast.Constant(float(value))
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        # Not the function's name, which is no variable.
        arguments = [self.visit(argument) for argument in node.args]
        name = ast.unparse(node.func)
        if f"{PREFIX}{name}" in brian2_arithmetic():
            return _call(name, *arguments)
        return ast.Call(node.func, arguments, [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        match power(node):
            case "square":
                return _call("square", left)
            case "sqrt":
                return ast.Call(ast.Name("sqrt", ast.Load()), [left], [])
            case "reciprocal":
                return _call("divide", ast.Constant(1), left)
        if isinstance(node.op, ast.Div):
            # Cython would raise an error for 1/0.
            return _call("divide", left, right)
        if type(node.op) in OPERATORS:
            return _call(OPERATORS[type(node.op)], left, right)
        return ast.BinOp(left, node.op, right)


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(f"{PREFIX}{name}", ast.Load()), [*arguments], [])
