"""Grammar of a model's expressions on Python's syntax trees, and the names with a meaning."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TypeVar

__all__ = [
    "BUILT_IN",
    "EXTREMES",
    "RANDOM",
    "REFRACTORINESS",
    "RESERVED_PREFIX",
    "SUPPORTED",
    "RefusedError",
    "check",
    "is_condition",
    "names_in",
]

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

#: What to write instead of functions that Brian2 lacks too.
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("min", "minimum"), "Write clip(a, -inf, b) for the smaller of a and b, inf with its unit"
    ),
    **dict.fromkeys(
        ("max", "maximum"), "Write clip(a, b, inf) for the larger of a and b, inf with its unit"
    ),
}

#: Brian2's functions that draw random numbers.
RANDOM = frozenset({"rand", "randn"})

_NODES = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name,
)  # fmt: skip

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd,
    ast.Not, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

_EXPECTED = "numbers, names, + - * / // % **, comparisons, and, or, not, functions"

_Result = TypeVar("_Result")


class RefusedError(Exception):
    """A part of an expression that the grammar or a limit refuses.

    Attributes
    ----------
    what
        The reason.
    node
        The part; None if it is too large to be shown.
    expected, hint
        As in `bioae.errors.InputError`.
    """

    def __init__(
        self,
        what: str,
        node: ast.AST | None = None,
        *,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what, self.node, self.expected, self.hint = what, node, expected, hint


def check(
    node: ast.AST,
    combine: Callable[[ast.AST, list[_Result]], _Result],
    *,
    random: bool,
    deepest: int,
    depth: int = 0,
) -> _Result:
    """Check that an expression has only constructs that Brian2 and bioae support.

    Parameters
    ----------
    node
        The syntax tree.
    combine
        Returns the result for an operation from those for its operands; or raises `ValueError` with
        the reason why it is refused.
    random
        Whether the expression may draw random numbers.
    deepest, depth
        The largest number of operations within one another, and that of those around `node`.

    Returns
    -------
    object
        The result of `combine` for the whole expression.

    Raises
    ------
    RefusedError
        If it has another construct, is nested too deeply, or `combine` refuses a part.
    """
    if depth > deepest:
        raise RefusedError("the expression is nested too deeply", hint="Name parts of it")
    match node:
        case ast.Call():
            _check_call(node, random=random)
            children: list[ast.expr] = node.args
        case ast.Compare(ops=[_, _, *_]):
            raise RefusedError("comparisons cannot be chained", node, hint="Use `and`")
        case ast.Constant(value=bool() | int() | float()):
            children = []
        case _ if isinstance(node, _NODES) and _is_known(node):
            children = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
        case _:
            what = "this is not part of Brian2's expressions"
            raise RefusedError(what, node, expected=_EXPECTED)
    # Brian2 nests the operands of `and` and `or`, which Python lists.
    depth += max(len(children) - 1, 1)
    operands = [
        check(child, combine, random=random, deepest=deepest, depth=depth) for child in children
    ]
    try:
        return combine(node, operands)
    except ValueError as reason:
        raise RefusedError(str(reason), node) from None


def _check_call(node: ast.Call, *, random: bool) -> None:
    functions = {**SUPPORTED, **(dict.fromkeys(RANDOM, 0) if random else {})}
    name = ast.unparse(node.func)
    if name in RANDOM and name not in functions:
        raise RefusedError("this cannot be random", node)
    if name not in functions:
        expected = f"one of {', '.join(sorted(functions))}"
        what = "this function is not supported"
        raise RefusedError(what, node.func, expected=expected, hint=_INSTEAD.get(name))
    count = functions[name]
    if len(node.args) != count or node.keywords:
        arguments = f"{count or 'no'} argument{'s' if count != 1 else ''}"
        raise RefusedError(f"{name}() takes {arguments}", node)


def _is_known(node: ast.AST) -> bool:
    others = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr)]
    return all(isinstance(other, (*_OPERATORS, ast.Load)) for other in others)


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
