"""Declarations of a model: parameters, bounds, timed arrays, and its equations in Brian2."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.units import Quantity

from bioae.equations.arrays.timed import Timed
from bioae.equations.expressions import Expression, parse_expression
from bioae.equations.language import check_name, complaint, copied_variables, declared_equations
from bioae.equations.limits import LARGEST_VALUE
from bioae.equations.model import NeuronModel
from bioae.equations.operators import LEAST_INTEGER
from bioae.equations.quantities import constants, evaluate, finite, time_in_seconds, unit_name
from bioae.errors import ModelError

__all__ = [
    "brian2_equations",
    "check_interval",
    "check_trainable",
    "in_order",
    "parameter_order",
    "parameter_values",
    "random_parameters",
    "timed_arrays",
    "trained_bounds",
    "varying",
    "without_timed_arrays",
]

#: The relative error that rounding may cause in a number of steps.
_ROUNDING = 1e-9

#: Marks a name that was found as a function of time.
_MARK = "bioae_timed_"


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


def brian2_equations(model: NeuronModel, per_neuron: Collection[str] = ()) -> Equations:
    """Return the model's equations, its constants declared as shared parameters.

    As variables they may change from run to run, and from layer to layer, without a new build.

    Parameters
    ----------
    model
        The neuron model.
    per_neuron
        Parameters of which each neuron has its own value, though the model declares a shared one.

    Raises
    ------
    ModelError
        If the equations cannot be parsed, or use a name that is reserved.
    """
    model = without_timed_arrays(model)
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


def timed_arrays(model: NeuronModel) -> dict[str, Timed]:
    """Return the timed arrays of a model.

    Raises
    ------
    ModelError
        If a unit or an interval does not fit.
    """
    arrays = {}
    for name, each in model.timed_arrays.items():
        where = f"{model.name}.toml, [timed_arrays.{name}]"
        if name in constants():
            raise ModelError("this name is a unit or a constant", where=where, found=name)
        unit = float(evaluate(each.unit, where=f"{where} unit", error=ModelError))
        interval = time_in_seconds(each.dt, where=f"{where} dt", error=ModelError)
        values = tuple(unit * float(value) for value in each.values)
        wrong = next((v for v in values if not abs(v) <= LARGEST_VALUE), None)  # or NaN
        if wrong is not None:
            raise ModelError(
                "a value is too large",
                where=where,
                expected=f"at most {LARGEST_VALUE:.1g} in base units, which fits 32 bits",
                found=f"{wrong:g}",
            )
        arrays[name] = Timed(values, interval)
    return arrays


def without_timed_arrays(model: NeuronModel) -> NeuronModel:
    """Return the model with a shared constant in place of each timed array: its value in a step.

    Raises
    ------
    ModelError
        If a timed array is used in another way than as a function of ``t``.
    """
    if not model.timed_arrays:
        return model
    timed_arrays(model)
    units = {
        name: unit_name(evaluate(each.unit, where=f"{model.name}.toml", error=ModelError))
        for name, each in model.timed_arrays.items()
    }
    declared = [f"{name} : {unit} (shared, constant)" for name, unit in units.items()]
    fields: dict[str, Any] = {
        name: _replaced(model, text, name)
        for name in ("threshold", "reset", "refractory", "run_regularly")
        if (text := getattr(model, name)) is not None
    }
    equations = _replaced(model, model.equations, "equations")
    fields["equations"] = "\n".join([equations, *declared])
    fields["initial"] = {
        name: _replaced(model, text, f"[initial] {name}") for name, text in model.initial.items()
    }
    fields["events"] = {
        name: event.model_copy(
            update={key: _replaced(model, text, f"[events.{name}] {key}") for key, text in event}
        )
        for name, event in model.events.items()
    }
    if model.surrogate is not None:
        texts = {k: _replaced(model, text, f"[surrogate] {k}") for k, text in model.surrogate}
        fields["surrogate"] = model.surrogate.model_copy(update=texts)
    return model.model_copy(update={**fields, "timed_arrays": {}})


def check_interval(model: NeuronModel, dt: float) -> None:
    """Refuse an interval of a model that is no multiple of the time step (in seconds).

    Raises
    ------
    ModelError
        If it is not.
    """
    intervals = {"run_every": model.run_every} if model.run_every is not None else {}
    intervals |= {f"[timed_arrays.{n}] dt": each.dt for n, each in model.timed_arrays.items()}
    for key, text in intervals.items():
        where = f"{model.name}.toml, {key}"
        steps = time_in_seconds(text, where=where, error=ModelError) / dt
        if round(steps) < 1 or abs(steps - round(steps)) > _ROUNDING * steps:
            what = "statements run" if key == "run_every" else "values change"
            raise ModelError(
                f"{what} at a multiple of the time step",
                where=where,
                expected=f"a multiple of {dt * 1e3:g} ms",
                found=text,
            )


def _replaced(model: NeuronModel, text: str, key: str) -> str:
    for name in model.timed_arrays:
        text = re.sub(rf"\b{name}\s*\(\s*t\s*\)", f" {_MARK}{name} ", text)
        if re.search(rf"(?<![A-Za-z0-9_]){name}\b", re.sub(r"#.*", "", text)):
            raise ModelError(
                "a timed array is a function of the time since the presentation's start",
                where=f"{model.name}.toml, {key}",
                expected=f"{name}(t)",
                found=f"{name} without (t)",
            )
        text = text.replace(f" {_MARK}{name} ", f"({name})")
    return text


def check_trainable(
    model: NeuronModel, equations: Equations, parameters: Mapping[str, Quantity]
) -> None:
    """Check the bounds of trainable parameters.

    Parameters
    ----------
    model
        The neuron model.
    equations, parameters
        Its declarations: see `brian2_equations` and `parameter_values`.

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


def varying(equations: Equations, timed: Collection[str]) -> Equations:
    """Return equations in which timed arrays are variables, which code may set."""
    return Equations(
        [
            SingleEquation(PARAMETER, each.varname, each.dim, flags=["shared"])
            if each.varname in timed
            else each
            for each in equations.values()
        ]
    )


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
        equation.type,
        equation.varname,
        equation.dim,
        var_type=equation.var_type,
        expr=equation.expr,
        flags=[flag for flag in equation.flags if flag != "shared"],
    )


def _check_parameter(model: NeuronModel, equation: SingleEquation, value: Quantity) -> None:
    name = equation.varname
    where = f"{model.name}.toml, [parameters] {name}"
    if equation.type != PARAMETER:
        kind = {DIFFERENTIAL_EQUATION: "a differential equation", SUBEXPRESSION: "a subexpression"}
        raise ModelError(
            "the equations define this variable",
            where=where,
            found=kind[equation.type],
            mend="Give its initial value in [initial]"
            if equation.type == DIFFERENTIAL_EQUATION
            else None,
        )
    if name in random_parameters(model):
        _check_random(model, equation, where)
    _check_whole(equation.var_type, float(value), where, model.parameters[name])
    if equation.dim != value.dim:
        raise ModelError(
            f"{model.parameters[name]!r} has the wrong unit",
            where=where,
            expected=f"{unit_name(equation.dim)}, as the equations declare it",
            found=unit_name(value),
        )


def _check_random(model: NeuronModel, equation: SingleEquation, where: str) -> None:
    if "constant" not in equation.flags or equation.var_type != "float":
        raise ModelError(
            "only constants that are no integers or booleans can be random parameters",
            where=where,
            found=model.parameters[equation.varname],
            mend="Give the initial value of a variable in [initial]",
        )


def _check_whole(kind: str, value: float, where: str, text: str) -> None:
    """Refuse a value that a variable of this kind cannot hold."""
    fits = {
        "integer": value.is_integer() and LEAST_INTEGER <= value < -LEAST_INTEGER,
        "boolean": value in (0, 1),
    }
    expected = {"integer": "an integer of 32 bits", "boolean": "0 or 1"}
    if not fits.get(kind, True):
        raise ModelError(
            "this value does not fit", where=where, expected=expected[kind], found=text
        )
