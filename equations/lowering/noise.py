"""Random numbers of a program: the model's own noise, and background input."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from typing import Literal

from bioae.equations.assignments import Assignment
from bioae.equations.expressions import Expression
from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.program import INHIBITION, INPUT, Draw, Program

#: The distributions of Brian2's functions; `xi` becomes ``dt**.5*randn()``.
_DISTRIBUTIONS: dict[str, Literal["uniform", "normal"]] = {"rand": "uniform", "randn": "normal"}

#: The means of these distributions, as expressions.
MEANS = {"uniform": Expression("0.5"), "normal": Expression("0")}

_NOISE = re.compile(r"\bxi(?:_\w+)?\b")

BACKGROUND = f"{RESERVED_PREFIX}background"
BACKGROUND_DRAW = f"{RESERVED_PREFIX}background_draw"


def in_order_of_text(assignments: Iterable[Assignment], equations: str) -> list[Assignment]:
    """Return an integration step with its noise in the order of the equations.

    Brian2 iterates over a set of the noise variables, whose order changes from session to session.

    `assignments`: the integration step: neighbours that differ only in the noise variable of their
    targets, such as ``xi_a`` and ``xi_b``, are independent; `equations`: the text of the equations.
    """
    order = {name: place for place, name in enumerate(dict.fromkeys(_NOISE.findall(equations)))}
    longest_first = sorted(order, key=len, reverse=True)

    def parts(each: Assignment) -> tuple[str, int]:
        for name in longest_first:
            if each.target == name or each.target.endswith(f"_{name}"):
                return each.target.removesuffix(name), order[name]
        return each.target, 0

    ordered: list[Assignment] = []
    for _, group in groupby(assignments, key=lambda each: parts(each)[0]):
        ordered += sorted(group, key=lambda each: parts(each)[1])
    return ordered


class Draws:
    """Replace calls of ``rand()`` and ``randn()`` by names, collected in `by_name`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Draw] = {}

    def __call__(self, expression: Expression, *, shared: bool = False) -> Expression:
        """Return the expression with a new name for each call in it.

        `shared`: whether its value is the same for all neurons.
        """
        before = len(self.by_name)
        named = expression.rewritten(_Name(self.by_name, shared))
        return expression if len(self.by_name) == before else named


class _Name(ast.NodeTransformer):
    def __init__(self, draws: dict[str, Draw], shared: bool) -> None:
        self._draws = draws
        self._shared = shared

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = ast.unparse(node.func)
        if function not in _DISTRIBUTIONS:
            return self.generic_visit(node)
        call = len(self._draws)
        name = f"{RESERVED_PREFIX}draw{call}"
        self._draws[name] = Draw(_DISTRIBUTIONS[function], call, self._shared)
        return ast.Name(name, ast.Load())


def with_background_noise(program: Program, deviation: float) -> Program:
    """Return a program that receives Gaussian background input in every step.

    `deviation`: the standard deviation in network weights per square root of a millisecond: that of
        a step is `deviation` times ``sqrt(dt/ms)``. Where inhibition arrives at a separate
        variable, so do negative numbers.
    """
    constant = Expression(f"{deviation!r}*sqrt(dt/0.001)")
    return _with_background(program, constant, "normal", f"{BACKGROUND}*{BACKGROUND_DRAW}")


def with_background_spikes(program: Program, weight: float, rate: float) -> Program:
    """Return a program that receives background spikes.

    `weight`: the network weight of a background spike. Where inhibition arrives at a separate
        variable, so does a negative weight.
    `rate`: their rate in Hz: in each step there is one with probability ``rate*dt``, independent of
        all others.
    """
    amount = f"{weight!r}*int({BACKGROUND_DRAW} < {BACKGROUND})"
    return _with_background(program, Expression(f"{rate!r}*dt"), "uniform", amount)


def _with_background(
    program: Program,
    constant: Expression,
    distribution: Literal["uniform", "normal"],
    amount: str,
) -> Program:
    arriving = {INPUT: amount}
    if program.inhibited:
        arriving = {INPUT: f"clip({amount}, 0, 1e300)", INHIBITION: f"clip(-({amount}), 0, 1e300)"}
    added = {name: Expression(f"{name} + {more}") for name, more in arriving.items()}
    call = max((draw.call for draw in program.draws.values()), default=-1) + 1
    return replace(
        program,
        receive=tuple(replace(s, value=s.value.substituted(added)) for s in program.receive),
        constants={**program.constants, BACKGROUND: constant},
        draws={**program.draws, BACKGROUND_DRAW: Draw(distribution, call)},
    )
