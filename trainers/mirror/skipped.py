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
from bioae.equations.model import RESERVED_PREFIX
from bioae.equations.program import DUE, Event, Program, Statement, Statements

__all__ = ["TAKEN", "may_be_undefined", "with_skipped"]

#: The names of variables without their gradient for neurons that skip a statement begin so.
TAKEN = f"{RESERVED_PREFIX}taken_"

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
    return any(name.startswith(TAKEN) for name in statement.value.names)


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
    plain = {name for name, state in program.states.items() if state.dtype != "float"}
    rewritten: list[Statement] = []
    taken: set[str] = set()
    for each in statements:
        names = each.value.names - plain if each in skipped else set()
        for name in sorted(names - taken):
            read = Expression(f"taken({condition}, {name})")
            rewritten.append(Statement(TAKEN + name, read))
        value = each.value.substituted({name: Expression(TAKEN + name) for name in names})
        rewritten.append(replace(each, value=value))
        taken = (taken | names) - {each.target}
    return tuple(rewritten)


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
