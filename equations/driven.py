"""Models that a recorded signal drives: it replaces a parameter or a variable."""

from __future__ import annotations

import re
from typing import Any

from brian2.equations.codestrings import Expression
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    Equations,
    SingleEquation,
)
from brian2.units import Quantity
from brian2.units.fundamentalunits import Dimension, have_same_dimensions

from bioae.equations.groups import equations_text
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel, TimedValues, mentions
from bioae.equations.program import Parameter, State
from bioae.equations.quantities import constants, evaluate
from bioae.errors import InputError, did_you_mean
from bioae.unit_text import unit_in_equations, unit_name

#: The name of the timed array in a driven model.
SIGNAL = "recorded_input"


def place_of_input(model: NeuronModel, unit: Quantity | Dimension, name: str | None) -> str | None:
    """Return the name that a signal of some unit replaces; None: it arrives as spikes do.

    `name`: the requested parameter or variable; None: the model's `input` or else the only other of
    this unit, and the network input for a signal without unit.

    Raises `InputError` if there is none, or the unit does not fit.
    """
    units = _units(model)
    if name is None:
        if have_same_dimensions(unit, 1):
            return None
        found = [n for n, each in units.items() if have_same_dimensions(unit, each)]
        found = [n for n in found if n not in {potential(model), *_limits(model)}]
        declared = [n for n in found if n not in _differential(model)]
        for chosen in ([n for n in found if n == model.input], declared, found):
            if len(chosen) == 1:
                return chosen[0]
        raise InputError(
            "where the recorded input enters the model must be said",
            where=model.name, expected=f"the name of a quantity in {unit_name(unit)}",
            found=", ".join(found) or "none",
            hint=f'Name it: input="{(declared or found)[0]}"; or is the unit of the input another?'
            if found
            else "Declare one, such as I : amp",
        )  # fmt: skip
    if name not in units:
        raise InputError(
            f"the model has no parameter or variable {name!r}", where=model.name,
            expected=f"one of {', '.join(units)}", hint=did_you_mean(name, units),
        )  # fmt: skip
    per_second = have_same_dimensions(unit, units[name] / constants()["second"])
    if not have_same_dimensions(unit, units[name]) and not (
        per_second and name in _differential(model)
    ):
        raise InputError(
            f"the recorded input does not have the unit of {name!r}", where=model.name,
            expected=unit_name(units[name]), found=unit_name(unit),
        )  # fmt: skip
    if name == potential(model) and not per_second:
        raise InputError(
            f"the recorded input cannot take the place of the potential {name!r}",
            where=model.name, expected=f"a signal in {unit_name(units[name])} per second",
            hint="Leave `input` out for a signal in network weights",
        )  # fmt: skip
    return name


def driven(model: NeuronModel, name: str, values: Any, *, dt: str) -> NeuronModel:
    """Return a model in which a signal replaces a parameter or variable, or adds to it.

    `name`: see `place_of_input`. A signal in the unit of a variable per second adds to its
        derivative.
    `values`: the signal, a quantity (time).
    `dt`: the time for which each value holds.
    """
    units = _units(model)
    if SIGNAL in units or SIGNAL in model.timed_arrays:
        raise InputError(f"the name {SIGNAL!r} is reserved for the input", where=model.name)
    adds = not have_same_dimensions(values, units[name])
    equations = [
        _with_signal(each) if adds and each.varname == name else each
        for each in Equations(model.equations).values()
        if adds or each.varname != name
    ]
    text = equations_text(equations)
    numbers = TimedValues(values=[*map(float, values)], dt=dt, unit=unit_name(values))
    changes: dict[str, Any] = {"timed_arrays": {**model.timed_arrays, SIGNAL: numbers}}
    if not adds:
        # In Brian2, too, a step of an integrator with several stages has one value.
        text += f"{name} = {SIGNAL}(t) : {unit_in_equations(values)} (constant over dt)\n"
        if starts := [n for n, each in model.initial.items() if mentions(name, each)]:
            raise InputError(
                f"the initial value of {starts[0]} depends on the recorded input",
                where=model.name, expected="constants", found=model.initial[starts[0]],
            )  # fmt: skip
        if re.search(rf"\b{name}\s*[-+*/]?=(?!=)", model.reset or ""):
            raise InputError(
                f"the reset changes {name!r}, which the recorded input replaces",
                where=model.name, hint="Choose another name as `input`",
            )  # fmt: skip
        for table in ("parameters", "initial", "trainable", "inputs", "targets"):
            changes[table] = {n: t for n, t in getattr(model, table).items() if n != name}
        if model.inhibition == name:
            changes["inhibition"] = None
        if model.input == name:  # nothing arrives
            other = potential(model)
            changes |= {"input": other, "weight": f"1*({unit_name(units[other])})"}
    return model.model_copy(update={**changes, "equations": text})


def potential(model: NeuronModel) -> str:
    """Return the membrane potential: ``v``, the first variable in the threshold, or `input`."""
    variables = [n for n in _units(model) if n not in model.parameters]
    if "v" in variables:
        return "v"
    named = [n for n in re.findall(r"\w+", model.threshold or "") if n in variables]
    return named[0] if named else model.decoded


def unit_of(model: NeuronModel, name: str) -> Quantity:
    """Return the unit of a parameter or variable.

    Raises `InputError` if the model does not have it.
    """
    units = _units(model)
    if name not in units:
        raise InputError(
            f"the model has no variable {name!r}", where=model.name,
            expected=f"one of {', '.join(units)}", hint=did_you_mean(name, units),
        )  # fmt: skip
    return units[name]


def _units(model: NeuronModel) -> dict[str, Any]:
    """Return the unit of each parameter and variable."""
    program = lower(model)
    named: dict[str, Parameter | State] = {**program.parameters, **program.states}
    return {
        name: evaluate(each.unit, where=model.name)
        for name, each in named.items()
        if each.dtype == "float" and name not in ("lastspike", "not_refractory")
    }


def _differential(model: NeuronModel) -> set[str]:
    """Return the variables that have differential equations."""
    equations = Equations(model.equations).values()
    return {each.varname for each in equations if each.type == DIFFERENTIAL_EQUATION}


def _limits(model: NeuronModel) -> set[str]:
    """Return the parameters that only the threshold, the reset or the surrogate name."""
    names = {n for each in Equations(model.equations).values() for n in each.identifiers}
    return {*model.parameters} - names


def _with_signal(equation: SingleEquation) -> SingleEquation:
    """Return a differential equation with the signal as a further term."""
    expression = Expression(f"({equation.expr}) + {SIGNAL}(t)")
    flags = [*equation.flags]
    return SingleEquation(
        DIFFERENTIAL_EQUATION, equation.varname, equation.dim, expr=expression, flags=flags
    )
