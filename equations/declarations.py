"""Declarations of a model: its parameters, and its equations in Brian2 with these declared."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.units import Quantity
from brian2.utils.stringtools import get_identifiers

from bioae.equations.assignments import Assignment, parse_assignments
from bioae.equations.expressions import Expression, parse_expression
from bioae.equations.grammar import RANDOM, REFRACTORINESS
from bioae.equations.language import complaint, declared_equations
from bioae.equations.model import NeuronModel
from bioae.equations.names import check_name
from bioae.equations.operators import LEAST_INTEGER
from bioae.equations.quantities import evaluate, finite, unit_name
from bioae.errors import ModelError


def parameter_values(model: NeuronModel) -> dict[str, Quantity]:
    """Return the values of a model's parameters, which may name one another.

    Random numbers in them have their means.

    Raises `ModelError` if one is not a finite Brian2 expression of constants, or they name each
    other in a circle.
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

    Raises `ModelError` if one is not an expression, or they name each other in a circle.
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

    Raises `ModelError` if they need each other in a circle.
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

    `equations`, `parameters`: see `brian2_equations` and `parameter_values`.

    Raises `ModelError` if bounds have another unit than their parameter, or are not in order.
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
                "the lower bound must come first, and be less than the upper one", where=where,
                found=", ".join(bounds),
            )  # fmt: skip
        if "constant" not in equations[name].flags:
            raise ModelError("this is a variable, and not a constant", where=where)
        if equations[name].var_type != "float":
            raise ModelError(
                f"training cannot move {equations[name].var_type} parameters", where=where
            )


def trained_bounds(model: NeuronModel, name: str) -> tuple[float, float]:
    """Return the bounds of a parameter that is trained, in base units.

    Raises `ModelError` if they exclude the model's value. Only a parameter that is not trained may
    lie outside.
    """
    value = parameter_values(model)[name]
    where = f"{model.name}.toml, [trainable] {name}"
    low, high = (
        float(evaluate(bound, dimensions_of=value, where=where, error=ModelError))
        for bound in model.trainable[name]
    )
    if not low <= float(value) <= high:
        raise ModelError(
            "the bounds exclude the parameter's value", where=where,
            expected=f"bounds around {model.parameters[name]}",
            found=", ".join(model.trainable[name]),
        )  # fmt: skip
    return low, high


def brian2_equations(model: NeuronModel, per_neuron: Collection[str] = ()) -> Equations:
    """Return the model's equations, its constants declared as shared parameters.

    As variables they may change from run to run, and from layer to layer, without a new build.

    `model`: the neuron model, without timed arrays; `per_neuron`: parameters of which each neuron
    has its own value, though the model declares a shared one.

    Raises `ModelError` if the equations cannot be parsed, or use a name that is reserved.
    """
    where = f"{model.name}.toml, equations"
    values = parameter_values(model)
    try:
        declared = declared_equations(model)
        undeclared = [
            SingleEquation(PARAMETER, name, value.dim, flags=["shared", "constant"])
            for name, value in values.items()
            if name not in declared
        ]
        equations = declared + Equations(undeclared)
        equations = _unshared(equations, {*per_neuron, *copied_variables(model)})
    except ModelError:
        raise
    except Exception as error:  # Brian2's parser raises many kinds
        raise ModelError(complaint(error), where=where) from error
    for name in equations.names:
        check_name(name, where=where if name in declared else f"{model.name}.toml, [parameters]")
    for name, value in values.items():
        _check_parameter(model, equations[name], value)
    return equations


def copied_variables(model: NeuronModel) -> frozenset[str]:
    """Return the shared variables of which each neuron keeps a copy, all of them equal.

    They are those that draw random numbers or change within a presentation, and those computed from
    them: for a variable that neurons share, Brian2 can neither look up the seed and the call of a
    random number, nor reset it where a presentation starts.
    """
    where = f"{model.name}.toml, run_regularly"
    assigned = [*parse_assignments(model.run_regularly or "", where=where)]
    written = {each.target for each in assigned}
    declared = declared_equations(model)
    shared = {name for name, each in declared.items() if "shared" in each.flags}
    sources = [(name, get_identifiers(text)) for name, text in model.initial_state.items()]
    sources += [(n, set(each.identifiers)) for n, each in declared.items() if each.expr is not None]
    _check_shared(assigned, declared, where)
    copied, size = shared & written, -1
    while len(copied) > size:
        size = len(copied)
        copied |= {name for name, used in sources if name in shared and used & (copied | RANDOM)}
    return frozenset(copied)


def _check_shared(assigned: Iterable[Assignment], declared: Equations, where: str) -> None:
    """Refuse, as Brian2 does, a shared variable that is set from one of each neuron."""
    own = {name for name, each in declared.items() if "shared" not in each.flags}
    own |= {"i", *REFRACTORINESS}
    for each in assigned:
        used = sorted(each.value.names & own)
        if each.target not in declared:  # a variable of these statements alone
            own |= {each.target} if used else set()
        elif used and "shared" in declared[each.target].flags:
            raise ModelError(
                f"{each.target!r} is shared by all neurons, {used[0]!r} differs between them",
                where=where, hint="Leave out the flag (shared)",
            )  # fmt: skip


def _unshared(equations: Equations, names: Collection[str]) -> Equations:
    """Return equations in which these variables, and subexpressions of them, differ by neuron."""
    own = set(names)
    for name in equations.ordered:  # a subexpression comes after those that it names
        if name.type == SUBEXPRESSION and name.identifiers & own:
            own.add(name.varname)
    if not own:
        return equations
    return Equations([_without_flag(each, own) for each in equations.values()])


def _without_flag(equation: SingleEquation, own: Collection[str]) -> SingleEquation:
    if equation.varname not in own or "shared" not in equation.flags:
        return equation
    return SingleEquation(
        equation.type, equation.varname, equation.dim, var_type=equation.var_type,
        expr=equation.expr, flags=[flag for flag in equation.flags if flag != "shared"],
    )  # fmt: skip


def _check_parameter(model: NeuronModel, equation: SingleEquation, value: Quantity) -> None:
    name = equation.varname
    where = f"{model.name}.toml, [parameters] {name}"
    if equation.type != PARAMETER:
        kind = {DIFFERENTIAL_EQUATION: "a differential equation", SUBEXPRESSION: "a subexpression"}
        raise ModelError(
            "the equations define this variable", where=where, found=kind[equation.type],
            hint="Give its initial value in [initial]"
            if equation.type == DIFFERENTIAL_EQUATION
            else None,
        )  # fmt: skip
    if name in random_parameters(model):
        _check_random(model, equation, where)
    _check_whole(equation.var_type, float(value), where, model.parameters[name])
    if equation.dim != value.dim:
        raise ModelError(
            f"{model.parameters[name]!r} has the wrong unit", where=where,
            expected=f"{unit_name(equation.dim)}, as the equations declare it",
            found=unit_name(value),
        )  # fmt: skip


def _check_random(model: NeuronModel, equation: SingleEquation, where: str) -> None:
    if "constant" not in equation.flags or equation.var_type != "float":
        raise ModelError(
            "only constants that are not integers or booleans can be random parameters",
            where=where, found=model.parameters[equation.varname],
            hint="Give the initial value of a variable in [initial]",
        )  # fmt: skip


def _check_whole(kind: str, value: float, where: str, text: str) -> None:
    """Reject a value that a variable of this kind cannot hold."""
    fits = {
        "integer": value.is_integer() and LEAST_INTEGER <= value < -LEAST_INTEGER,
        "boolean": value in (0, 1),
    }
    expected = {"integer": "an integer of 32 bits", "boolean": "0 or 1"}
    if not fits.get(kind, True):
        raise ModelError(
            "this value does not fit", where=where, expected=expected[kind], found=text
        )
