"""Operators and functions of expressions: which of them give the same bits on every target.

A result is the same to the last bit where IEEE 754 fixes it (``+``, ``sqrt``), or where all targets
run one definition of ours (``%``, ``clip``): on arrays `bioae.equations.arrays.functions`, in code
of Brian2 and in C++ `bioae.arithmetic`. The rest comes from a mathematical library.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

#: Functions whose result is the same everywhere.
EXACT = frozenset({"abs", "ceil", "clip", "floor", "int", "sign", "sqrt", "timestep"})

#: Operators that arrays and Brian2's targets compute by a function of this name.
OPERATORS: Mapping[type[ast.operator], str] = {ast.Mod: "mod", ast.FloorDiv: "floordiv"}

#: The functions of those powers that are the same everywhere, by their exponents.
POWERS: Mapping[float, str] = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}

#: The result of `int` for NaN and for what 32 bits cannot hold.
LEAST_INTEGER = -(2**31)


def power(node: ast.BinOp) -> str | None:
    """Return the function that computes a power exactly, or None if it depends on the library."""
    if not isinstance(node.op, ast.Pow):
        return None
    match node.right:
        case ast.Constant(value=int() | float() as exponent):
            return POWERS.get(exponent)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as exponent)):
            return POWERS.get(-exponent)
    return None


def inexact(node: ast.AST) -> str | None:
    """Return the name of a node's operation if its last bit depends on the library."""
    match node:
        case ast.BinOp(op=ast.Pow()):
            return None if power(node) else "**"
        case ast.Call(func=ast.Name(id=function)) if function not in EXACT:
            return function
    return None
