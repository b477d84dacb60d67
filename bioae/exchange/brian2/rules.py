"""Synapses of a Brian2 script that learn, or whose spikes add what changes: synapse models."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from brian2 import Equations, Quantity, Synapses
from brian2.core.functions import DEFAULT_CONSTANTS
from brian2.core.namespace import DEFAULT_UNITS
from brian2.utils.stringtools import get_identifiers, word_substitute
from numpy.typing import NDArray

from bioae.equations.grammar import SUPPORTED
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.model import DELIVERED, WEIGHT, SynapseModel
from bioae.errors import InputError, ModelError
from bioae.exchange.brian2.synapses import (
    Path,
    added,
    check_pathway,
    constants_of,
    is_number,
    is_plastic,
    plain_paths,
    refuse,
    statements,
    values,
    whole,
)
from bioae.simulation.brian2_internals.scripts import (
    DIFFERENTIAL,
    PARAMETER,
    SUBEXPRESSION,
    pathways_of,
)
from bioae.unit_text import readable, unit_in_equations, unit_name

#: The parameters of a rule that are the units of its weight, and of what it delivers.
WEIGHT_UNIT, DELIVERED_UNIT = f"{WEIGHT}_unit", f"{DELIVERED}_unit"


def paths(synapses: Synapses, namespace: Mapping[str, Any], name: str) -> list[Path]:
    """Return the projections of synapses: one for each statement that adds to a variable.

    If they learn, each has the whole rule, and all change in the same way: one for each variable.

    `namespace`: constants by name, besides those of the synapses; `name`: the name of a synapse
    model.

    Raises `InputError` if a construct has no meaning as a projection.
    """
    pathways = pathways_of(synapses)
    for pathway in pathways:
        check_pathway(pathway, f"{synapses.name}.{pathway.objname}")
    if is_plastic(synapses, pathways):
        variables = _Rule(synapses, pathways, namespace).targets()
        return [_Rule(synapses, pathways, namespace).path(name, each) for each in variables]
    return list(plain_paths(synapses, pathways, namespace))


#: The kinds of variables of neurons that have values between spikes.
_STORED = (DIFFERENTIAL, PARAMETER)


class _Line(NamedTuple):
    """A statement: what it sets, the value, and the variable of the target if it adds to one."""

    target: str
    text: str
    variable: str | None


class _Rule:
    """A rule with the statements of a script, in their order."""

    def __init__(
        self, synapses: Synapses, pathways: Sequence[Any], namespace: Mapping[str, Any]
    ) -> None:
        self.synapses, self.where = synapses, str(synapses.name)
        self.known = constants_of(synapses, namespace)
        every = {**synapses.equations, **(synapses.event_driven or {})}
        self.equations = Equations(list(every.values()))
        self.expressions: dict[str, str] = {}
        for each in self.equations.ordered:
            if each.type == SUBEXPRESSION:
                text = word_substitute(str(each.expr), self.expressions)
                self.expressions[each.varname] = f"({text})"
        ordered = sorted(pathways, key=lambda each: str(each.name))  # as Brian2 runs them
        self.sides = {
            side: [each for each in ordered if each.prepost == side] for side in ("pre", "post")
        }
        delays = [each.variables["delay"].get_value() for each in self.sides["pre"]]
        if any((each != delays[0]).any() for each in delays):
            names = ", ".join(str(each.objname) for each in ordered)
            refuse((f"different delays of {names}",), self.where)
        self.parameters: dict[str, str] = {}
        self.states: dict[str, NDArray[np.float64]] = {}
        self.initial: dict[str, str] = {}
        self.names = {each: f"{each}_own" for each in (WEIGHT, DELIVERED)}
        self.reads = set[tuple[str, str]]()
        self.units: dict[str, str] = {}  # by name; "1", or that of a parameter
        self.scales: dict[str, str] = {}

    def targets(self) -> list[str]:
        """Return the variables of the target to which spikes add."""
        found = {each.variable for each in self._lines("pre") if each.variable}
        refuse((None if found else "an on_pre that adds to nothing",), self.where)
        return sorted(found)

    def path(self, name: str, variable: str) -> Path:
        """Return the projection that adds to a variable."""
        lines = {
            side: [each for each in self._lines(side) if each.variable in (None, variable)]
            for side in self.sides
        }
        weight = self._weight(lines)
        dims = {DELIVERED: whole(self.synapses.target).variables[variable].dim}
        if weight is not None:
            dims[WEIGHT] = self.equations[weight].dim
        texts = {key: unit_name(dim) for key, dim in dims.items()}
        self.units = {key: "1" if text == "1" else f"{key}_unit" for key, text in texts.items()}
        self.scales = {self.units[key]: f"1*{text}" for key, text in texts.items() if text != "1"}
        if weight is not None:
            full = _with_unit(WEIGHT, self.units[WEIGHT], "*")
            self.names[weight] = full if full == WEIGHT else f"({full})"
        first = next(each for each in lines["pre"] if each.variable)
        code = {
            f"on_{side}": "\n".join(
                self._statement(each, weight, further=each is not first) for each in own
            )
            for side, own in lines.items() if own
        }  # fmt: skip
        equations = "\n".join(self._declared(weight))
        states = {self._name(each): array for each, array in self.states.items()}
        tables = {
            "equations": equations,
            "initial": {self._name(each): text for each, text in self.initial.items()},
        }
        model = SynapseModel.from_mapping(name, {
            "description": f"The rule of {self.where}, in the order of its script.",
            "timing": "script",
            "synapse": {**code, **{key: each for key, each in tables.items() if each}},
            "parameters": {self._name(key): text for key, text in self.parameters.items()}
            | self.scales,
        }, where=self.where)  # fmt: skip
        self._check_solved(model)
        weights = np.ones(len(self.synapses)) if weight is None else self._values(weight)
        return Path(
            self.sides["pre"][0], variable, weights, model, states, frozenset(self.reads), weight
        )

    def _check_solved(self, model: SynapseModel) -> None:
        """Reject equations in each step that spikes cannot replace: they are nonlinear, or move."""
        each_step = self.synapses.equations.diff_eq_names
        try:
            lower_synapse(model)
        except ModelError as error:
            refuse((f"differential equation of {each}: {error}" for each in each_step), self.where)
            raise
        for each in sorted(each_step):  # Brian2 integrates them before the first spike
            text = str(self.equations[each].expr)
            if values(self.synapses, text, self.known, self.where).any():
                refuse((f"differential equation of {each}, not at rest at first",), self.where)

    def _name(self, name: str) -> str:
        """Return the name of a variable or parameter in the rule."""
        return self.names.get(name, name)

    def _lines(self, side: str) -> Iterator[_Line]:
        """Yield the statements of a side."""
        local = set[str]()
        for pathway, statement in (
            (each, s) for each in self.sides[side] for s in statements(each)
        ):
            where = f"{self.where}.{pathway.objname}"
            target, text = "", ""
            match statement:
                case ast.Assign([ast.Name(target)], value):
                    text = ast.unparse(value)
                case ast.AugAssign(ast.Name(target), operator, value):
                    text = ast.unparse(ast.BinOp(ast.Name(target, ast.Load()), operator, value))
            own = target in self.equations and target not in self.expressions
            variable = None
            if text and not own and target not in self.synapses.variables:
                local.add(target)
            elif not own:
                variable, sign, text = added(self.synapses, statement, where)
                refuse(("on_post that adds to neurons" if side == "post" else None,), where)
                target, text = DELIVERED, text if sign > 0 else f"-({text})"
            text = str(word_substitute(text, self.expressions))
            self._check_names(text, local, where)
            yield _Line(target, text, variable)

    def _check_names(self, text: str, local: set[str], where: str, *, neurons: bool = True) -> None:
        """Collect what an expression reads; reject what a rule does not know."""
        for name in sorted(get_identifiers(text) - local - SUPPORTED.keys()):
            inner = self.synapses.variables.get(name)
            if name in self.equations:
                continue
            base, _, end = name.rpartition("_")
            side, own = (end, base) if end in ("pre", "post") and base else ("post", name)
            group = whole(self.synapses.source if side == "pre" else self.synapses.target)
            declared = getattr(group, "user_equations", {}).get(own)
            if inner is not None and inner.constant and np.ptp(inner.get_value()) == 0:
                value = np.ravel(inner.get_value())[0].item()
                self.parameters[name] = readable(Quantity(value, dim=inner.dim))
            elif neurons and inner is not None and getattr(declared, "type", "") in _STORED:
                self.reads.add((str(group.name), own))
                full = _with_unit(f"{own}_{side}", unit_in_equations(inner.dim), "*")
                self.names[name] = full if full.isidentifier() else f"({full})"
            elif inner is None and is_number(self.known.get(name)):
                if name not in DEFAULT_UNITS and name not in DEFAULT_CONSTANTS:
                    self.parameters[name] = readable(self.known[name])
            else:
                raise InputError(
                    "rules know variables of synapses and neurons, and constants", where=where,
                    found=name,
                )  # fmt: skip

    def _weight(self, lines: Mapping[str, Sequence[_Line]]) -> str | None:
        """Return the parameter of synapses that is the weight: one that spikes add.

        Of several, one that the rule changes, one named ``w``, one that differs between synapses.
        """
        written = {each.target for own in lines.values() for each in own}
        reads, added = dict[str, set[str]](), set[str]()
        for each in lines["pre"]:
            found = set[str]().union(*(reads.get(n, {n}) for n in get_identifiers(each.text)))
            if each.variable:
                added |= found
            elif each.target not in self.equations:  # a local variable
                reads[each.target] = found
        return min(
            (each for each in self.equations.parameter_names if each in added), default=None,
            key=lambda n: (n not in written, n != WEIGHT, not np.ptp(self._values(n)), n),
        )  # fmt: skip

    def _statement(self, line: _Line, weight: str | None, *, further: bool) -> str:
        """Return a statement of the rule, whose weight and amounts have no unit.

        A spike that adds a `further` amount adds their sum.
        """
        value = str(word_substitute(line.text, self.names))
        if line.variable is None:
            target = WEIGHT if line.target == weight else self._name(line.target)
            unit = self.units[WEIGHT] if line.target == weight else "1"
            return f"{target} = {_with_unit(value, unit, '/')}"
        unit = self.units[DELIVERED]
        if weight is None:
            value = f"{WEIGHT}*({value})"
        same = self.scales.get(WEIGHT_UNIT) == self.scales.get(DELIVERED_UNIT)
        plain = line.text == weight and same
        value = WEIGHT if plain else _with_unit(value, unit, "/")
        return f"{DELIVERED} = {f'{DELIVERED} + ' if further else ''}{value}"

    def _declared(self, weight: str | None) -> Iterator[str]:
        """Yield the equations of variables; those that differ between synapses are `states`."""
        for each in self.equations.values():
            name = each.varname
            if name == weight or each.type == SUBEXPRESSION:
                continue
            state, unit = self._values(name), unit_in_equations(each.dim)
            if np.ptp(state):
                self.states[name] = state
            elif state.size and state[0]:
                self.initial[name] = readable(Quantity(state[0], dim=each.dim))
            left, right = self._name(name), ""
            if each.type == DIFFERENTIAL:
                text = str(word_substitute(str(each.expr), self.expressions))
                self._check_names(text, set(), f"{self.where}.{name}", neurons=False)
                left, right = f"d{left}/dt", f" = {word_substitute(text, self.names)}"
            yield f"{left}{right} : {unit}"

    def _values(self, name: str) -> NDArray[np.float64]:
        found = np.asarray(self.synapses.variables[name].get_value(), np.float64)
        return np.array(np.broadcast_to(found, len(self.synapses)))


def _with_unit(text: str, unit: str, operator: str) -> str:
    """Return an expression times or divided by a unit, if it has one."""
    text, unit = (each if each.isidentifier() else f"({each})" for each in (text, unit))
    return text if unit in ("1", "(1)") else f"{text}{operator}{unit}"
