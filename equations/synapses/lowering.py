"""Lower a synapse model to a `Rule`: programs of its traces, and statements of its weight."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import Variable
from brian2.equations.equations import SUBEXPRESSION
from brian2.parsing.expressions import parse_expression_dimensions
from brian2.units import Quantity
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension
from brian2.utils.stringtools import get_identifiers, word_substitute

from bioae.equations.assignments import Assignment, parse_assignments
from bioae.equations.expressions import Expression, check_names
from bioae.equations.grammar import RANDOM
from bioae.equations.language import check_name, complaint, declared_equations
from bioae.equations.lowering.conditions import is_true_or_false
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import BUILT_IN, NeuronModel
from bioae.equations.parameters import parameter_values
from bioae.equations.program import Program, Statement, Statements
from bioae.equations.quantities import constants, unit_name
from bioae.equations.synapses.model import WEIGHT, Side, SynapseModel
from bioae.equations.synapses.program import SIDES, Rule, SideName, named
from bioae.errors import ModelError

__all__ = ["lower_synapse"]

#: What Brian2 refuses as the end of a variable's name, and what stands for it in programs.
_SUFFIXES = {"_pre": "_presynaptic", "_post": "_postsynaptic"}


def lower_synapse(model: SynapseModel) -> Rule:
    """Return the statements of a synapse model.

    Raises
    ------
    ModelError
        If Brian2 refuses the model (an unknown name, wrong units), or the model uses a construct
        that is not supported.
    """
    if not isinstance(model, SynapseModel):
        raise ModelError(
            "this is not a synapse model",
            expected="a bioae.SynapseModel",
            found=type(model).__name__,
            mend='Load one: bioae.load_synapse("stdp_pair")',
        )
    return _lower(model.name, model.model_dump_json())


@lru_cache(maxsize=64)
def _lower(name: str, fields: str) -> Rule:
    return _Lowering(SynapseModel.model_validate({**json.loads(fields), "name": name})).rule()


class _Lowering:
    def __init__(self, model: SynapseModel) -> None:
        self.model = model
        self.where = f"{model.name}.toml"
        for name in model.parameters:
            check_name(_allowed(name), where=f"{self.where}, [parameters]")
        self.names = {each: Expression(_allowed(each)) for each in model.parameters}
        for name, allowed in self.names.items():
            if name != allowed.text and allowed.text in model.parameters:
                raise ModelError(
                    f"{allowed.text!r} stands for {name!r} in Brian2, and is a parameter itself",
                    where=f"{self.where}, [parameters]",
                    mend="Rename one of them",
                )
        self.parameters = {
            name.text: Expression(model.parameters[each]).substituted(self.names).text
            for each, name in self.names.items()
        }
        self.models = {
            name: self._as_neuron(name, side)
            for name in SIDES
            if (side := getattr(model, name)) is not None
        }
        self.values = self._values()

    def rule(self) -> Rule:
        traces = {}
        for name, model in self.models.items():
            with _placed(name):
                traces[name] = _without_firing(lower(model))
            if traces[name].draws:
                raise ModelError("traces cannot be random", where=f"{self.where}, [{name}]")
        self._collect(traces)
        code = self.model.synapse
        parameters = {name: float(value) for name, value in self.values.items()}
        return Rule(
            self.model, traces, parameters,
            self._statements("on_pre", code.on_pre), self._statements("on_post", code.on_post),
        )  # fmt: skip

    # Traces are lowered as neurons that never fire by themselves

    def _as_neuron(self, side_name: SideName, side: Side) -> NeuronModel:
        with _placed(side_name):
            model = NeuronModel(
                name=self.model.name,
                description=self.model.description,
                equations=self._renamed(side.equations),
                threshold="False",
                reset=self._renamed(side.on_spike) if side.on_spike else None,
                method=side.method,
                input="-",
                parameters=self.parameters,
                initial={
                    each: Expression(text).substituted(self.names).text
                    for each, text in side.initial.items()
                },
            )
            try:
                declared = declared_equations(model)
            except ModelError:
                raise
            except Exception as error:  # Brian2's parser raises many kinds
                raise ModelError(complaint(error), where=f"{self.where}, equations") from error
        traces = [
            each
            for each, equation in declared.items()
            if equation.type != SUBEXPRESSION and equation.var_type == "float"
        ]
        shared = [each for each, equation in declared.items() if equation.flags]
        if shared:
            raise ModelError(
                "traces have no flags",
                where=f"{self.where}, [{side_name}] equations",
                found=shared[0],
            )
        if not traces:
            raise ModelError(
                "the equations declare no trace",
                where=f"{self.where}, [{side_name}] equations",
                expected="'dx/dt = -x/tau : 1'",
            )
        used = {n for each in declared.values() if each.expr for n in each.identifiers}
        used |= get_identifiers(model.reset or "")
        used |= {n for text in model.initial.values() for n in Expression(text).names}
        for name in sorted(used & BUILT_IN):
            raise ModelError(
                "a trace depends on nothing but spikes, parameters and other traces",
                where=f"{self.where}, [{side_name}]",
                found=name,
            )
        kept = _needed(model.parameters, used)
        # As a neuron, it needs an input; nothing ever arrives there.
        received = {"input": traces[0], "weight": f"1*({unit_name(declared[traces[0]].dim)})"}
        return model.model_copy(update={**received, "parameters": kept})

    def _values(self) -> dict[str, Quantity]:
        model = NeuronModel(
            name=self.model.name, description="-", equations="dx/dt = 0*Hz : 1", input="x",
            parameters=self.parameters,
        )  # fmt: skip
        if model.drawn:
            raise ModelError(
                "a parameter of a synapse cannot be random",
                where=f"{self.where}, [parameters] {min(model.drawn)}",
            )
        values = parameter_values(model)
        return {name: values[allowed.text] for name, allowed in self.names.items()}

    def _renamed(self, code: str) -> str:
        return str(word_substitute(code, {name: each.text for name, each in self.names.items()}))

    # Statements of a synapse

    def _collect(self, traces: Mapping[SideName, Program]) -> None:
        """Collect what statements may name: the expression of each name, and its unit."""
        self.known: dict[str, Expression] = {WEIGHT: Expression(Rule.weight)}
        self.units: dict[str, Dimension] = {WEIGHT: DIMENSIONLESS}
        for name, value in self.values.items():
            self.known[name] = Expression(named("parameter", name))
            self.units[name] = value.dim
        for side, program in traces.items():
            for name, expression in self._of_side(side, program).items():
                full = f"{name}_{side}"
                if full in self.values:
                    raise ModelError(
                        f"{full!r} is a parameter and a trace",
                        where=f"{self.where}, [{side}]",
                        mend="Rename one of them",
                    )
                self.known[full] = expression
                self.units[full] = declared_equations(program.model)[name].dim

    def _of_side(self, side: SideName, program: Program) -> dict[str, Expression]:
        """Return the traces and subexpressions of a side, by their names in its equations."""
        declared = declared_equations(program.model)
        found: dict[str, Expression] = {}
        for name in program.states:
            found[name] = Expression(named(side, name))
        inner = {**found}
        inner |= {_allowed(name): Expression(named("parameter", name)) for name in self.values}
        for each in declared.ordered:
            if each.type == SUBEXPRESSION:
                text = Expression(str(each.expr)).substituted(inner)
                inner[each.varname] = found[each.varname] = text
        return found

    def _statements(self, key: str, code: str | None) -> Statements:
        if code is None:
            return ()
        where = f"{self.where}, [synapse] {key}"
        known, units = dict(self.known), dict(self.units)
        statements: list[Statement] = []
        conditions: set[str] = set()
        written = 0
        for number, each in enumerate(parse_assignments(code, where=where), start=1):
            self._check(each, known, where)
            value = self._with_numbers(each.value.substituted(known))
            unit = self._unit(each.value, units, where)
            target = named(key, f"{number}")
            if is_true_or_false(value.tree, conditions):
                if each.target == WEIGHT:
                    raise ModelError(
                        "a weight is a number, not a condition", where=where,
                        found=each.value.text, mend=f"Write int({each.value.text})",
                    )  # fmt: skip
                conditions.add(target)
            if each.target == WEIGHT:
                if unit != DIMENSIONLESS:
                    raise ModelError(
                        f"{each.value.text!r} has the wrong unit",
                        where=where,
                        expected="1, as a network's weights",
                        found=unit_name(unit),
                    )
                written = number
            statements.append(Statement(target, value))
            known[each.target] = Expression(target)
            units[each.target] = unit
        if not written:
            raise ModelError(f"the statements do not change {WEIGHT!r}", where=where)
        return tuple(statements[:written])

    def _check(self, each: Assignment, known: Mapping[str, Expression], where: str) -> None:
        calls = (node for node in ast.walk(each.value.tree) if isinstance(node, ast.Call))
        if any(ast.unparse(call.func) in RANDOM for call in calls):
            raise ModelError("a synapse cannot be random", where=where, found=each.value.text)
        for name in each.value.names - known.keys() - constants().keys():
            for side, model in self.models.items():
                if name in declared_equations(model):
                    raise ModelError(
                        f"the bare name of a trace of [{side}]",
                        where=where,
                        expected=f"{name}_{side}",
                        found=name,
                    )
        check_names(each.value, {*known, *constants()}, where=where, listed=known)
        if each.target != WEIGHT:
            if each.target in self.known or each.target in constants():
                raise ModelError(
                    f"a synapse cannot write {each.target!r}", where=where, expected=WEIGHT
                )
            check_name(_allowed(each.target), where=where)

    def _with_numbers(self, value: Expression) -> Expression:
        """Return an expression with the values of units and constants in place of their names."""
        numbers = {
            name: Expression(repr(float(constants()[name])))
            for name in value.names & constants().keys()
        }
        return value.substituted(numbers)

    def _unit(self, value: Expression, units: Mapping[str, Dimension], where: str) -> Dimension:
        dimensions = {name: Quantity(v).dim for name, v in constants().items()}
        dimensions |= units
        variables: dict[str, Any] = {
            **DEFAULT_FUNCTIONS,
            **{n: Variable(name=n, dimensions=d, dtype=np.float64) for n, d in dimensions.items()},
        }
        try:
            return parse_expression_dimensions(value.tree, variables)
        except Exception as error:  # Brian2 raises many kinds
            raise ModelError(complaint(error), where=where) from error


def _without_firing(program: Program) -> Program:
    """Return a program that receives nothing and fires never; its reset stays."""
    program = replace(program, threshold=None, distance=None, scale=None, receive=())
    blocks = (*program.update, *program.reset, *program.prepare)
    used = {name for each in blocks for name in each.value.names}
    used |= {name for value in program.initial.values() for name in value.names}
    names = _needed({name: value.text for name, value in program.constants.items()}, used)
    return replace(program, constants={name: program.constants[name] for name in names})


@contextmanager
def _placed(side: SideName) -> Iterator[None]:
    """Name the side in errors of the lowering of its traces."""
    try:
        yield
    except ModelError as error:
        file, comma, key = (error.where or "").partition(", ")
        if key.startswith(("[parameters]", f"[{side}]")):
            raise
        key = f" {_KEYS.get(key, key)}" if comma else ""
        raise ModelError(
            error.what, where=f"{file}, [{side}]{key}", expected=error.expected, found=error.found,
            mend=error.mend,
        ) from error  # fmt: skip


#: Keys of a neuron model that are those of a side by another name.
_KEYS = {"reset": "on_spike"}


def _allowed(name: str) -> str:
    """Return a name that Brian2 allows for a parameter."""
    for suffix, other in _SUFFIXES.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix) + other
    return name


def _needed(parameters: Mapping[str, str], used: set[str]) -> dict[str, str]:
    """Return the parameters that are used, directly or by the value of another."""
    size = -1
    while len(used) > size:
        size = len(used)
        used = used | {
            other
            for name in used & parameters.keys()
            for other in Expression(parameters[name]).names
        }
    return {name: text for name, text in parameters.items() if name in used}
