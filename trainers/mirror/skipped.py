"""Gradients of statements that some neurons skip.

A reset is computed for all neurons, and written for those that fired. For the others it may be
undefined, as ``sqrt(v - 1)`` is below 1: its derivative is NaN then, and so is 0 times it. Such
statements read their variables through ``taken``, which passes no gradient to a neuron that skips
them.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace

from bioae.equations.expressions import Expression, Statement
from bioae.equations.grammar import RESERVED_PREFIX, names_in
from bioae.equations.program import DUE, Event, Program, Statements

#: The names of variables without their gradient for neurons that skip a statement begin so.
TAKEN = f"{RESERVED_PREFIX}taken_"

#: Functions that have no finite value, or no finite derivative, for some numbers.
_PARTIAL = frozenset({
    "sqrt", "log", "log10", "log1p", "arcsin", "arccos", "exp", "expm1", "exprel", "sinh", "cosh",
    "tan",
})  # fmt: skip


def with_skipped(program: Program) -> Program:
    """Return a program without gradients to neurons that skip a statement.

    Programs whose conditional statements are defined everywhere are returned as they are.
    """
    return replace(
        program,
        regularly=_rewritten(program, program.regularly, DUE if program.due else None),
        update=_rewritten(program, program.update),
        reset=_rewritten(program, program.reset, "_fired"),
        events={
            name: replace(
                event, statements=_rewritten(program, event.statements, Event.happened(name))
            )
            for name, event in program.events.items()
        },
    )


def may_be_undefined(statement: Statement) -> bool:
    """Return whether a statement of such a program may be undefined where it is skipped."""
    return any(name.startswith(TAKEN) for name in statement.value.names)


def _rewritten(program: Program, statements: Statements, when: str | None = None) -> Statements:
    """Rewrite statements that run under a condition, or only some of which are conditional."""
    conditions = _conditions(program, statements, when)
    constant = {*program.parameters, *program.constants, "dt"}
    if not any(_is_partial(each.value, constant) for each in conditions):
        return statements
    # A condition has no gradient.
    plain = {name for name, state in program.states.items() if state.dtype != "float"}
    rewritten: list[Statement] = []
    taken: dict[str, str] = {}
    for each in statements:
        condition = conditions.get(each)
        names = each.value.names - plain if condition else frozenset[str]()
        for name in sorted(names):
            if condition and taken.get(name) != condition:
                read = Expression(f"taken({condition}, {name})")
                rewritten.append(Statement(TAKEN + name, read))
                taken[name] = condition
        value = each.value.substituted({name: Expression(TAKEN + name) for name in names})
        rewritten.append(replace(each, value=value))
        taken.pop(each.target, None)
    return tuple(rewritten)


def _conditions(program: Program, statements: Statements, when: str | None) -> dict[Statement, str]:
    """Return under which condition each statement runs, if there is one.

    A temporary variable is skipped by refractory neurons where all that read it are.
    """
    found: dict[Statement, str] = {}
    read: dict[str, bool] = {}
    for statement in reversed(statements):
        kept = statement.target in program.states
        skip = statement.guarded if kept else read.get(statement.target, False)
        read |= {name: read.get(name, True) and skip for name in statement.value.names}
        terms = [*([when] if when else []), *(["not_refractory"] if skip else [])]
        if terms:
            found[statement] = " and ".join(terms)
    return found


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
