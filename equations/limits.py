"""Limits of text that strangers write: its length, depth and size when expanded, its numbers.

Brian2 and SymPy evaluate constants exactly and multiply sums out, so that a short text such as
``9**9**9`` or ``(a + b + c)**500`` would take all time and memory. A text within these limits does
not. They are checked on the syntax tree, before anything is evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

#: The characters of one text, and of one name.
LONGEST_TEXT = 20_000
LONGEST_NAME = 100

#: The entries of a table, such as a model's parameters, and the statements of a block.
MOST_NAMES = 200

#: The equations of a model.
MOST_EQUATIONS = 100

#: The custom events of a model.
MOST_EVENTS = 20

#: The largest constant or value of a timed array, in base units: it fits 32 bits.
LARGEST_VALUE = 3e38

#: The values of a timed array.
MOST_VALUES = 100_000

#: The values of all timed arrays of a model, which every artefact holds as text.
MOST_VALUES_IN_ALL = 200_000

#: The operations within one another.
DEEPEST = 60

_LARGEST_EXPONENT = 100
_MOST_PARTS = 2_000
_MOST_TERMS = 1_000
_MOST_WORK = 20_000

#: The names of numbers that Brian2 evaluates.
_NUMBERS = {"pi": math.pi, "e": math.e}

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.And: lambda *values: all(values), ast.Or: lambda *values: any(values),
}  # fmt: skip

_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs, "arccos": math.acos, "arcsin": math.asin, "arctan": math.atan, "ceil": math.ceil,
    "clip": lambda value, low, high: min(max(value, low), high), "cos": math.cos,
    "cosh": math.cosh, "exp": math.exp, "expm1": math.expm1,
    "exprel": lambda value: math.expm1(value) / value if value else 1.0,
    "floor": math.floor, "int": int, "log": math.log, "log10": math.log10, "log1p": math.log1p,
    "sign": lambda value: math.copysign(1.0, value) if value else 0.0, "sin": math.sin,
    "sinh": math.sinh, "sqrt": math.sqrt, "tan": math.tan, "tanh": math.tanh,
    "timestep": lambda time, dt: int((time + 1e-3 * dt) / dt),
}  # fmt: skip


class Size(NamedTuple):
    """The size of an expression.

    Attributes
    ----------
    parts
        The operations and names, with those of subexpressions in place of their names.
    terms
        The terms of the sum that remains when all products and powers are multiplied out.
    work
        The visits of a check of units: Brian2 visits a function's arguments up to four times.
    value
        The value of a constant.
    """

    parts: int = 1
    terms: int = 1
    work: int = 1
    value: float | None = None


def measured(node: ast.AST, operands: list[Size], named: Mapping[str, Size] | None = None) -> Size:
    """Return the size of an expression from those of its operands.

    Parameters
    ----------
    operands
        The sizes of its operands.
    named
        The sizes of subexpressions, by name.

    Raises
    ------
    ValueError
        If it is too large, divides by 0, or is a constant that is not a finite real number.
    """
    parts = 1 + sum(each.parts for each in operands)
    work = 1 + sum(each.work for each in operands) * (4 if isinstance(node, ast.Call) else 1)
    size = Size(parts, _terms(node, operands), work, _value(node, operands))
    if isinstance(node, ast.Name):
        size = (named or {}).get(node.id, size)._replace(work=1)
    if size.parts > _MOST_PARTS:
        raise ValueError("the expression is too long, with all subexpressions put in")
    if size.terms > _MOST_TERMS:
        raise ValueError("the expression is too long, with all products multiplied out")
    if size.work > _MOST_WORK:
        raise ValueError("functions are nested too deeply")
    return size


def _terms(node: ast.AST, operands: list[Size]) -> int:
    counts = [each.terms for each in operands]
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            return sum(counts)
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return math.prod(counts)
        case ast.BinOp(op=ast.Pow()):
            base, exponent = operands
            power = exponent.value
            if base.value is not None or power is None:
                return 1
            if abs(power) > _LARGEST_EXPONENT:
                raise ValueError(f"an exponent is larger than {_LARGEST_EXPONENT}")
            return math.comb(math.ceil(abs(power)) + base.terms - 1, base.terms - 1)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return counts[0]
    return 1


def _value(node: ast.AST, operands: list[Size]) -> float | None:
    values = [each.value for each in operands]
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return _computed(lambda: number, [])
        case ast.Name(id=name):
            return _NUMBERS.get(name)
        case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod()) if values[1] == 0:
            raise ValueError("a division by 0 has no value")
        case ast.BinOp(op=op) | ast.UnaryOp(op=op) | ast.BoolOp(op=op) | ast.Compare(ops=[op]):
            function = _OPERATORS.get(type(op))
        case ast.Call(func=ast.Name(id=name)):
            function = _FUNCTIONS.get(name)
        case _:
            return None
    constants = [value for value in values if value is not None]
    if function is None or len(constants) < len(values):
        return None
    return _computed(function, constants)


def _computed(function: Callable[..., Any], values: list[float]) -> float:
    try:
        value = function(*values)
        finite = not isinstance(value, complex) and math.isfinite(value)
        number = float(value) if finite else math.nan
    except (ArithmeticError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise ValueError("a constant has no value that is a finite real number")
    return number
