"""Brian2's functions on arrays of any library that follows NumPy's names: NumPy itself, PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.timed import Timed
from bioae.equations.grammar import EXTREMES, SUPPORTED
from bioae.equations.operators import LEAST_INTEGER, POWERS


def array_functions(xp: Any, dtype: Any = None) -> Mapping[str, Callable[..., Any]]:
    """Return Brian2's functions and Python's operators as functions of arrays.

    `xp`: a module of array functions with NumPy's names: `numpy` or `torch`.
    `dtype`: the type of numbers, and of ``int`` of a condition; float64 by default. It must be that
        of the arrays: PyTorch's default would silently lower their precision.

    Returns Brian2's functions by their names; ``mod``, ``floordiv``, ``square`` and ``reciprocal``,
    see `bioae.equations.operators`; ``and``, ``or``, ``not``, ``select``; ``number``, which makes
    an array of a Python number; and ``lookup``, the value of a timed array at a time.
    """
    dtype = xp.float64 if dtype is None else dtype
    ours = {
        "clip": partial(_clip, xp), "exprel": partial(_exprel, xp),
        "int": partial(_int, xp, dtype, xp.asarray(True).dtype), "sign": partial(_sign, xp),
        "timestep": partial(_timestep, xp),
    }  # fmt: skip
    return {
        **{name: getattr(xp, name) for name in (*SUPPORTED, *EXTREMES) if name not in ours}, **ours,
        **{name: getattr(xp, name) for name in POWERS.values()}, "mod": xp.remainder,
        "floordiv": xp.floor_divide, "and": xp.logical_and, "or": xp.logical_or,
        "not": xp.logical_not, "select": xp.where, "number": partial(xp.asarray, dtype=dtype),
        "lookup": _lookup,
    }  # fmt: skip


def rounded(values: NDArray[Any], bits: int) -> NDArray[np.float64]:
    """Round numbers to multiples of ``2**-bits``, ties to even: sums are exact in any order."""
    grid = 2.0**bits
    result: NDArray[np.float64] = np.rint(values.astype(np.float64) * grid) / grid
    return result


# `bioae/templates/arithmetic.h` says the same in C++.


def _int(xp: Any, dtype: Any, truth: Any, value: Any) -> Any:
    # Integers are kept as floats: exact below 2**53, and stored in 32 bits.
    if value.dtype == truth:
        return xp.where(value, xp.asarray(1.0, dtype=dtype), xp.asarray(0.0, dtype=dtype))
    whole = xp.trunc(value) + 0.0  # an integer has no negative zero
    fits = xp.logical_and(whole >= LEAST_INTEGER, whole < -LEAST_INTEGER)
    return xp.where(fits, whole, float(LEAST_INTEGER))


def _clip(xp: Any, value: Any, low: Any, high: Any) -> Any:
    # Libraries differ in the sign of a zero that equals a bound.
    return xp.clip(value, low, high) + 0.0


def _sign(xp: Any, value: Any) -> Any:
    return xp.where(value == value, xp.sign(value), value)  # noqa: PLR0124 - NaN stays NaN


def _timestep(xp: Any, time: Any, dt: Any) -> Any:
    return xp.trunc((time + 1e-3 * dt) / dt)


def _lookup(name: str, timed: Timed, time: Any, dt: Any) -> Any:  # noqa: ARG001
    """Return the values of a timed array at some times, as an array of the same library."""
    tensor = hasattr(time, "detach")
    clock = np.asarray(time.detach().cpu() if tensor else time)
    values = timed.at(np.floor(clock / float(dt) + 0.5), float(dt))
    return time.new_tensor(values) if tensor else values


def _exprel(xp: Any, value: Any) -> Any:
    safe = xp.where(xp.abs(value) < 1e-16, 1e-16, value)
    # expm1(inf)/inf is NaN; from 710 on, expm1(x)/x is infinite by itself.
    return xp.where(value > 717, float("inf"), xp.expm1(safe) / safe)
