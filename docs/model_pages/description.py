"""Description of a neuron model in LaTeX, as in a paper: dynamics, firing and symbols.

It is derived from the model's text; the documentation prints it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
    SingleEquation,
)

from bioae.equations.assignments import parse_assignments
from bioae.equations.declarations import brian2_equations
from bioae.equations.expressions import Expression
from bioae.equations.grammar import is_condition
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import unit_name
from bioae.equations.timed_arrays import without_timed_arrays
from model_pages.typesetting import latex, symbol


@dataclass(frozen=True)
class Symbol:
    """A symbol of a model's equations.

    Attributes
    ----------
    name
        Its name in the file.
    kind
        ``"state"``, ``"parameter"``, or ``"subexpression"``.
    shared
        Whether all neurons of a layer have it in common.
    unit
        Its base unit, as Brian2 writes it; ``"1"`` where it has none.
    value
        The value of a parameter, or the initial value of a state; empty for a subexpression.
    bounds
        The bounds within which training may move it; empty where it may not.
    """

    name: str
    kind: str
    shared: bool
    unit: str
    value: str = ""
    bounds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Firing:
    """Firing condition, reset and refractoriness, in LaTeX.

    Attributes
    ----------
    threshold
        The condition.
    reset
        The assignments of the reset, in order.
    refractory
        A time, or a condition; None if the neuron may fire again at once.
    lasts_while
        Whether `refractory` is a condition.
    """

    threshold: str
    reset: tuple[str, ...]
    refractory: str | None
    lasts_while: bool


@dataclass(frozen=True)
class Rule:
    """A custom event, or the statements that run in every step, in LaTeX.

    Attributes
    ----------
    event
        The custom event's name; None for the statements at the start of every step.
    condition
        The condition of the event, or the interval of the statements; empty for every step.
    statements
        The assignments that follow, in order.
    """

    event: str | None
    condition: str
    statements: tuple[str, ...]


def dynamics(model: NeuronModel) -> tuple[str, ...]:
    """Return the equations in LaTeX, as lines of an ``aligned`` environment, in the file's order.

    Raises
    ------
    ModelError
        If the equations cannot be read.
    """
    model = without_timed_arrays(model)
    equations = brian2_equations(model)
    return tuple(
        _equation(equation, equations.names)
        for equation in equations.values()
        if equation.type != PARAMETER or "constant" not in equation.flags
    )


def firing(model: NeuronModel) -> Firing | None:
    """Return a model's firing condition, reset and refractoriness; None if it never fires.

    Raises
    ------
    ModelError
        If the equations, or the reset, cannot be read.
    """
    if model.threshold is None:
        return None
    model = without_timed_arrays(model)
    equations = brian2_equations(model)
    own = equations.names
    return Firing(
        threshold=latex(model.threshold or "", own),
        reset=_assignments(model.reset, own, where=f"{model.name}.toml, reset"),
        refractory=None if model.refractory is None else latex(model.refractory, own),
        lasts_while=model.refractory is not None and _is_condition(model.refractory, equations),
    )


def rules(model: NeuronModel) -> tuple[Rule, ...]:
    """Return the statements of a model that run in every step, and its custom events.

    Raises
    ------
    ModelError
        If the equations, or the statements, cannot be read.
    """
    model = without_timed_arrays(model)
    own, result = brian2_equations(model).names, []
    if model.run_regularly is not None:
        where = f"{model.name}.toml, run_regularly"
        every = "" if model.run_every is None else latex(model.run_every, own)
        result.append(Rule(None, every, _assignments(model.run_regularly, own, where=where)))
    for name, event in model.events.items():
        where = f"{model.name}.toml, [events.{name}] reset"
        statements = _assignments(event.reset, own, where=where)
        result.append(Rule(name, latex(event.condition, own), statements))
    return tuple(result)


def symbols(model: NeuronModel) -> tuple[Symbol, ...]:
    """Return a model's states, subexpressions and parameters, in the file's order.

    Raises
    ------
    ModelError
        If the equations cannot be read.
    """
    equations = brian2_equations(without_timed_arrays(model))
    return tuple(_symbol(model, equation) for equation in equations.values())


def _equation(equation: SingleEquation, own: Collection[str]) -> str:
    name = symbol(equation.varname)
    left = f"\\frac{{d{name}}}{{dt}}" if equation.type == DIFFERENTIAL_EQUATION else name
    if equation.type == PARAMETER:
        # Only input, resets and other statements change it.
        return f"\\frac{{d{name}}}{{dt}} &= 0"
    flags = [flag for flag in equation.flags if flag != "shared"]
    note = f" \\quad \\text{{({', '.join(flags)})}}" if flags else ""
    return f"{left} &= {latex(str(equation.expr), own)}{note}"


def _assignments(code: str | None, own: Collection[str], *, where: str) -> tuple[str, ...]:
    written, known = [], set(own)
    for target, value, _ in parse_assignments(code or "", where=where):
        known.add(target)
        written.append(f"{symbol(target)} \\leftarrow {latex(value, known)}")
    return tuple(written)


def _is_condition(text: str, equations: Equations) -> bool:
    expression = Expression(text)
    if expression.text in equations:
        return bool(equations[expression.text].var_type == "boolean")
    return is_condition(expression.tree)


def _symbol(model: NeuronModel, equation: SingleEquation) -> Symbol:
    name, kind = equation.varname, "state"
    value = model.initial_state.get(name, model.parameters.get(name, "0"))
    if equation.type == SUBEXPRESSION:
        kind, value = "subexpression", ""
    elif equation.type == PARAMETER and "constant" in equation.flags:
        kind, value = "parameter", model.parameters.get(name, "0")
    return Symbol(
        name=name,
        kind=kind,
        shared="shared" in equation.flags,
        unit=unit_name(equation.dim),
        value=value,
        bounds=tuple(model.trainable.get(name, ())),
    )
