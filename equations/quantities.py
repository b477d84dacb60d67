"""Values of constant expressions, such as ``"0.4*nA"``, without executing them as Python."""

from __future__ import annotations

import ast
import cmath
import operator
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import numpy as np
from brian2 import second
from brian2.core.functions import DEFAULT_CONSTANTS, DEFAULT_FUNCTIONS
from brian2.core.namespace import DEFAULT_UNITS
from brian2.units import constants as brian2_constants
from brian2.units.fundamentalunits import Quantity, have_same_dimensions

from bioae.equations.expressions import Expression, check_names, parse_expression
from bioae.equations.limits import LARGEST_VALUE
from bioae.errors import InputError, ModelError
from bioae.unit_text import unit_name as unit_name

#: The shortest and the longest time, in seconds.
SHORTEST, LONGEST = 1e-12, 1e6

#: A time step for checks of a model, which does not know its network's.
SOME_DT = 1.2345e-4 * second

#: Constants in errors, by their unit.
_EXAMPLES = {"second": "20*ms", "hertz": "20*Hz", "volt": "20*mV", "1": "0.5"}

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip


@cache
def constants() -> dict[str, Any]:
    """Return the units and constants that Brian2 expressions may name, with their values."""
    values = {name: constant.value for name, constant in DEFAULT_CONSTANTS.items()}
    return {**DEFAULT_UNITS, **physical_constants(), **values}


@cache
def constant_numbers() -> Mapping[str, float]:
    """Return the values of `constants` in base units."""
    return {name: float(value) for name, value in constants().items()}


def physical_constants(*, besides: Collection[str] = ()) -> Mapping[str, Quantity]:
    """Return the constants of `brian2.units.constants`, such as ``gas_constant``, by name.

    `besides`: names that mean something else here.
    """
    return {
        name: value
        for name, value in vars(brian2_constants).items()
        if name.partition("_")[2] and isinstance(value, Quantity) and name not in besides
    }


def evaluate(
    expression: str | Quantity,
    names: Mapping[str, Any] | None = None,
    *,
    dimensions_of: Any = None,
    where: str,
    error: type[InputError] = InputError,
) -> Quantity:
    """Return the value of a constant expression.

    `expression`: numbers, units, `names`, ``+ - * / // % **`` and Brian2's functions; or a
    quantity; `names`: the values of other names, such as parameters; `dimensions_of`: a quantity or
    unit whose dimensions the value must have; any where it is None.

    Raises `error` if the expression is malformed, names something unknown, mixes units, is not a
    real number, or has the wrong dimensions.
    """
    expression = text_of(expression)
    if not isinstance(expression, str):
        raise error(
            "this is neither text nor a quantity", where=where,
            expected='such as "2*ms", or 2*brian2.ms', found=repr(expression),
        )  # fmt: skip
    unit = "second" if dimensions_of is None else unit_name(dimensions_of)
    example = f'for instance "{_EXAMPLES.get(unit, f"2*{unit}")}"'
    parsed = parse_expression(expression, where=where, error=error, expected=example)
    known = ChainMap(dict(names or {}), constants())
    listed = (*(names or ()), "a unit")
    check_names(parsed, known, where=where, listed=listed, error=error)
    try:
        # No warnings: the checks below refuse NaN.
        with np.errstate(all="ignore"):
            value = Quantity(_value(parsed.tree, known))
    except Exception as reason:  # Brian2's units raise many kinds
        raise error(
            f"the expression {expression!r} has no value", where=where, found=str(reason)
        ) from reason
    if value.ndim or np.iscomplexobj(value) or cmath.isnan(value):
        raise error(f"the expression {expression!r} is not a real number", where=where)
    if dimensions_of is not None and not have_same_dimensions(value, dimensions_of):
        raise error(
            f"{expression!r} has the wrong unit", where=where, expected=unit,
            found=unit_name(value), hint=f"Write {example}",
        )  # fmt: skip
    return value


def finite(text: str, names: Mapping[str, Any], *, where: str) -> Quantity:
    """Return the value of a constant of a model, which is finite in numbers of 32 bits too.

    Raises `ModelError` if it is not, or as `evaluate`.
    """
    value = evaluate(text, names, where=where, error=ModelError)
    if not abs(float(value)) <= LARGEST_VALUE:
        raise ModelError(
            "the value must be finite", where=where,
            expected=f"at most {LARGEST_VALUE:.1g} in base units, which fits 32 bits", found=text,
        )  # fmt: skip
    return value


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            # Powers of Python's integers grow without bounds.
            return float(value)
        case ast.Name(id=name):
            return names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, names)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left, names), _value(right, names))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return DEFAULT_FUNCTIONS[name](*(_value(argument, names) for argument in arguments))
    raise TypeError(f"{Expression.of(node).text!r} is not a constant")


def text_of(value: Any) -> Any:
    """Return one quantity as text in base units; return anything else unchanged."""
    if not isinstance(value, Quantity) or value.ndim:
        return value
    unit = unit_name(value)
    return repr(float(value)) if unit == "1" else f"{float(value)!r}*({unit})"


def time_in_seconds(
    expression: str | Quantity, *, where: str, error: type[InputError] = InputError
) -> float:
    """Return a positive time, such as ``"1*ms"``, in seconds.

    Raises `error` if the expression is not a time from a picosecond to a million seconds.
    """
    second = DEFAULT_UNITS["second"]
    value = float(evaluate(expression, dimensions_of=second, where=where, error=error))
    if not SHORTEST <= value <= LONGEST:
        raise error(
            "this time does not fit", where=where,
            expected=f"a positive time ({SHORTEST:g} to {LONGEST:g} seconds)",
            found=str(expression),
        )  # fmt: skip
    return value
