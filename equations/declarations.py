"""The equations of a model in Brian2, with its parameters declared."""

from __future__ import annotations

from collections.abc import Collection

from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)
from brian2.units import Quantity
from brian2.utils.stringtools import get_identifiers

from bioae.equations.assignments import parse_assignments
from bioae.equations.grammar import RANDOM
from bioae.equations.language import complaint, declared_equations
from bioae.equations.model import NeuronModel
from bioae.equations.names import check_name
from bioae.equations.operators import LEAST_INTEGER
from bioae.equations.parameters import parameter_values, random_parameters
from bioae.equations.quantities import unit_name
from bioae.equations.timed_arrays import without_timed_arrays
from bioae.errors import ModelError

__all__ = ["brian2_equations", "copied_variables"]


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


def copied_variables(model: NeuronModel) -> frozenset[str]:
    """Return the shared variables of which each neuron keeps a copy, all of them equal.

    They are those that draw random numbers or change within a presentation, and those computed from
    them: for a variable that neurons share, Brian2 can neither look up the seed and the call of a
    random number, nor reset it where a presentation starts.
    """
    where = f"{model.name}.toml, run_regularly"
    written = {each.target for each in parse_assignments(model.run_regularly or "", where=where)}
    declared = declared_equations(model)
    shared = {name for name, each in declared.items() if "shared" in each.flags}
    sources = [(name, get_identifiers(text)) for name, text in model.initial_state.items()]
    sources += [(n, set(each.identifiers)) for n, each in declared.items() if each.expr is not None]
    copied, size = shared & written, -1
    while len(copied) > size:
        size = len(copied)
        copied |= {name for name, used in sources if name in shared and used & (copied | RANDOM)}
    return frozenset(copied)


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
            hint="Give its initial value in [initial]"
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
            hint="Give the initial value of a variable in [initial]",
        )


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
