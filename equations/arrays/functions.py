"""Brian2's functions on arrays of any library that follows NumPy's names: NumPy itself, PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from bioae.equations.expressions import EXTREMES, SUPPORTED

__all__ = ["array_functions"]


def array_functions(xp: Any, dtype: Any = None) -> Mapping[str, Callable[..., Any]]:
    """Return Brian2's functions and Python's operators as functions of arrays.

    Parameters
    ----------
    xp
        A module of array functions with NumPy's names: `numpy` or `torch`.
    dtype
        The type of numbers, and of ``int`` of a condition; float64 by default. It must be that of
        the arrays: PyTorch's default would silently lower their precision.

    Returns
    -------
    Mapping
        Brian2's functions by their names, and ``and``, ``or``, ``not``, ``select`` and ``number``,
        which makes an array of a Python number.
    """
    dtype = xp.float64 if dtype is None else dtype
    ours = {
        "exprel": partial(_exprel, xp),
        "int": partial(_int, xp, dtype),
        "timestep": partial(_timestep, xp),
    }
    return {
        **{name: getattr(xp, name) for name in (*SUPPORTED, *EXTREMES) if name not in ours},
        **ours,
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
