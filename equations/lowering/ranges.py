"""Ranges of a model's constants: divisors are not 0, times are positive."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from brian2.equations.equations import Equations
from brian2.units import Quantity, second
from brian2.units.fundamentalunits import have_same_dimensions

from bioae.equations.expressions import Expression
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import LONGEST, SHORTEST, constants, evaluate
from bioae.errors import ModelError

__all__ = ["check_ranges", "positive_times"]


def check_ranges(
    model: NeuronModel, equations: Equations, parameters: Mapping[str, Quantity]
) -> None:
    """Check the refractory time, and the parameters that the equations divide by.

    Parameters
    ----------
    model
        The model.
    equations, parameters
        Its declarations: see `bioae.equations.declarations`.

    Raises
    ------
    ModelError
        If the equations divide by a parameter of 0 or by a time that is not positive, or the
        refractory time is negative.
    """
    for name in _divisors(equations) & parameters.keys():
        value, time = float(parameters[name]), have_same_dimensions(parameters[name], second)
        if value == 0 or (time and value < SHORTEST):
            raise ModelError(
                "the equations divide by this parameter",
                where=f"{model.name}.toml, [parameters] {name}",
                expected="a positive time" if time else "a value other than 0",
                found=model.parameters[name],
            )
    _check_refractory(model, parameters)


def positive_times(equations: Equations, parameters: Mapping[str, Quantity]) -> set[str]:
    """Return the parameters that are times and that the equations divide by."""
    names = _divisors(equations) & parameters.keys()
    return {name for name in names if have_same_dimensions(parameters[name], second)}


def _divisors(equations: Equations) -> set[str]:
    """Return the names that some equation divides by, alone or as a factor."""
    return {
        name
        for equation in equations.values()
        if equation.expr is not None
        for node in ast.walk(Expression(str(equation.expr)).tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
        for name in _factors(node.right)
    }


def _factors(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Name(id=name):
            yield name
        case ast.UnaryOp(operand=operand):
            yield from _factors(operand)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield from _factors(left)
            yield from _factors(right)
        case ast.BinOp(left=left, op=ast.Div()):
            yield from _factors(left)


def _check_refractory(model: NeuronModel, parameters: Mapping[str, Quantity]) -> None:
    text = model.refractory
    if text is None or Expression(text).names - parameters.keys() - constants().keys():
        return
    if any(isinstance(node, ast.Call) for node in ast.walk(Expression(text).tree)):
        return  # it may be random
    where = f"{model.name}.toml, refractory"
    value = evaluate(text, parameters, where=where, error=ModelError)
    if have_same_dimensions(value, second) and not 0 <= float(value) <= LONGEST:
        raise ModelError(
            "the refractory time does not fit",
            where=where,
            expected=f"0 to {LONGEST:g} seconds",
            found=text,
        )
