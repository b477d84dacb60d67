"""Brian2 functions whose implementation for each target is ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from brian2 import Function


def brian2_function(
    name: str,
    arguments: Sequence[tuple[str, str]],
    in_numpy: Callable[..., Any],
    source: str,
    header: str,
    *,
    arg_type: Literal["any", "integer"],
    return_type: Literal["float", "integer"] = "float",
) -> Function:
    """Return a function without units, for numpy, Cython, C++ and CUDA.

    The arguments are their types in Cython and their names. A `header` defines the function for
    CUDA.
    """
    function = Function(
        in_numpy,
        arg_units=[None] * len(arguments),
        arg_types=[arg_type] * len(arguments),
        return_unit=1,
        return_type=return_type,
    )
    function.implementations.add_implementation("numpy", in_numpy)
    function.implementations.add_implementation("cpp", source, name=name)
    headers = {"headers": [f'"{header}"']}
    function.implementations.add_implementation("cuda", "", name=name, compiler_kwds=headers)
    result = "double" if return_type == "float" else "int"
    listed = ", ".join(f"{kind} {argument}" for kind, argument in arguments)
    indented = "\n".join(f"    {line}" for line in source.splitlines())
    function.implementations.add_implementation(
        "cython",
        f'cdef extern from *:\n    """\n{indented}\n    """\n    {result} {name}({listed}) nogil\n',
        name=name,
    )
    return function


def for_cuda(source: str) -> str:
    """Return C++ source for both the host and the GPU."""
    return source.replace("static inline", "static inline __host__ __device__")
