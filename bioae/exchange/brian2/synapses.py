"""Synapses of a Brian2 script: what each of their statements adds to the target."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from brian2 import NeuronGroup, Quantity, Synapses
from brian2.core.functions import DEFAULT_CONSTANTS
from brian2.core.namespace import DEFAULT_UNITS
from brian2.utils.stringtools import get_identifiers
from numpy.typing import NDArray

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.expressions import Expression
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import InputError
from bioae.exchange.brian2.inputs import INPUTS
from bioae.simulation.brian2_internals.scripts import SUBEXPRESSION

_CONSTANTS = {name: each.value for name, each in DEFAULT_CONSTANTS.items()}


@dataclass(frozen=True, eq=False)
class Path:
    """A projection of synapses.

    `pathway`: Brian2's pathway, which has its delays.
    `variable`: the variable of the target that it adds to.
    `values`: its weights (synapse), in base units.
    `rule`: the synapse model by which it delivers and learns; None: it adds the weights.
    `states`: values of the rule's variables that differ from synapse to synapse, by name.
    `reads`: the variables of neurons that the rule reads: the group, and the name.
    `weight`: the variable of synapses that is the rule's weight; None: it is 1.
    """

    pathway: Any
    variable: str
    values: NDArray[np.float64]
    rule: SynapseModel | None = None
    states: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    reads: frozenset[tuple[str, str]] = frozenset()
    weight: str | None = None


def plain_paths(
    synapses: Synapses, pathways: Iterable[Any], namespace: Mapping[str, Any]
) -> Iterator[Path]:
    """Yield the projections of synapses that add values: one for each statement."""
    for pathway in pathways:
        for statement in statements(pathway):
            where = f"{synapses.name}.{pathway.objname}"
            variable, sign, text = added(synapses, statement, where)
            yield Path(pathway, variable, sign * values(synapses, text, namespace, where))


def check_ends(synapses: Synapses, handed_over: Iterable[str]) -> None:
    """Reject synapses of other objects than neurons and inputs, and equations beyond traces."""
    source, target = (whole(end).__class__ for end in (synapses.source, synapses.target))
    refuse((
        source.__name__ if source not in (NeuronGroup, *INPUTS) else None,
        target.__name__ if target is not NeuronGroup else None,
        *(f"summed variable {name}" for name in synapses.summed_updaters),
        *(f"differential equation of {name} by {synapses.state_updater.method_choice!r}"
          for name in synapses.equations.diff_eq_names
          if "exact" not in str(synapses.state_updater.method_choice)),
    ), str(synapses.name))  # fmt: skip
    known = list(handed_over)
    for end in map(whole, (synapses.source, synapses.target)):
        if end.name not in known:
            raise InputError(
                "a group of these synapses was not handed over", where=str(synapses.name),
                expected=", ".join(known), found=str(end.name),
            )  # fmt: skip


def statements(pathway: Any) -> list[ast.stmt]:
    """Return the statements of a pathway."""
    return ast.parse("\n".join(line.strip() for line in pathway.code.splitlines())).body


def added(synapses: Synapses, statement: ast.stmt, where: str) -> tuple[str, float, str]:
    """Return the variable of the target that a statement adds to, the sign, and what it adds."""
    match statement:
        case ast.AugAssign(ast.Name(target), ast.Add() | ast.Sub() as sign, value):
            variable = target.removesuffix("_post")
        case _:
            target = variable = ""
    known = variable in whole(synapses.target).user_equations and target not in synapses.equations
    if not known or target.endswith("_pre"):
        raise InputError(
            "this statement has no meaning here", where=where, found=ast.unparse(statement),
            expected="VARIABLE += EXPRESSION, for a variable of the target",
        )  # fmt: skip
    return variable, -1.0 if isinstance(sign, ast.Sub) else 1.0, ast.unparse(value)


def values(
    synapses: Synapses, text: str, namespace: Mapping[str, Any], where: str
) -> NDArray[np.float64]:
    """Return the values of an expression (synapse), in base units."""
    functions, found = array_functions(np), dict[str, Any]()
    known = constants_of(synapses, namespace)
    for name in get_identifiers(text) - functions.keys():
        own, inner = synapses.equations.get(name), synapses.variables.get(name)
        if own is not None and own.type == SUBEXPRESSION:
            found[name] = values(synapses, str(own.expr), namespace, where)
        elif own is not None or getattr(inner, "constant", False):
            state = synapses.state(name, use_units=False)
            found[name] = np.asarray(state if np.isscalar(state) else state[:])
        elif inner is None and name in known and is_number(known[name]):
            found[name] = float(known[name])
        else:
            raise InputError(
                "synapses add what is no parameter of theirs", where=where, found=name,
                expected="their parameters, constant parameters of groups, and constants",
            )  # fmt: skip
    result = compile_expression(Expression(text), functions)(found)
    return np.array(np.broadcast_to(result, len(synapses)), np.float64)


def constants_of(synapses: Synapses, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names that are no variables."""
    return {**DEFAULT_UNITS, **_CONSTANTS, **namespace, **(synapses.namespace or {})}


def is_number(value: Any) -> bool:
    """Return whether a value is one number or quantity."""
    return isinstance(value, Quantity | int | float | np.number) and not np.ndim(value)


def whole(group: Any) -> Any:
    """Return the group of a subgroup."""
    return getattr(group, "source", group) if type(group).__name__ == "Subgroup" else group


def refuse(constructs: Iterable[str | None], where: str) -> None:
    """Raise for the first construct of synapses that has no meaning here, if there is one."""
    for what in filter(None, constructs):
        raise InputError(
            "these synapses have no meaning as a projection", where=where, found=what,
            expected="on_pre and on_post of variables of the target, traces and weights",
        )  # fmt: skip


def check_pathway(pathway: Any, where: str) -> None:
    """Reject pathways of other events, at other times, or with a delay after spikes."""
    after = pathway.prepost == "post"
    refuse((
        f"event {pathway.event}" if pathway.event != "spike" else None,
        "an inactive pathway" if not pathway.active else None,
        "when or order" if (pathway.when, pathway.order) != ("synapses", 2 * after - 1) else None,
        "a delay of on_post" if after and pathway.variables["delay"].get_value().any() else None,
    ), where)  # fmt: skip


def is_plastic(synapses: Synapses, pathways: Iterable[Any]) -> bool:
    """Return whether spikes change variables of synapses, or these change in time."""
    written = {
        name.id
        for pathway in pathways
        for statement in statements(pathway)
        for name in ast.walk(statement)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    after = any(pathway.prepost == "post" for pathway in pathways)
    changing = synapses.event_driven or synapses.equations.diff_eq_names
    return bool(after or written & {*synapses.equations} or changing)
