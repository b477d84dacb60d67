"""Brian2 functions for the arithmetic that differs between its targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from brian2 import Function

from bioae.brian2_functions import brian2_function, for_cuda
from bioae.equations.arrays.functions import array_functions

__all__ = ["CUDA_HEADER", "PREFIX", "brian2_arithmetic", "cpp_source", "cuda_source"]

#: The prefix of the functions' names in Brian2 code and in C++.
PREFIX = "bioae_"

#: A header of CUDA projects.
CUDA_HEADER = "bioae_arithmetic.h"

#: The names of the functions without prefix, and of their arguments.
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            "ceil", "expm1", "exprel", "floor", "int", "integer", "log1p", "number", "sign",
            "square",
        ),
        ("value",),
    ),
    **dict.fromkeys(("divide", "floordiv", "mod"), ("a", "b")),
    "clip": ("value", "low", "high"),
    "timestep": ("time", "dt"),
}  # fmt: skip

_TEMPLATE = Path(__file__).with_name("templates") / "arithmetic.h"


@cache
def brian2_arithmetic() -> Mapping[str, Function]:
    """Return the functions by their names in Brian2 code, for a group's namespace.

    Their arguments are numbers or conditions, and their results floating-point numbers; those of
    ``bioae_integer``, which is `int`, are integers.
    """
    return {
        f"{PREFIX}{name}": brian2_function(
            f"{PREFIX}{name}",
            [("double", argument) for argument in arguments],
            _in_numpy(name),
            cpp_source(),
            CUDA_HEADER,
            arg_type="any",
            return_type="integer" if name == "integer" else "float",
        )
        for name, arguments in _ARGUMENTS.items()
    }


@cache
def cpp_source(real: str = "double") -> str:
    """Return the C++ source.

    Parameters
    ----------
    real
        The type of numbers.
    """
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(real=real)


@cache
def cuda_source() -> str:
    """Return the same source for CUDA."""
    return for_cuda(cpp_source())


def _in_numpy(name: str) -> Callable[..., Any]:
    function = _IN_NUMPY[name] if name in _IN_NUMPY else array_functions(np)[name]

    def apply(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*map(np.asarray, arguments))

    return apply


_IN_NUMPY: Mapping[str, Callable[..., Any]] = {
    # [()] makes one number of an array without axes, which `+=` could not change into several.
    "integer": lambda value: array_functions(np)["int"](value).astype(np.int32)[()],
    "divide": np.true_divide,
    "number": lambda value: value.astype(np.float64)[()],
}
