"""Gradients of statements that some neurons skip.

A reset is computed for all neurons, and written for those that fired. For the others it may be
undefined, as ``sqrt(v - 1)`` is below 1: its derivative is NaN then, and so is 0 times it. Such
statements read their variables through ``taken``, which passes no gradient to a neuron that skips
them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from bioae.equations.expressions import Expression
from bioae.equations.grammar import names_in
from bioae.equations.program import DUE, Event, Program, Statement, Statements

__all__ = ["as_written", "may_be_undefined", "with_skipped"]

_TAKEN = "taken"

#: Functions that are not defined, or have no finite derivative, for all numbers.
_PARTIAL = frozenset({"sqrt", "log", "log10", "log1p", "arcsin", "arccos"})


def with_skipped(program: Program) -> Program:
    """Return a program without gradients to neurons that skip a statement.

    Programs whose conditional statements are defined everywhere are returned as they are.
    """
    guarded, where = partial(_guarded, program), partial(_where, program)
    due = guarded if program.due is None else where(DUE)
    return replace(
        program,
        prepare=guarded(program.prepare),
        regularly=due(program.regularly),
        update=guarded(program.update),
        receive=guarded(program.receive),
        on_spike=where("_fired")(program.on_spike),
        reset=where("_fired")(program.reset),
        events={
            name: replace(event, statements=where(Event.happened(name))(event.statements))
            for name, event in program.events.items()
        },
    )


def may_be_undefined(statement: Statement) -> bool:
    """Return whether a statement of such a program may be undefined where it is skipped."""
    return any(_is_taken(node) for node in ast.walk(statement.value.tree))


def as_written(expression: Expression) -> Expression:
    """Return an expression of such a program as the model has it."""
    return expression.rewritten(_Plain())


def _where(program: Program, condition: str) -> Callable[[Statements], Statements]:
    """Return what rewrites statements all of which run under one condition."""
    return lambda statements: _rewritten(program, statements, condition, {*statements})


def _guarded(program: Program, statements: Statements) -> Statements:
    """Rewrite the statements that refractory neurons skip.

    A temporary variable is skipped where all that read it are.
    """
    skipped: set[Statement] = set()
    read: dict[str, bool] = {}
    for statement in reversed(statements):
        kept = statement.target in program.states
        skip = statement.guarded if kept else read.get(statement.target, False)
        read |= {name: read.get(name, True) and skip for name in statement.value.names}
        skipped |= {statement} if skip else set()
    return _rewritten(program, statements, "not_refractory", skipped)


def _rewritten(
    program: Program, statements: Statements, condition: str, skipped: Collection[Statement]
) -> Statements:
    constant = {*program.parameters, *program.constants, "dt"}
    if not any(_is_partial(each.value, constant) for each in skipped):
        return statements
    # A condition has no gradient.
    numbers = _Taken(
        condition, {name for name, state in program.states.items() if state.dtype != "float"}
    )
    return tuple(
        replace(each, value=each.value.rewritten(numbers)) if each in skipped else each
        for each in statements
    )


def _is_partial(expression: Expression, constant: Collection[str]) -> bool:
    def varies(node: ast.expr) -> bool:
        return not set(names_in(node)) <= {*constant}

    for node in ast.walk(expression.tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                found = name in _PARTIAL and varies(argument)
            case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=divisor):
                found = varies(divisor)
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int())):
                found = False
            case ast.BinOp(op=ast.Pow()):
                found = varies(node)
            case _:
                found = False
        if found:
            return True
    return False


def _is_taken(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return name == _TAKEN
    return False


class _Taken(ast.NodeTransformer):
    """Read the variables of an expression through ``taken``."""

    def __init__(self, condition: str, plain: Collection[str]) -> None:
        self._condition = condition
        self._plain = {condition, *plain}

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._plain:
            return node
        return ast.Call(
            ast.Name(_TAKEN, ast.Load()), [ast.Name(self._condition, ast.Load()), node], []
        )

    def visit_Call(self, node: ast.Call) -> ast.expr:
        # The function's name is not a variable.
        node.args = [self.visit(argument) for argument in node.args]
        return node


class _Plain(ast.NodeTransformer):
    """Undo `_Taken`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return node.args[1] if _is_taken(node) else self.generic_visit(node)
