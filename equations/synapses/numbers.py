"""The numbers of a learning rule at a time step: constants, bounds, and the start of variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.synapses.changes import Change, change_of
from bioae.equations.synapses.program import EVERY, Rule, named
from bioae.errors import ModelError


def rule_numbers(rule: Rule, dt: float) -> dict[str, NDArray[np.float64]]:
    """Return parameters, and the constants of a time step in seconds, by the names of `named`."""
    values = {named("parameter", n): np.asarray(v) for n, v in rule.parameters.items()}
    values[named("constant", "dt")] = np.asarray(dt)
    if rule.every is not None:
        values[EVERY] = np.asarray(rule.every or dt)
    if rule.variables is None:
        return values
    own = default_parameters(rule.variables)
    own |= Start(rule.variables, dt, 1).constants(own)
    return values | {named("constant", n): v.reshape(-1)[0] for n, v in own.items()}


def change_bounds(change: Change, numbers: Mapping[str, Any]) -> tuple[float, float]:
    """Return the bounds of a weight after a block of statements; infinite if it has none.

    `change`: the change of the weight; `numbers`: those of `rule_numbers`.
    """
    if change.low is None or change.high is None:
        return -np.inf, np.inf
    functions = array_functions(np)
    with np.errstate(all="ignore"):
        low, high = (compile_expression(each, functions)(numbers)
                     for each in (change.low, change.high))  # fmt: skip
    return float(low), float(high)


def weight_bounds(rule: Rule, dt: float) -> tuple[float, float]:
    """Return the least and the largest weight that a rule sets; infinite without bounds.

    `dt`: the time step in seconds.

    Raises `ModelError` if a lower bound is above the upper one, or the rule is in the order of a
    script.
    """
    rule.check_phases()
    numbers = rule_numbers(rule, dt)
    bounds = []
    for key, block in rule.blocks.items():
        change = change_of(block)
        if change is None:
            continue
        low, high = change_bounds(change, numbers)
        if not low <= high:
            raise ModelError(
                "the lower bound of the weight is above the upper one",
                where=f"{rule.model.name}.toml, [synapse] {key}",
                expected="clip(..., low, high)", found=f"{low:g} and {high:g}",
                hint="Change the bounds, such as w_min and w_max in [parameters]",
            )  # fmt: skip
        bounds.append((low, high))
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def usual_range(low: float, high: float) -> tuple[float, float]:
    """Return a finite range of weights of one sign within the bounds of a rule.

    `low`, `high`: the bounds. It is 0 to 1 if they are infinite, or far on both sides of 0.
    """
    if low < 0 < high:
        return 0.0, min(high, 1.0)
    return (low if np.isfinite(low) else high - 1.0), (high if np.isfinite(high) else low + 1.0)


def rule_start(rule: Rule, dt: float) -> dict[str, float]:
    """Return the values of a synapse's variables as a presentation starts, by name."""
    if rule.variables is None:
        return {}
    values = Start(rule.variables, dt, 1).state(default_parameters(rule.variables))
    return {name: float(values[name].reshape(-1)[0]) for name in rule.states}


def persistent_start(rule: Rule, dt: float) -> dict[str, float]:
    """Return the values of persistent variables before any learning, by their names in statements.

    `dt`: the time step in seconds.
    """
    starts = {"synapse": rule_start(rule, dt)}
    for side, program in rule.traces.items():
        values = Start(program, dt, 1).state(default_parameters(program))
        starts[side] = {name: float(each.reshape(-1)[0]) for name, each in values.items()}
    return {
        name: starts[kind][own] for name, (kind, own) in rule.model.persistent_variables.items()
    }
