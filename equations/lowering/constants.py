"""Values of a model's constants: divisors that are not 0, positive times, finite results."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from brian2.equations.equations import Equations
from brian2.units import Quantity, second
from brian2.units.fundamentalunits import have_same_dimensions

from bioae.equations.assignments import Activity
from bioae.equations.expressions import Expression
from bioae.equations.model import NeuronModel
from bioae.equations.program import NEVER, REFRACTORY_PREFIX, Program
from bioae.equations.quantities import SHORTEST, constants, evaluate
from bioae.errors import ModelError

_Function = Callable[[Mapping[str, Any]], Any]

#: The time steps in seconds, and the sizes of a layer, for which constants are computed: one that
#: overflows or is 0 by chance is not so for all of them.
_SIZES = ((1e-12, 7), (1e-6, 10), (1e-3, 10))

#: Methods that solve the equations by algebra; they divide by what no equation divides by.
_ALGEBRAIC = (None, "exact", "linear", "exponential_euler")


def check_constants(
    program: Program,
    equations: Equations,
    parameters: Mapping[str, Quantity],
    compiled: Callable[[Expression], _Function],
) -> None:
    """Check the parameters of a model, and the constants that its program derives from them.

    `equations`, `parameters`: the declarations of its model: see `bioae.equations.declarations`;
    `compiled`: returns an expression as a function of a mapping from names to arrays.

    Raises `ModelError` if an expression divides by constants that are 0 or by a time that is not
    positive, a constant is not finite, or the refractory time is negative or too long.
    """
    _check_times(program.model, equations, parameters)
    _check_refractory(program.model, parameters)
    known = [_values(program, parameters, compiled, dt, n) for dt, n in _SIZES]
    used = {n: e for n, e in program.constants.items() if not n.startswith(REFRACTORY_PREFIX)}
    # Refractory neurons ignore what is computed for them.
    active = (each.rewritten(Activity(1)) for each in program.computed)
    computed = (*active, *program.initial.values())
    written = dict.fromkeys(_written(equations))
    for divisor in (*written, *_divisors((*used.values(), *computed))):
        if divisor.names <= known[0].keys() and _is_zero(compiled(divisor), known):
            raise _refusal(program, "there is a division by 0", divisor, written=divisor in written)
    for name in sorted({n for each in computed for n in _numbers(each.tree)} & used.keys()):
        if not any(np.isfinite(values[name]).any() for values in known):
            raise _refusal(program, "a constant is not finite", used[name])


def divided_times(equations: Equations, parameters: Mapping[str, Quantity]) -> set[str]:
    """Return the parameters that are times and that the equations divide by."""
    names = {divisor.text for divisor in _written(equations)} & parameters.keys()
    return {name for name in names if have_same_dimensions(parameters[name], second)}


def _check_times(
    model: NeuronModel, equations: Equations, parameters: Mapping[str, Quantity]
) -> None:
    for name in sorted(divided_times(equations, parameters)):
        if float(parameters[name]) < SHORTEST:
            raise ModelError(
                "the equations divide by this parameter",
                where=f"{model.name}.toml, [parameters] {name}", expected="a positive time",
                found=model.parameters[name],
            )  # fmt: skip


def _check_refractory(model: NeuronModel, parameters: Mapping[str, Quantity]) -> None:
    text = model.refractory
    if text is None or Expression(text).names - parameters.keys() - constants().keys():
        return
    if any(isinstance(node, ast.Call) for node in ast.walk(Expression(text).tree)):
        return  # it may be random
    where = f"{model.name}.toml, refractory"
    value = evaluate(text, parameters, where=where, error=ModelError)
    # A longer one would begin before the start, at the time NEVER of the last spike.
    if have_same_dimensions(value, second) and not 0 <= float(value) < -NEVER:
        raise ModelError(
            "the refractory time does not fit", where=where,
            expected=f"0 or more, below {-NEVER:g} seconds", found=model.parameters.get(text, text),
        )  # fmt: skip


def _values(
    program: Program,
    parameters: Mapping[str, Quantity],
    compiled: Callable[[Expression], _Function],
    dt: float,
    n: int,
) -> dict[str, Any]:
    """Return the values of the constants at a time step and a size of the layer."""
    values = {name: np.asarray(float(parameters.get(name, 0))) for name in program.parameters}
    values |= {"dt": np.asarray(dt), "N": np.asarray(float(n)), "i": np.arange(float(n))}
    with np.errstate(all="ignore"):
        for name, expression in program.constants.items():
            values[name] = np.asarray(compiled(expression)(values), dtype=np.float64)
    return values


def _is_zero(function: _Function, known: Iterable[Mapping[str, Any]]) -> bool:
    with np.errstate(all="ignore"):
        return not any(np.any(function(values)) for values in known)


def _written(equations: Equations) -> Iterator[Expression]:
    """Return the divisors in a model's equations, which every method divides by."""
    texts = (each.expr for each in equations.values() if each.expr is not None)
    return _divisors(Expression(str(text)) for text in texts)


def _divisors(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """Yield the divisors in expressions, each after its factors."""
    found: dict[Expression, None] = {}
    for expression in expressions:
        for node in ast.walk(expression.tree):
            match node:
                case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=divisor):
                    found |= dict.fromkeys(map(Expression.of, _factors(divisor)))
    return iter(found)


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.UnaryOp(operand=operand):
            yield from _factors(operand)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield from _factors(left)
            yield from _factors(right)
        case ast.BinOp(left=left, op=ast.Div()):
            yield from _factors(left)
    yield node


def _numbers(node: ast.AST) -> Iterator[str]:
    """Yield the names in a syntax tree that are not bounds: bounds may be infinite."""
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


def _refusal(
    program: Program, what: str, culprit: Expression, *, written: bool = False
) -> ModelError:
    method = program.model.method
    text = culprit.substituted(program.constants)
    parameters = sorted(text.names & program.parameters.keys())
    hints = [f"Change {' or '.join(parameters)}"] if parameters else []
    if method in _ALGEBRAIC and not written:
        hints.append('use method = "euler" or "rk4", which divide by nothing else')
    where = f"{program.model.name}.toml, {'method' if method else 'equations'}"
    return ModelError(
        f"with these parameters {what}", where=where, found=str(text),
        hint=", or ".join(hints) or None,
    )  # fmt: skip
