"""Functions and names with a meaning in a model's expressions, and parts of syntax trees."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_COMMENT = re.compile(r"#.*")

#: Names that every model may use without declaring them.
BUILT_IN = frozenset({"t", "t_in_timesteps", "dt", "i", "N"})

#: The variables that Brian2 gives a model with a refractory period.
REFRACTORINESS = frozenset({"lastspike", "not_refractory"})

#: Names with this prefix belong to bioae inside Brian2 objects; a model may not use them.
RESERVED_PREFIX = "bioae_"

#: Brian2's functions that statements may use, with the number of arguments of each.
SUPPORTED: Mapping[str, int] = {
    **dict.fromkeys(
        (
            "abs", "arccos", "arcsin", "arctan", "ceil", "clip", "cos", "cosh", "exp", "expm1",
            "floor", "log", "log10", "log1p", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
            "exprel", "int",
        ),
        1,
    ),
    "clip": 3,
    "timestep": 2,
}  # fmt: skip

#: Functions that Brian2 lacks; only distances to threshold use them, and Brian2 never sees those.
EXTREMES = ("minimum", "maximum")

#: Brian2's functions that draw random numbers.
RANDOM = frozenset({"rand", "randn"})


def names_in(node: ast.AST) -> set[str]:
    """Return the variables that a syntax tree names; functions are not among them."""
    nodes = list(ast.walk(node))
    functions = {id(part.func) for part in nodes if isinstance(part, ast.Call)}
    return {part.id for part in nodes if isinstance(part, ast.Name) and id(part) not in functions}


def is_condition(node: ast.AST) -> bool:
    """Return whether a syntax tree is true or false by its form, without looking up its names."""
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
    return False


def without_comments(text: str) -> str:
    """Return code without its comments."""
    return _COMMENT.sub("", text)
