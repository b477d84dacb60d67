"""Constants that integration derives from the parameters: finite, and not 0 where they divide."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bioae.equations.expressions import Expression
from bioae.equations.program import REFRACTORY_PREFIX, Program
from bioae.errors import ModelError

__all__ = ["check_constants"]

_Function = Callable[[Mapping[str, Any]], Any]

#: The time steps in seconds, and the sizes of a layer, for which constants are computed: one that
#: overflows or is 0 by chance is not so for all of them.
_SIZES = ((1e-12, 7), (1e-6, 10), (1e-3, 10))

#: Methods that solve the equations by algebra; they divide by what no equation divides by.
_ALGEBRAIC = (None, "exact", "linear", "exponential_euler")


def check_constants(
    program: Program, parameters: Mapping[str, Any], compiled: Callable[[Expression], _Function]
) -> None:
    """Check the constants of a program.

    Parameters
    ----------
    program
        The program.
    parameters
        The values of its model's parameters; others are 0.
    compiled
        Returns an expression as a function of a mapping from names to arrays.

    Raises
    ------
    ModelError
        If a constant is not finite, or an expression divides by constants that are 0.
    """
    known = []
    for dt, n in _SIZES:
        values = {name: np.asarray(float(parameters.get(name, 0))) for name in program.parameters}
        values |= {"dt": np.asarray(dt), "N": np.asarray(float(n)), "i": np.arange(float(n))}
        with np.errstate(all="ignore"):
            for name, expression in program.constants.items():
                values[name] = np.asarray(compiled(expression)(values), dtype=np.float64)
        known.append(values)
    used = {n: e for n, e in program.constants.items() if not n.startswith(REFRACTORY_PREFIX)}
    constant = {*known[0]}
    computed = (*program.computed, *program.initial.values())
    for divisor in _divisors((*used.values(), *computed), constant):
        function = compiled(divisor)
        with np.errstate(all="ignore"):
            if not any(np.any(function(values)) for values in known):
                raise _refusal(program, "there is a division by 0", divisor)
    for name in sorted({n for each in computed for n in _numbers(each.tree)} & used.keys()):
        if not any(np.isfinite(values[name]).any() for values in known):
            raise _refusal(program, "a constant is not finite", used[name])


def _divisors(expressions: Iterable[Expression], constant: set[str]) -> Iterator[Expression]:
    found: dict[Expression, None] = {}
    for expression in expressions:
        for node in ast.walk(expression.tree):
            match node:
                case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=divisor):
                    found.setdefault(Expression.of(divisor))
    return (divisor for divisor in found if divisor.names <= constant)


def _numbers(node: ast.AST) -> Iterator[str]:
    """Yield the names in a syntax tree that are no bounds: bounds may be infinite."""
    bounds: list[ast.expr] = []
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Compare(left=left, comparators=[right]):
            bounds = [left, right]
        case ast.Call(func=ast.Name(id="clip"), args=[_, *limits]):
            bounds = limits
    for child in ast.iter_child_nodes(node):
        if child not in bounds or not _is_name(child):
            yield from _numbers(child)


def _is_name(node: ast.AST) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Name)


def _refusal(program: Program, what: str, culprit: Expression) -> ModelError:
    method = program.model.method
    text = culprit.substituted(program.constants)
    parameters = sorted(text.names & program.parameters.keys())
    mends = [f"Change {' or '.join(parameters)}"] if parameters else []
    if method in _ALGEBRAIC:
        mends.append('use method = "euler" or "rk4", which divide by nothing else')
    where = f"{program.model.name}.toml, {'method' if method else 'equations'}"
    return ModelError(
        f"with these parameters {what}",
        where=where,
        found=str(text),
        mend=", or ".join(mends) or None,
    )
