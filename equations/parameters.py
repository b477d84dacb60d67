"""Parameters of a model: their values and order, random ones, and the bounds of trained ones."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from brian2.equations.equations import Equations
from brian2.units import Quantity

from bioae.equations.expressions import Expression, parse_expression
from bioae.equations.model import NeuronModel
from bioae.equations.names import check_name
from bioae.equations.quantities import evaluate, finite
from bioae.errors import ModelError

__all__ = [
    "check_trainable",
    "in_order",
    "parameter_order",
    "parameter_values",
    "random_parameters",
    "shared_parameters",
    "trained_bounds",
]


def parameter_values(model: NeuronModel) -> dict[str, Quantity]:
    """Return the values of a model's parameters, which may name one another.

    Random numbers in them have their means.

    Raises
    ------
    ModelError
        If one is not a finite Brian2 expression of constants, or they name each other in a circle.
    """
    where = f"{model.name}.toml, [parameters]"
    for name in model.parameters:
        check_name(name, where=where)
    values: dict[str, Quantity] = {}
    for name in parameter_order(model):
        text = model.parameters[name]
        if name in model.drawn:
            text = Expression(text).rewritten(_Means()).text
        values[name] = finite(text, values, where=f"{where} {name}")
    return {name: values[name] for name in model.parameters}


def shared_parameters(model: NeuronModel, other: NeuronModel) -> frozenset[str]:
    """Return the parameters that two models have in common: of one name and one unit."""
    common = model.parameters.keys() & other.parameters.keys()
    if not common or model is other:
        return frozenset(common)
    values, others = parameter_values(model), parameter_values(other)
    return frozenset(name for name in common if values[name].dim == others[name].dim)


class _Means(ast.NodeTransformer):
    """Replace calls of ``rand()`` and ``randn()`` by their means."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        mean = {"rand": 0.5, "randn": 0.0}.get(ast.unparse(node.func))
        return self.generic_visit(node) if mean is None else ast.Constant(mean)


def parameter_order(model: NeuronModel) -> tuple[str, ...]:
    """Return a model's parameters, each after those that its value names.

    Raises
    ------
    ModelError
        If one is no expression, or they name each other in a circle.
    """
    where = f"{model.name}.toml, [parameters]"
    needed = {
        name: parse_expression(text, where=f"{where} {name}", random=True).names
        & model.parameters.keys()
        for name, text in model.parameters.items()
    }
    return in_order(needed, where=where)


def random_parameters(model: NeuronModel) -> frozenset[str]:
    """Return the parameters that are drawn for each neuron, and those whose values name them."""
    if not model.drawn:
        return frozenset()
    random = {*model.drawn}
    for name in parameter_order(model):
        if Expression(model.parameters[name]).names & random:
            random.add(name)
    return frozenset(random)


def in_order(needed: Mapping[str, Iterable[str]], *, where: str) -> tuple[str, ...]:
    """Return names in an order in which each follows those that its definition needs.

    Raises
    ------
    ModelError
        If they need each other in a circle.
    """
    try:
        return tuple(TopologicalSorter(needed).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ModelError("circular definitions", where=where, found=circle) from None


def check_trainable(
    model: NeuronModel, equations: Equations, parameters: Mapping[str, Quantity]
) -> None:
    """Check the bounds of trainable parameters.

    Parameters
    ----------
    model
        The neuron model.
    equations, parameters
        See `bioae.equations.declarations.brian2_equations`, and `parameter_values`.

    Raises
    ------
    ModelError
        If bounds have another unit than their parameter, or are not in order.
    """
    random = random_parameters(model)
    for name, bounds in model.trainable.items():
        where = f"{model.name}.toml, [trainable] {name}"
        if name in random:
            raise ModelError(
                "training cannot move a random parameter", where=where, found=model.parameters[name]
            )
        unit = parameters[name]
        low, high = (
            evaluate(text, parameters, dimensions_of=unit, where=where, error=ModelError)
            for text in bounds
        )
        if not low < high:
            raise ModelError(
                "the lower bound must come first, and be less than the upper one",
                where=where,
                found=", ".join(bounds),
            )
        if "constant" not in equations[name].flags:
            raise ModelError("this is a variable, and not a constant", where=where)
        if equations[name].var_type != "float":
            raise ModelError(
                f"training cannot move {equations[name].var_type} parameters", where=where
            )


def trained_bounds(model: NeuronModel, name: str) -> tuple[float, float]:
    """Return the bounds of a parameter that is trained, in base units.

    Raises
    ------
    ModelError
        If they exclude the model's value. Only a parameter that is not trained may lie outside.
    """
    value = parameter_values(model)[name]
    where = f"{model.name}.toml, [trainable] {name}"
    low, high = (
        float(evaluate(bound, dimensions_of=value, where=where, error=ModelError))
        for bound in model.trainable[name]
    )
    if not low <= float(value) <= high:
        raise ModelError(
            "the bounds exclude the parameter's value",
            where=where,
            expected=f"bounds around {model.parameters[name]}",
            found=", ".join(model.trainable[name]),
        )
    return low, high
