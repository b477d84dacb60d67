"""Checks of a model's strings: names, units, and the variables that statements may write."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import Variable
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    PARAMETER,
    SUBEXPRESSION,
    Equations,
)
from brian2.parsing.expressions import is_boolean_expression, parse_expression_dimensions
from brian2.stateupdaters.base import StateUpdateMethod
from brian2.units import Quantity, second
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension

from bioae.equations.assignments import parse_assignments
from bioae.equations.expressions import Expression, check_names, parse_expression
from bioae.equations.grammar import BUILT_IN, REFRACTORINESS
from bioae.equations.language import complaint
from bioae.equations.model import NeuronModel
from bioae.equations.names import check_name
from bioae.equations.quantities import SOME_DT, constants, evaluate, time_in_seconds, unit_name
from bioae.errors import ModelError, did_you_mean

_DTYPES = {"float": np.float64, "integer": np.int32, "boolean": np.bool_}


def methods() -> tuple[str, ...]:
    """Return the names of the state updaters that a model may use."""
    names = StateUpdateMethod.stateupdaters
    return tuple(name for name in names if not name.startswith("gsl"))


def check_model(
    model: NeuronModel,
    equations: Equations,
    parameters: Mapping[str, Quantity],
    copied: Collection[str],
) -> None:
    """Check every string of a model.

    `equations`, `parameters`: its declarations: see `bioae.equations.declarations`; `copied`: see
    `bioae.equations.declarations.copied_variables`.

    Raises `ModelError` if one is malformed, names something unknown, has the wrong unit, or writes
    a variable that it may not write.
    """
    checks = _Checks(model, equations, parameters, copied)
    checks.equations()
    checks.input()
    checks.largest_dt()
    checks.firing()
    checks.statements()
    checks.initial()


class _Checks:
    def __init__(
        self,
        model: NeuronModel,
        equations: Equations,
        parameters: Mapping[str, Quantity],
        copied: Collection[str],
    ) -> None:
        self.model = model
        self.declared = equations
        self.parameters = parameters
        self.states = {
            name: equation
            for name, equation in equations.items()
            if equation.type != SUBEXPRESSION and "constant" not in equation.flags
        }
        self.copied = copied
        self.own = {*equations, *BUILT_IN, *(REFRACTORINESS if model.refractoriness else ())}
        units = {name: equation.dim for name, equation in equations.items()}
        units |= {"t": second.dim, "dt": second.dim, "lastspike": second.dim}
        types = {name: _DTYPES[equation.var_type] for name, equation in equations.items()}
        types["not_refractory"] = np.bool_
        self.variables: dict[str, Any] = {
            **DEFAULT_FUNCTIONS,
            **_constants(),
            **{
                name: _variable(name, units.get(name, DIMENSIONLESS), types.get(name, np.float64))
                for name in self.own
            },
        }

    def equations(self) -> None:
        where = self._where("equations")
        if not self.states:
            raise ModelError(
                "the equations declare no variable", where=where, expected="'dv/dt = -v/tau : 1'"
            )
        for name, equation in self.declared.items():
            if "linked" in equation.flags:
                raise ModelError(
                    "linked variables are not supported", where=where, found=f"{name} (linked)"
                )
            if equation.type == DIFFERENTIAL_EQUATION and "shared" in equation.flags:
                raise ModelError(
                    "a shared variable cannot have a differential equation",
                    where=where,
                    found=f"{name} (shared)",
                    hint="Write its steps in `run_regularly`",
                )
            if equation.expr is not None:
                noise = {n for n in equation.identifiers if n == "xi" or n.startswith("xi_")}
                expression = parse_expression(str(equation.expr), where=where, random=True)
                self._check_names(expression, where, also=noise)
        if self.model.method is not None and self.model.method not in methods():
            raise ModelError(
                "this method of integration is not supported",
                where=self._where("method"),
                expected=f"one of {', '.join(methods())}",
                found=repr(self.model.method),
            )

    def input(self) -> None:
        model = self.model
        self._received("input", model.input)
        self._amount("weight", model.weight, model.input)
        for name, amount in model.inputs.items():
            self._received("[inputs]", name)
            self._amount(f"[inputs] {name}", amount, name)
        for table in ("targets", "layer_spikes"):
            for name, amount in getattr(model, table).items():
                self._received(f"[{table}]", name)
                self._amount(f"[{table}] {name}", amount, name)
        if model.inhibition is not None:
            self._inhibition(model.inhibition)
        if model.potential is not None:
            self._received("potential", model.potential)

    def _received(self, key: str, name: str) -> None:
        writable = [
            other
            for other, equation in self.states.items()
            if equation.var_type == "float" and not self._is_shared(other)
        ]
        if name not in writable:
            kind = key if key in ("inhibition", "potential") else "input"
            raise ModelError(
                f"the {kind} variable {name!r} is not a variable of the neuron",
                where=self._where(key),
                expected=f"one of {', '.join(sorted(writable)) or 'none'}",
            )

    def _inhibition(self, name: str) -> None:
        self._received("inhibition", name)
        unit, expected = self.declared[name].dim, self.declared[self.model.input].dim
        if unit != expected:
            raise ModelError(
                "the inhibition has another unit than the input, and `weight` scales both",
                where=self._where("inhibition"),
                expected=f"{unit_name(expected)}, as {self.model.input} has",
                found=f"{unit_name(unit)}, of {name}",
            )

    def _amount(self, key: str, amount: str, variable: str) -> None:
        where = self._where(key)
        unit = self.declared[variable].dim
        names = {**self.parameters, "dt": SOME_DT}
        weight = evaluate(amount, names, dimensions_of=unit, where=where, error=ModelError)
        if not np.isfinite(weight) or float(weight) == 0:
            raise ModelError("a weight must be finite, and not 0", where=where, found=amount)

    def largest_dt(self) -> None:
        if self.model.dt is not None:
            time_in_seconds(self.model.dt, where=self._where("dt"), error=ModelError)

    def firing(self) -> None:
        model = self.model
        if model.run_every is not None:
            time_in_seconds(model.run_every, where=self._where("run_every"), error=ModelError)
        if model.threshold is not None:
            self._condition(model.threshold, "threshold")
        if model.refractory is not None:
            self._expression(model.refractory, "refractory", random=True)
        if model.surrogate is not None:
            distance, scale = (self._amount_of(key, text) for key, text in model.surrogate)
            if distance != scale:
                raise ModelError(
                    "the scale has another unit than the distance",
                    where=self._where("[surrogate]"),
                    expected=unit_name(distance),
                    found=unit_name(scale),
                )

    def _amount_of(self, key: str, text: str) -> Dimension:
        """Return the unit of a number of the surrogate."""
        tree = self._expression(text, f"[surrogate] {key}").tree
        if self._is_condition(tree, "[surrogate]"):
            raise ModelError(
                f"the {key} is a condition",
                where=self._where(f"[surrogate] {key}"),
                expected='a number, for instance "v - theta"',
                found=repr(text),
            )
        return self._unit(tree)

    def statements(self) -> None:
        self._statements(self.model.reset, "reset", by="a reset")
        for name, event in self.model.events.items():
            self._condition(event.condition, f"[events.{name}] condition")
            self._statements(event.reset, f"[events.{name}] reset", by="an event")
        self._statements(self.model.run_regularly, "run_regularly", by="run_regularly", shared=True)

    def _condition(self, text: str, key: str) -> None:
        expression = self._expression(text, key, random=True)
        if not self._is_condition(expression.tree, key):
            raise ModelError(
                f"the {key if key == 'threshold' else 'event'} is not a condition",
                where=self._where(key),
                expected='for instance "v > theta"',
                found=repr(text),
            )

    def _is_condition(self, tree: ast.expr, key: str) -> bool:
        with _brian2(self._where(key)):
            return bool(is_boolean_expression(tree, self.variables))

    def _statements(self, code: str | None, key: str, *, by: str, shared: bool = False) -> None:
        where = self._where(key)
        written = self._writable(shared)
        variables = dict(self.variables)
        own, unread = set(self.own), set[str]()
        separate: str | None = None
        for target, value, _ in parse_assignments(code or "", where=where):
            self._check_names(value, where, also=own)
            unread -= value.names
            with _brian2(where):
                unit = parse_expression_dimensions(value.tree, variables)
            if target in written:
                self._check_unit(unit, written[target], value.text, where)
                if not self._is_shared(target):
                    separate = target
                elif separate is not None:
                    raise ModelError(
                        f"the shared variable {target!r} is written after {separate!r}",
                        where=where,
                        hint="Write shared variables first, as Brian2 requires",
                    )
            elif target in {*self.own, *constants(), *DEFAULT_FUNCTIONS} or target.startswith("_"):
                raise self._not_written(target, key, by, written)
            else:
                # A temporary variable of the statements.
                check_name(target, where=where)
                own.add(target)
                unread.add(target)
                variables[target] = _variable(target, unit)
        for target in sorted(unread):
            raise self._not_written(target, key, by, written)

    def _writable(self, shared: bool) -> dict[str, Dimension]:
        written = {
            name: equation.dim
            for name, equation in self.states.items()
            if shared or not self._is_shared(name)
        }
        if self.model.refractoriness:
            written |= {"not_refractory": DIMENSIONLESS, "lastspike": second.dim}
        return written

    def _is_shared(self, name: str) -> bool:
        # A copy of a shared variable is not a variable of the neuron either.
        return name in self.copied or (
            name in self.declared and "shared" in self.declared[name].flags
        )

    def initial(self) -> None:
        where = self._where("[initial] settle")
        if self.model.settle is not None:
            time_in_seconds(self.model.settle, where=where, error=ModelError)
        for name, text in self.model.initial_state.items():
            key = f"[initial] {name}"
            if name not in self.states:
                raise ModelError(
                    "this is not a variable of the model",
                    where=self._where(key),
                    expected=f"one of {', '.join(self.states)}",
                )
            expression = self._expression(text, key, random=True)
            if expression.names & REFRACTORINESS:
                raise ModelError("no neuron is refractory at the start", where=self._where(key))
            unit = self._unit(expression.tree)
            self._check_unit(unit, self.declared[name].dim, text, self._where(key))

    def _expression(self, text: str, key: str, *, random: bool = False) -> Expression:
        where = self._where(key)
        expression = parse_expression(text, where=where, random=random)
        self._check_names(expression, where)
        tree = expression.tree
        with _brian2(where):
            for part in ast.walk(tree):
                if isinstance(part, ast.Compare):
                    left, right = map(self._unit, (part.left, part.comparators[0]))
                    self._check_unit(right, left, Expression.of(part.comparators[0]).text, where)
            self._unit(tree)
        return expression

    def _check_names(
        self, expression: Expression, where: str, also: set[str] | None = None
    ) -> None:
        own = self.own | (also or set())
        check_names(expression, own | constants().keys(), where=where, listed=own - BUILT_IN)

    def _unit(self, node: ast.expr) -> Dimension:
        return parse_expression_dimensions(node, self.variables)

    def _check_unit(self, unit: Dimension, expected: Dimension, text: str, where: str) -> None:
        if unit != expected:
            raise ModelError(
                f"{text!r} has the wrong unit",
                where=where,
                expected=unit_name(expected),
                found=unit_name(unit),
            )

    def _not_written(
        self, name: str, key: str, by: str, written: Mapping[str, Dimension]
    ) -> ModelError:
        equation = self.declared.get(name)
        hint = did_you_mean(name, written)
        if equation is not None and equation.type == PARAMETER and name not in self.states:
            hint = f"Declare it in the equations, as `{name} : {unit_name(equation.dim)}`"
        elif name in self.states:
            hint = "Only run_regularly can write a variable that all neurons share"
        return ModelError(
            f"{by} cannot write {name!r}",
            where=self._where(key),
            expected=f"one of {', '.join(sorted(written.keys() - REFRACTORINESS))}",
            hint=hint,
        )

    def _where(self, key: str) -> str:
        return f"{self.model.name}.toml, {key}"


@contextmanager
def _brian2(where: str) -> Iterator[None]:
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # Brian2 raises many kinds
        raise ModelError(complaint(error), where=where) from error


@cache
def _constants() -> dict[str, Variable]:
    return {name: _variable(name, Quantity(value).dim) for name, value in constants().items()}


def _variable(name: str, unit: Dimension, dtype: Any = np.float64) -> Variable:
    return Variable(name=name, dimensions=unit, dtype=dtype)
