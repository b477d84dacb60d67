"""Brian2's functions on arrays of any library that speaks NumPy's names: NumPy itself, PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

__all__ = ["EXTREMES", "RANDOM", "SUPPORTED", "array_functions"]

_SAME_NAME = (
    "abs", "arccos", "arcsin", "arctan", "ceil", "clip", "cos", "cosh", "exp", "expm1", "floor",
    "log", "log10", "log1p", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
)  # fmt: skip

#: Brian2's functions that statements may use, with how many arguments each takes.
SUPPORTED: Mapping[str, int] = {
    **dict.fromkeys((*_SAME_NAME, "exprel", "int"), 1),
    "clip": 3,
    "timestep": 2,
}

#: Functions that Brian2 lacks: of distances to threshold alone, which it never sees.
EXTREMES = ("minimum", "maximum")

#: Brian2's functions that draw random numbers.
RANDOM = frozenset({"rand", "randn"})


def array_functions(xp: Any, dtype: Any = None) -> Mapping[str, Callable[..., Any]]:
    """Return what Brian2's functions and Python's operators become on arrays.

    Parameters
    ----------
    xp
        A module of array functions with NumPy's names: `numpy` or `torch`.
    dtype
        What ``int`` makes of a condition, and what a number is; float64 by default. It must be that
        of the arrays: PyTorch's default would quietly lower the precision of all that it meets.

    Returns
    -------
    Mapping
        Brian2's functions by their names, and ``and``, ``or``, ``not``, ``select`` and ``number``,
        which makes an array of a Python number.
    """
    dtype = xp.float64 if dtype is None else dtype
    return {
        **{name: getattr(xp, name) for name in (*_SAME_NAME, *EXTREMES)},
        "exprel": partial(_exprel, xp),
        "int": partial(_int, xp, dtype),
        "timestep": partial(_timestep, xp),
        "and": xp.logical_and,
        "or": xp.logical_or,
        "not": xp.logical_not,
        "select": xp.where,
        "number": partial(xp.asarray, dtype=dtype),
    }


def _int(xp: Any, dtype: Any, value: Any) -> Any:
    # Integers are kept as floats: exact below 2**53, and nothing here divides integers.
    if value.dtype != xp.bool:
        return xp.trunc(value)
    return xp.where(value, xp.asarray(1.0, dtype=dtype), xp.asarray(0.0, dtype=dtype))


def _timestep(xp: Any, time: Any, dt: Any) -> Any:
    return xp.trunc((time + 1e-3 * dt) / dt)


def _exprel(xp: Any, value: Any) -> Any:
    # The branch that is not taken must stay finite: its derivative reaches the gradient too.
    small = xp.abs(value) < 1e-16
    safe = xp.where(small, xp.ones_like(value), value)
    return xp.where(small, xp.ones_like(value), xp.expm1(safe) / safe)
