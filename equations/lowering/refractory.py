"""What a refractory neuron would compute and never keep: taken out of the statements of a step."""

from __future__ import annotations

import ast
from collections.abc import Collection

from bioae.equations.syntax import names_in, parse_statements

__all__ = ["ACTIVE", "Activity", "without_refractory"]

#: What Brian2 multiplies a derivative with that is flagged ``(unless refractory)``.
ACTIVE = ast.dump(ast.parse("int(not_refractory)", mode="eval").body)


class Activity(ast.NodeTransformer):
    """Replace ``int(not_refractory)`` by one of its two values."""

    def __init__(self, value: int) -> None:
        self._value = value

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace the call where it is that one."""
        if ast.dump(node) == ACTIVE:
            return ast.Constant(self._value)
        return self.generic_visit(node)


class _Active(Activity):
    """Replace it by 1, and leave out factors that are 1."""

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


def without_refractory(code: str, guarded: Collection[str], states: Collection[str]) -> str:
    """Return statements that take a neuron for active wherever only guarded writes see the result.

    A refractory neuron skips those writes. What Brian2 computes for it may well be 0/0 (exponential
    Euler divides by the rate of a leak that is switched off), and the derivative of what is thrown
    away would still reach the gradient.

    Parameters
    ----------
    code
        Assignments, as Brian2's state updaters make them.
    guarded
        The variables that are not written while a neuron is refractory.
    states
        All variables of the model; any other target is temporary.
    """
    lines: list[str] = []
    read_anyway: set[str] = set()
    for target, value in reversed(list(parse_statements(code, where="the state update"))):
        if target in guarded or (target not in states and target not in read_anyway):
            lines.append(f"{target} = {ast.unparse(_Active().visit(value))}")
        else:
            read_anyway |= names_in(value)
            lines.append(f"{target} = {ast.unparse(value)}")
    return "\n".join(reversed(lines))
