"""The C++ of single operations and of the surrounding functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bioae.arithmetic import cpp_source
from bioae.trainers.mirror.compiled.build import template
from bioae.trainers.mirror.compiled.graph import Node

_FUNCTIONS = (
    "exp", "expm1", "log", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin",
    "acos", "atan", "sqrt", "floor", "ceil", "trunc", "pow",
)  # fmt: skip

#: The form of each operation, with braces for its arguments.
FORMS = {
    **{name: f"std::{name}({{}})" for name in _FUNCTIONS},
    "pow": "std::pow({}, {})",
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}",
    "lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}", "ge": "{} >= {}", "eq": "{} == {}",
    "ne": "{} != {}", "and": "bool({}) & bool({})", "or": "bool({}) | bool({})",
    "not": "!{}", "abs": "std::fabs({})", "isfinite": "std::fabs({}) <= MOST",
    "sign": "R({0} > 0) - R({0} < 0)", "square": "{0} * {0}", "reciprocal": "R(1) / {}",
    "where": "{} ? {} : {}", "clip": "smaller(larger({}, {}), {})",
    "minimum": "smaller({}, {})", "maximum": "larger({}, {})", "detach": "{}",
    "number": "{} ? R(1) : R(0)", "spike": "{0} ? R(1) : R(0)", "written": "{0} ? {2} : {3}",
    "through": "{1}", "moved": "{0}", "shifted": "R(0)",
    "exprel": "bioae_exprel({})", "exprel_slope": "exprel_slope({})",
    "floordiv": "bioae_floordiv({}, {})", "mod": "bioae_mod({}, {})",
}  # fmt: skip


#: The functions of a step, in the order of the fields of ``Steps`` in ``templates/layer.cpp``.
FUNCTIONS = ("start", "fire", "step", "replay", "arriving", "backward")


def head(real: str) -> str:
    """Return the beginning of the source for a type of numbers."""
    includes = "".join(f"#include <{name}>\n" for name in ("algorithm", "cmath", "limits"))
    functions = template(__package__, "functions.cpp")
    return f"{includes}typedef {real} R;\n{cpp_source('R')}\n{functions}"


def kind_of(node: Node) -> str:
    """Return the type of a node's value."""
    return "R" if node.kind == "number" else "bool"


def declared(node: Node, leaf: Callable[[Node], str], forms: Mapping[str, str] = FORMS) -> str:
    """Return the declaration of a node's value, that of a leaf by a function."""
    if node.operation == "literal":
        return ""
    if node.operation == "leaf":
        value = leaf(node)
    else:
        value = forms[node.operation].format(*map(name_of, node.arguments))
    return f"const {kind_of(node)} {name_of(node)} = {value};"


def name_of(node: Node) -> str:
    """Return the name of a node's value."""
    return f"({node.text})" if node.operation == "literal" else f"v{node.index}"
