"""The expressions and statements that a model may contain: parsed, and nothing else let through."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import NamedTuple

from bioae.equations.arrays.functions import RANDOM, SUPPORTED
from bioae.errors import InputError, ModelError

__all__ = [
    "Assignment",
    "check_names",
    "is_condition",
    "names_in",
    "parse_assignments",
    "parse_expression",
    "parse_statements",
]

_GRAMMAR = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Name,
)  # fmt: skip

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.USub, ast.UAdd,
    ast.Not, ast.And, ast.Or, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip

_EXPECTED = "numbers, names, + - * / // % **, comparisons, and, or, not, functions"
_DEEPEST = 200


def parse_expression(
    text: str, *, where: str, random: bool = False, error: type[InputError] = ModelError
) -> ast.expr:
    """Parse a Brian2 expression.

    Parameters
    ----------
    text
        The expression; lines are joined.
    where
        The file and key, named in errors.
    random
        Whether it may draw random numbers.
    error
        The class of error to raise.

    Raises
    ------
    InputError
        (or `error`) If it is no expression, or contains what Brian2's expressions do not.
    """
    try:
        body = ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise error(
            "this is not a Brian2 expression",
            where=where,
            expected='for instance "20*ms" or "v > theta"',
            found=_quoted(text),
        ) from None
    _Grammar(where, error, random).check(body)
    return body


class Assignment(NamedTuple):
    """A statement of a model.

    Attributes
    ----------
    target, value
        What it assigns; ``v += w`` is written out as ``v = v + w``.
    augmented
        Whether it was.
    """

    target: str
    value: ast.expr
    augmented: bool


def parse_statements(code: str, *, where: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield the targets and values of assignments: see `parse_assignments`."""
    for target, value, _ in parse_assignments(code, where=where):
        yield target, value


def parse_assignments(code: str, *, where: str) -> Iterator[Assignment]:
    """Yield the assignments that code consists of.

    Parameters
    ----------
    code
        Assignments, separated by ends of lines or semicolons; a line's indentation is ignored.
    where
        The file and key, named in errors.

    Raises
    ------
    ModelError
        If something else than an assignment to one name stands there.
    """
    lines = [line.strip() for line in code.splitlines()]
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        raise _no_assignment(lines[line - 1] if line <= len(lines) else code, where) from None
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                pass
            case ast.AugAssign(target=ast.Name(id=target), op=op, value=added):
                value = ast.BinOp(ast.Name(target, ast.Load()), op, added)
            case _:
                raise _no_assignment(ast.unparse(node), where)
        _Grammar(where, ModelError, random=True).check(value)
        yield Assignment(target, value, isinstance(node, ast.AugAssign))


def check_names(
    node: ast.expr,
    known: Collection[str],
    *,
    where: str,
    shown: Collection[str] = (),
    error: type[InputError] = ModelError,
) -> None:
    """Refuse an expression that names what is not known.

    Parameters
    ----------
    node
        The expression.
    known
        The names that it may contain.
    where
        The file and key, named in errors.
    shown
        Those of them that an error lists; all of them by default.
    error
        The class of error to raise.

    Raises
    ------
    InputError
        (or `error`) If another name stands there.
    """
    for name in sorted(names_in(node) - set(known)):
        close = get_close_matches(name, shown or known, n=1)
        raise error(
            f"unknown name {name!r}",
            where=where,
            expected=f"one of {', '.join(sorted(shown or known))}",
            mend=f"Did you mean {close[0]!r}?" if close else None,
        )


def is_condition(node: ast.AST) -> bool:
    """Return whether an expression is true or false by its form, whatever its names stand for."""
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Constant(value=bool()):
            return True
    return False


def names_in(code: str | ast.AST) -> set[str]:
    """Return the variables that an expression names; functions are not among them."""
    nodes = list(ast.walk(ast.parse(code, mode="eval") if isinstance(code, str) else code))
    functions = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in functions}


class _Grammar:
    """Refuses what Brian2's expressions do not contain, or bioae does not support."""

    def __init__(self, where: str, error: type[InputError], random: bool) -> None:
        self._where = where
        self._error = error
        self._functions = {**SUPPORTED, **(dict.fromkeys(RANDOM, 0) if random else {})}

    def check(self, node: ast.AST, depth: int = 0) -> None:
        if depth > _DEEPEST:
            raise self._error("the expression is nested too deeply", where=self._where)
        match node:
            case ast.Call():
                self._check_call(node)
                children: list[ast.expr] = node.args
            case ast.Compare(ops=[_, _, *_]):
                raise self._refusal("comparisons cannot be chained", node, mend="Use `and`")
            case ast.Constant(value=bool() | int() | float()):
                return
            case _ if isinstance(node, _GRAMMAR) and _is_known(node):
                children = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
            case _:
                what = "this is not part of Brian2's expressions"
                raise self._refusal(what, node, expected=_EXPECTED)
        for child in children:
            self.check(child, depth + 1)

    def _check_call(self, node: ast.Call) -> None:
        name = ast.unparse(node.func)
        if name in RANDOM and name not in self._functions:
            raise self._refusal("this cannot be random", node)
        if name not in self._functions:
            expected = f"one of {', '.join(sorted(self._functions))}"
            raise self._refusal("this function is not supported", node.func, expected=expected)
        count = self._functions[name]
        if len(node.args) != count or node.keywords:
            arguments = f"{count or 'no'} argument{'s' if count != 1 else ''}"
            raise self._refusal(f"{name}() takes {arguments}", node)

    def _refusal(
        self, what: str, node: ast.AST, *, expected: str | None = None, mend: str | None = None
    ) -> InputError:
        found = _quoted(ast.unparse(node))
        return self._error(what, where=self._where, expected=expected, found=found, mend=mend)


def _is_known(node: ast.AST) -> bool:
    others = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr)]
    return all(isinstance(other, (*_OPERATORS, ast.Load)) for other in others)


def _no_assignment(found: str, where: str) -> ModelError:
    return ModelError(
        "this is not an assignment",
        where=where,
        expected='for instance "v = 0" or "a += 1"',
        found=_quoted(found),
    )


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
