"""From statements to a function on arrays: Python, rebuilt node by node from a whitelist."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bioae.equations.program import Statement
from bioae.equations.syntax import names_in

__all__ = ["Write", "compile_expression", "compile_statements"]

#: Says how a value is written to its target: both as Python code.
Write = Callable[[Statement, str], str]


def compile_statements(
    statements: Sequence[Statement],
    arguments: Sequence[str],
    results: Iterable[str],
    functions: Mapping[str, Callable[..., Any]],
    *,
    write: Write | None = None,
) -> Callable[..., tuple[Any, ...]]:
    """Compile statements to a function on arrays.

    Parameters
    ----------
    statements
        What to run, in order.
    arguments
        The names that the function takes, in order.
    results
        The names whose values it returns, as a tuple.
    functions
        See `bioae.equations.arrays.functions.array_functions`.
    write
        Says how a value is written to its target, as Python code; `functions` are ``_fn[name]``.

    Returns
    -------
    Callable
        Takes arrays, returns a tuple of arrays. Nothing happens in place.
    """
    lines = [f"def step({', '.join(arguments)}):"]
    for statement in statements:
        value = ast.unparse(_Emit().emit(statement.value))
        value = write(statement, f"({value})") if write else value
        lines.append(f"    {statement.target} = {value}")
    lines.append(f"    return ({''.join(f'{name}, ' for name in results)})")
    # PyTorch imports parts of itself at the first use of some operators.
    scope: dict[str, Any] = {"_fn": functions, "__builtins__": {"__import__": __import__}}
    # What is compiled was rebuilt node by node by `_Emit` from a whitelist of expressions.
    exec(compile("\n".join(lines), "<neuron model>", "exec"), scope)
    return scope["step"]  # type: ignore[no-any-return]


def compile_expression(
    text: str, functions: Mapping[str, Callable[..., Any]]
) -> Callable[[Mapping[str, Any]], Any]:
    """Compile an expression to a function of a mapping from names to arrays.

    Parameters
    ----------
    text
        The expression.
    functions
        See `bioae.equations.arrays.functions.array_functions`.
    """
    names = tuple(sorted(names_in(text)))
    function = compile_statements([Statement("_value", text)], names, ["_value"], functions)
    return lambda values: function(*[values[name] for name in names])[0]


class _Emit(ast.NodeTransformer):
    """Rewrite a Brian2 expression as Python on arrays, node by node from a whitelist."""

    _AS_IS = (
        ast.BinOp, ast.UnaryOp, ast.Name, ast.Load, ast.Add, ast.Sub, ast.Mult,
        ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd, ast.Lt, ast.LtE, ast.Gt,
        ast.GtE, ast.Eq, ast.NotEq,
    )  # fmt: skip

    def emit(self, expression: str) -> ast.AST:
        body = ast.parse(expression, mode="eval").body
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

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not):
            return _call("not", self._array(node.operand))
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) != 1:
            raise TypeError(f"{ast.unparse(node)} chains comparisons")
        left, right = self.visit(node.left), self.visit(node.comparators[0])
        return ast.Compare(left, [self.visit(node.ops[0])], [right])

    def _array(self, node: ast.AST) -> ast.AST:
        """Emit what a function of arrays takes: PyTorch's take no Python numbers."""
        if any(isinstance(part, ast.Name) for part in ast.walk(node)):
            return self.visit(node)  # type: ignore[no-any-return]
        return _Numbers().visit(node)  # type: ignore[no-any-return]


class _Numbers(_Emit):
    """The same, for an expression of numbers alone."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _call("number", super().visit_Constant(node))


def _call(name: str, *arguments: ast.AST) -> ast.AST:
    function = ast.parse(f"_fn[{name!r}]", mode="eval").body
    return ast.Call(function, list(arguments), [])  # type: ignore[arg-type]
