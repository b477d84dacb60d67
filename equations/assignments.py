"""Assignments of a model: the statements of resets, events and integration steps.

A refractory neuron skips guarded writes of an integration step. The values that Brian2 computes for
it may be 0/0 (exponential Euler divides by the rate of a leak that is switched off), and its
derivative would still reach the gradient although the value is thrown away: such a neuron counts as
active where that changes nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from bioae.equations.expressions import Expression, check_grammar, quoted
from bioae.errors import ModelError

#: The factor of a derivative that is flagged ``(unless refractory)``, as a dumped syntax tree.
ACTIVE = ast.dump(Expression("int(not_refractory)").tree)


class Assignment(NamedTuple):
    """A statement of a model.

    `target`, `value`: the variable and its new value; ``v += w`` is written out as ``v = v + w``;
    `augmented`: whether it was written as ``v += w``.
    """

    target: str
    value: Expression
    augmented: bool = False


def parse_assignments(code: str, *, where: str) -> Iterator[Assignment]:
    """Yield the assignments of a block of code.

    `code`: assignments, separated by ends of lines or semicolons; a line's indentation is ignored.

    Raises `ModelError` if the code contains anything but assignments to one name each.
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
            case ast.AugAssign(op=ast.Pow() | ast.FloorDiv()):
                symbol = "**" if isinstance(node.op, ast.Pow) else "//"
                raise ModelError(
                    f"Brian2 has no operator `{symbol}=`", where=where,
                    expected=f"x = x {symbol} (...)", found=quoted(ast.unparse(node)),
                )  # fmt: skip
            case ast.AugAssign(target=ast.Name(id=target), op=op, value=added):
                value = ast.BinOp(ast.Name(target, ast.Load()), op, added)
            case _:
                raise _no_assignment(ast.unparse(node), where)
        check_grammar(value, where=where, random=True)
        yield Assignment(target, Expression.of(value), isinstance(node, ast.AugAssign))


class Activity(ast.NodeTransformer):
    """Replace ``int(not_refractory)`` by one of its two values."""

    def __init__(self, value: int) -> None:
        self._value = value

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace a call of ``int(not_refractory)``."""
        if ast.dump(node) == ACTIVE:
            return ast.Constant(self._value)
        return self.generic_visit(node)


class _Active(Activity):
    """Replace ``int(not_refractory)`` by 1, and leave out factors of 1."""

    def __init__(self) -> None:
        super().__init__(1)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.BinOp(left=other, op=ast.Mult(), right=ast.Constant(value=1)):
                return other
            case ast.BinOp(left=ast.Constant(value=1), op=ast.Mult(), right=other):
                return other
        return node


def without_refractory(
    assignments: Iterable[Assignment], guarded: Collection[str], states: Collection[str]
) -> list[Assignment]:
    """Return assignments that treat a neuron as active where only guarded writes use the result.

    `assignments`: the integration step, as Brian2's state updaters make it; `guarded`: the
    variables that are not written while a neuron is refractory; `states`: all variables of the
    model; any other target is temporary.
    """
    result: list[Assignment] = []
    used_elsewhere: set[str] = set()
    for each in reversed([*assignments]):
        if each.target in guarded or each.target not in {*states, *used_elsewhere}:
            result.append(each._replace(value=each.value.rewritten(_Active())))
        else:
            used_elsewhere |= each.value.names
            result.append(each)
    return result[::-1]


def _no_assignment(text: str, where: str) -> ModelError:
    return ModelError(
        "this is not an assignment", where=where, expected='for instance "v = 0" or "a += 1"',
        found=quoted(text),
    )  # fmt: skip
