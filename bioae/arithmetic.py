"""Arithmetic of neuron models with the same bits on every target of Brian2.

Brian2 leaves some operators and functions to the language of the target: ``n/3`` of an integer is
computed in 32 bits in C++, ``%`` and ``//`` by rounded quotients, and ``clip`` and ``sign`` differ
for NaN and crossed bounds. `rendered` replaces these by functions of ours, which
`brian2_arithmetic` defines for numpy, Cython, C++ and CUDA. The definition on arrays is
`bioae.equations.arrays.functions`; that in C++, which the compiled mirror uses too, is
``templates/arithmetic.h``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from brian2 import Function

from bioae.brian2_functions import brian2_function, for_cuda
from bioae.equations.arrays.functions import array_functions
from bioae.equations.expressions import Expression, Statement
from bioae.equations.operators import OPERATORS, power

#: C++ computes with integers above it as with floats of 32 bits, which cannot hold them.
_LARGEST_FLOAT32_INTEGER = 2**24

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
    **dict.fromkeys(("divide", "floordiv", "maximum", "minimum", "mod"), ("a", "b")),
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
    """Return the C++ source, with a type of numbers."""
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


def rendered(expression: Expression, integers: Collection[str]) -> Expression:
    """Return an expression as Brian2 shall compute it.

    Arithmetic converts the variables that Brian2 stores as `integers` to numbers first.
    """
    return expression.rewritten(_Render(integers))


def rendered_statement(
    statement: Statement, integers: Collection[str], numbers: Collection[str] = ()
) -> Statement:
    """Return a statement with its value as Brian2 shall compute it, see `rendered`.

    `numbers` are the variables of numbers that statements change in place.
    """
    tree = rendered(statement.value, integers).tree
    match tree:
        case ast.Call(func=ast.Name(id="bioae_int") as function) if statement.target in integers:
            function.id = "bioae_integer"  # Cython stores no other number in an integer
        case ast.Name(id=name) if name in numbers:
            tree = _call("number", tree)  # NumPy would give one array two names
        case ast.Constant(value=int()) | ast.UnaryOp(operand=ast.Constant(value=int())) if (
            statement.target not in {*integers, *numbers}
        ):
            tree = _call("number", tree)  # C++ would declare an integer
    return replace(statement, value=Expression.of(tree))


class _Render(ast.NodeTransformer):
    def __init__(self, integers: Collection[str]) -> None:
        self._integers = integers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _call("number", node) if node.id in self._integers else node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        match node.value:
            case int() as value if value > _LARGEST_FLOAT32_INTEGER:
                return ast.Constant(float(value))
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        # Not the function's name, which is no variable.
        arguments = [self.visit(argument) for argument in node.args]
        name = ast.unparse(node.func)
        if f"{PREFIX}{name}" in brian2_arithmetic():
            return _call(name, *arguments)
        return ast.Call(node.func, arguments, [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        match power(node):
            case "square":
                return _call("square", left)
            case "sqrt":
                return ast.Call(ast.Name("sqrt", ast.Load()), [left], [])
            case "reciprocal":
                return _call("divide", ast.Constant(1), left)
        if isinstance(node.op, ast.Div):
            # Cython would raise an error for 1/0.
            return _call("divide", left, right)
        if type(node.op) in OPERATORS:
            return _call(OPERATORS[type(node.op)], left, right)
        return ast.BinOp(left, node.op, right)


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(f"{PREFIX}{name}", ast.Load()), [*arguments], [])
