"""Evaluate a Brian2 expression of constants, such as ``"0.4*nA"``, without executing it as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
from brian2.core.namespace import DEFAULT_UNITS
from brian2.units.fundamentalunits import (
    DimensionMismatchError,
    Quantity,
    get_dimensions,
    get_unit,
    have_same_dimensions,
)

from bioae.errors import InputError

__all__ = ["constants", "evaluate", "time_in_seconds", "unit_name"]

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_STATEFUL = {"rand", "randn", "poisson", "timestep"}


@cache
def constants() -> Mapping[str, Any]:
    """Return the units and constants that Brian2 expressions may name, with their values."""
    values = {name: constant.value for name, constant in DEFAULT_CONSTANTS.items()}
    return {**DEFAULT_UNITS, **values}


def evaluate(
    expression: str,
    names: Mapping[str, Any] | None = None,
    *,
    dimensions_of: Any = None,
    where: str,
    error: type[InputError] = InputError,
) -> Quantity:
    """Return the value of a constant expression.

    Parameters
    ----------
    expression
        Numbers, units, the given names, ``+ - * / **`` and Brian2's functions.
    names
        What else may be named: parameters, for instance.
    dimensions_of
        A quantity or unit whose dimensions the value must have; any where it is None.
    where
        The file and key, named in errors.
    error
        The class of error to raise.

    Raises
    ------
    InputError
        (or `error`) If the expression is malformed, names something unknown, mixes units, or has
        other dimensions than those asked for.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        raise error(
            "this is not a Brian2 expression",
            where=where,
            expected='for instance "20*ms"',
            found=repr(expression),
        ) from None
    try:
        value = Quantity(_value(tree.body, {**constants(), **(names or {})}))
    except (DimensionMismatchError, KeyError, TypeError, ZeroDivisionError, OverflowError) as reason:
        found = f"unknown name {reason}" if isinstance(reason, KeyError) else str(reason)
        raise error(
            f"the expression {expression!r} cannot be evaluated: {found}", where=where
        ) from reason
    if dimensions_of is not None and not have_same_dimensions(value, dimensions_of):
        raise error(
            f"{expression!r} has the wrong unit",
            where=where,
            expected=unit_name(dimensions_of),
            found=unit_name(value),
        )
    return value


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if (
            name in DEFAULT_FUNCTIONS and name not in _STATEFUL
        ):
            return DEFAULT_FUNCTIONS[name](*(_value(argument, names) for argument in arguments))
    raise TypeError(f"{ast.unparse(node)!r} is not a constant")


def time_in_seconds(expression: str, *, where: str, error: type[InputError] = InputError) -> float:
    """Return a positive time, such as ``"1*ms"``, in seconds.

    Raises
    ------
    InputError
        (or `error`) If the expression is not a positive time.
    """
    value = float(evaluate(expression, dimensions_of=DEFAULT_UNITS["second"], where=where, error=error))
    if not 0 < value < float("inf"):
        raise error(
            "this time does not fit", where=where, expected="a positive time", found=expression
        )
    return value


def unit_name(quantity: Any) -> str:
    """Return the base unit of a quantity or dimension, ``"1"`` where it has none."""
    dimensions = get_dimensions(quantity)
    return "1" if dimensions.is_dimensionless else repr(get_unit(dimensions))
