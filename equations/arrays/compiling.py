"""Expressions and statements compiled to Python functions on arrays.

The Python that is compiled is rebuilt node by node from a whitelist of expressions.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import FrameType
from typing import Any

from bioae.equations.expressions import Expression, Statement
from bioae.equations.grammar import names_in
from bioae.equations.operators import OPERATORS, power

#: The file name of compiled statements.
SOURCE = "<neuron model>"

#: The names of the statements and their code, by line, in the globals of compiled statements.
_STATEMENTS, _LINES = "_statements", "_lines"

Array = Any
Functions = Mapping[str, Callable[..., Any]]

#: Returns the Python code that writes a value, itself Python code, to a statement's target.
Write = Callable[[Statement, str], str]


def compile_statements(
    statements: Sequence[Statement],
    arguments: Sequence[str],
    results: Iterable[str],
    functions: Functions,
    *,
    write: Write | None = None,
) -> Callable[..., tuple[Any, ...]]:
    """Compile statements to a function on arrays.

    `statements`: the statements, in the order in which they run.
    `arguments`: the names that the function takes, in order.
    `results`: the names whose values it returns, as a tuple.
    `functions`: see `bioae.equations.arrays.functions.array_functions`.
    `write`: returns the Python code that writes a value to its target; `functions` are
        ``_fn[name]``.

    Returns takes arrays, returns a tuple of arrays. Nothing happens in place.
    """
    lines = [f"def step({', '.join(arguments)}):"]
    for statement in statements:
        value = _code(statement.value)
        value = write(statement, f"({value})") if write else value
        lines.append(f"    {statement.target} = {value}")
    lines.append(f"    return ({''.join(f'{name}, ' for name in results)})")
    # PyTorch imports parts of itself at the first use of some operators.
    scope: dict[str, Any] = {"_fn": functions, "__builtins__": {"__import__": __import__}}
    scope |= {_STATEMENTS: (None, *statements), _LINES: lines}
    exec(compile("\n".join(lines), SOURCE, "exec"), scope)
    return scope["step"]  # type: ignore[no-any-return]


def compile_expression(
    expression: Expression, functions: Functions
) -> Callable[[Mapping[str, Array]], Array]:
    """Compile an expression to a function of a mapping from names to arrays.

    `functions`: see `bioae.equations.arrays.functions.array_functions`.
    """
    names = tuple(sorted(expression.names))
    function = compile_statements([Statement("_value", expression)], names, ["_value"], functions)
    return lambda values: function(*[values[name] for name in names])[0]


def running(frame: FrameType) -> tuple[Statement, ast.expr | None]:
    """Return the statement that a frame of `SOURCE` runs, and the operation in it.

    Returns the statement, and the part of its value whose operation runs as it is written there,
    such as a power where the code calls ``sqrt``; None if it is not part of the value.
    """
    number = frame.f_lineno - 1
    statement: Statement = frame.f_globals[_STATEMENTS][number]
    places = frame.f_code.co_positions()
    _, _, start, end = next(islice(places, frame.f_lasti // 2, None))
    code = frame.f_globals[_LINES][number].encode()[start:end].decode()
    parts = (part for part in ast.walk(statement.value.tree) if isinstance(part, ast.expr))
    return statement, next((part for part in parts if _code(Expression.of(part)) == code), None)


def _code(expression: Expression) -> str:
    return ast.unparse(_Emit().emit(expression))


class _Emit(ast.NodeTransformer):
    """Rewrite a Brian2 expression as Python on arrays, node by node from a whitelist."""

    _AS_IS = (
        ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Add, ast.Sub, ast.Mult,
        ast.Div, ast.Pow, ast.USub, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
    )  # fmt: skip

    def emit(self, expression: Expression) -> ast.AST:
        body = expression.tree
        condition = isinstance(body, ast.Constant) and isinstance(body.value, bool)
        return body if condition else self._array(body)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, self._AS_IS):
            raise TypeError(f"{type(node).__name__} is not part of Brian2's expressions")
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, bool | int | float):
            raise TypeError(f"{node.value!r} is not a number")
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise TypeError(f"{ast.unparse(node)} is not a call of a function")
        return _call(node.func.id, *map(self._array, node.args))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        name = "and" if isinstance(node.op, ast.And) else "or"
        first, *rest = map(self._array, node.values)
        for value in rest:
            first = _call(name, first, value)
        return first

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) in OPERATORS:
            return _call(OPERATORS[type(node.op)], *map(self._array, (node.left, node.right)))
        function = power(node)
        if function is not None:
            return _call(function, self._array(node.left))
        # Python raises an error for 1/0; arrays give infinity, which a refractory neuron ignores.
        if isinstance(node.op, ast.Div | ast.Pow) and not names_in(node):
            return _Numbers().generic_visit(node)
        if isinstance(node.op, ast.Div):
            # PyTorch multiplies a Python number by the rounded reciprocal.
            return ast.BinOp(self._array(node.left), node.op, self.visit(node.right))  # type: ignore[arg-type]
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not):
            return _call("not", self._array(node.operand))
        if isinstance(node.op, ast.UAdd):
            return self.visit(node.operand)  # type: ignore[no-any-return]
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1:
            raise TypeError(f"{ast.unparse(node)} chains comparisons")
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return ast.Compare(left, [self.visit(node.ops[0])], [right])

    def _array(self, node: ast.AST) -> ast.AST:
        """Emit an argument of a function of arrays: PyTorch's take no Python numbers."""
        named = any(isinstance(part, ast.Name) for part in ast.walk(node))
        return (self if named else _Numbers()).visit(node)  # type: ignore[no-any-return]


class _Numbers(_Emit):
    """Rewrite an expression without names."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _call("number", super().visit_Constant(node))


def _call(name: str, *arguments: ast.AST) -> ast.AST:
    function = ast.Subscript(ast.Name("_fn", ast.Load()), ast.Constant(name), ast.Load())
    return ast.Call(function, list(arguments), [])  # type: ignore[arg-type]
