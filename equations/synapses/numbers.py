"""The numbers of a learning rule at a time step: its constants, and the start of its variables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.start import constant_values, default_parameters, initial_state
from bioae.equations.synapses.program import Rule, named

__all__ = ["persistent_start", "rule_numbers", "rule_start"]


def rule_numbers(rule: Rule, dt: float) -> dict[str, NDArray[np.float64]]:
    """Return parameters, and the constants of a time step in seconds, by the names of `named`."""
    values = {named("parameter", n): np.asarray(v) for n, v in rule.parameters.items()}
    if rule.variables is None:
        return values
    own = default_parameters(rule.variables)
    own |= constant_values(rule.variables, own, dt=dt, n=1)
    own["dt"] = np.asarray(dt)
    return values | {named("constant", n): v.reshape(-1)[0] for n, v in own.items()}


def rule_start(rule: Rule, dt: float) -> dict[str, float]:
    """Return the values of a synapse's variables as a presentation starts, by name."""
    if rule.variables is None:
        return {}
    values = initial_state(rule.variables, default_parameters(rule.variables), dt=dt, n=1)
    return {name: float(values[name].reshape(-1)[0]) for name in rule.states}


def persistent_start(rule: Rule, dt: float) -> dict[str, float]:
    """Return the values of persistent variables before any learning, by their names in statements.

    Parameters
    ----------
    rule
        The lowered synapse model.
    dt
        The time step in seconds.
    """
    starts = {"synapse": rule_start(rule, dt)}
    for side, program in rule.traces.items():
        values = initial_state(program, default_parameters(program), dt=dt, n=1)
        starts[side] = {name: float(each.reshape(-1)[0]) for name, each in values.items()}
    return {
        name: starts[kind][own] for name, (kind, own) in rule.model.persistent_variables.items()
    }
