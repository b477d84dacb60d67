"""Assignments of a model: the statements of resets, events and integration steps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from bioae.equations.expressions import Expression, check_length, checked_size, quoted
from bioae.equations.limits import MOST_NAMES
from bioae.errors import ModelError

__all__ = ["Assignment", "parse_assignments"]


class Assignment(NamedTuple):
    """A statement of a model.

    Attributes
    ----------
    target, value
        The variable and its new value; ``v += w`` is written out as ``v = v + w``.
    augmented
        Whether it was written as ``v += w``.
    """

    target: str
    value: Expression
    augmented: bool = False


def parse_assignments(code: str, *, where: str, derived: bool = False) -> Iterator[Assignment]:
    """Yield the assignments of a block of code.

    Parameters
    ----------
    code
        Assignments, separated by ends of lines or semicolons; a line's indentation is ignored.
    where
        The file and key, named in errors.
    derived
        Whether Brian2 derived the code from text that is within the limits.

    Raises
    ------
    ModelError
        If the code contains anything but assignments to one name each, or is beyond a limit.
    """
    if not derived:
        check_length(code, where=where)
    lines = [line.strip() for line in code.splitlines()]
    try:
        body = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        line = getattr(error, "lineno", None) or 1
        raise _no_assignment(lines[line - 1] if line <= len(lines) else code, where) from None
    if len(body) > MOST_NAMES and not derived:
        raise ModelError(
            "there are too many statements",
            where=where,
            expected=f"at most {MOST_NAMES}",
            found=str(len(body)),
        )
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                pass
            case ast.AugAssign(target=ast.Name(id=target), op=op, value=added):
                value = ast.BinOp(ast.Name(target, ast.Load()), op, added)
            case _:
                raise _no_assignment(ast.unparse(node), where)
        checked_size(value, where=where, random=True, derived=derived)
        yield Assignment(target, Expression.of(value), isinstance(node, ast.AugAssign))


def _no_assignment(text: str, where: str) -> ModelError:
    return ModelError(
        "this is not an assignment",
        where=where,
        expected='for instance "v = 0" or "a += 1"',
        found=quoted(text),
    )
