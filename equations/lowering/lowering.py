"""Lower a neuron model to its `Program`: the statements that Brian2 itself derives from it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from brian2.equations.equations import PARAMETER, SUBEXPRESSION, Equations

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.assignments import Assignment, parse_assignments, without_refractory
from bioae.equations.declarations import (
    brian2_equations,
    check_trainable,
    copied_variables,
    in_order,
    parameter_values,
)
from bioae.equations.expressions import Expression, Statement
from bioae.equations.grammar import is_condition
from bioae.equations.language import parsed_equations
from bioae.equations.lowering.checks import check_model
from bioae.equations.lowering.conditions import check_integrated, is_true_or_false
from bioae.equations.lowering.constants import check_constants, divided_times
from bioae.equations.lowering.hoisting import Hoist
from bioae.equations.lowering.noise import MEANS, Draws, in_order_of_text
from bioae.equations.lowering.probing import Probe
from bioae.equations.lowering.surrogate import read_surrogate
from bioae.equations.model import NeuronModel
from bioae.equations.operators import LEAST_INTEGER
from bioae.equations.program import (
    INHIBITION,
    INPUT,
    LAYER_SPIKES,
    TEMPORARY,
    Event,
    Parameter,
    Program,
    State,
    Statements,
    input_to,
)
from bioae.equations.quantities import SOME_DT, constant_numbers, finite, unit_name
from bioae.equations.timed_arrays import timed_arrays, without_timed_arrays
from bioae.errors import ModelError


def lower(model: NeuronModel) -> Program:
    """Return the statements that Brian2 runs for a model in each time step.

    Parameters
    ----------
    model
        The neuron model.

    Raises
    ------
    ModelError
        If Brian2 rejects the model (an unknown name, wrong units, a method that cannot integrate
        the equations), or the model uses a construct that is not supported.
    """
    if not isinstance(model, NeuronModel):
        raise ModelError(
            "this is not a neuron model",
            expected="a bioae.NeuronModel",
            found=type(model).__name__,
            hint='Load one: bioae.load_neuron("lif")',
        )
    return _lower(model.name, model.model_dump_json())


@lru_cache(maxsize=128)
def _lower(name: str, fields: str) -> Program:
    model = NeuronModel.model_validate({**json.loads(fields), "name": name})
    lowering = _Lowering(model)
    program = lowering.program()
    compiled = partial(compile_expression, functions=array_functions(np))
    check_constants(program, lowering.equations, lowering.values, compiled)
    return program


def positive_times(model: NeuronModel) -> set[str]:
    """Return the parameters of a model that are times and that its equations divide by."""
    model = without_timed_arrays(model)
    return divided_times(brian2_equations(model), parameter_values(model))


class _Lowering:
    """Read the abstract code that Brian2 derives, name random numbers, hoist constants."""

    def __init__(self, model: NeuronModel) -> None:
        self.timed = timed_arrays(model)
        self.model = model = without_timed_arrays(model)
        self.where = f"{model.name}.toml"
        self.values = parameter_values(model)
        # Before Brian2 reads them.
        check_integrated(parsed_equations(model), where=f"{self.where}, equations")
        declared = brian2_equations(model)
        self.copied = copied_variables(model)
        check_model(model, declared, self.values, self.copied)
        self.draws = Draws()
        self.probe = Probe(model, declared)
        # Last: the equations explain a parameter of the wrong unit better.
        check_trainable(model, declared, self.values)
        self.equations: Equations = self.probe.equations
        self.states: dict[str, State] = {}
        self.parameters: dict[str, Parameter] = {}
        self.subexpressions: dict[str, Expression] = {}
        for name, each in self.equations.items():
            shared = "shared" in each.flags
            if each.type == SUBEXPRESSION:
                self.subexpressions[name] = Expression(str(each.expr))
            elif name in self.timed:
                continue
            elif each.type == PARAMETER and "constant" in each.flags:
                self.parameters[name] = Parameter(
                    unit_name(each.dim), per_neuron=not shared, dtype=each.var_type
                )
            else:
                self.states[name] = State(unit_name(each.dim), each.var_type, shared)
        units = {n: v for n, v in constant_numbers().items() if n not in self.equations.names}
        self.conditions = {n for n, each in self.equations.items() if each.var_type == "boolean"}
        inline = {**self.subexpressions, "t_in_timesteps": Expression("floor(t/dt + 0.5)")}
        self.hoist = Hoist({"dt", "i", "N", *self.parameters}, units, inline, self.conditions)

    def program(self) -> Program:
        guarded = [name for name in self.states if self._guarded(name)]
        integration = in_order_of_text(self.probe.update(), self.model.equations)
        integration = without_refractory(integration, guarded, self.states)
        update = self._statements(integration)
        refractoriness = self._statements(self.probe.refractoriness())
        parts: dict[str, Any] = {
            "refractoriness": refractoriness,
            "update": update,
            "prepare": self._prepare(),
            "regularly": self._written("run_regularly", self.model.run_regularly),
            "due": self._due(),
            **self._firing(),
            "on_spike": self._on_spike(),
            "reset": self._written("reset", self.model.reset, may_guard=False),
            "events": self._events(),
            "receive": self._receive(),
        }
        initial = {
            name: self._start(name, Expression(text))
            for name, text in self.model.initial_state.items()
        }
        return Program(
            model=self.model,
            states=self.states,
            parameters=self.parameters,
            initial=self._in_order(initial),
            constants=self.hoist.constants,
            draws=self.draws.by_name,
            timed=self.timed,
            **parts,
        )

    # The blocks

    def _prepare(self) -> Statements:
        # Brian2 wants shared variables first; they depend on no others.
        code = sorted(
            self.probe.constant_over_dt(),
            key=lambda each: "shared" not in self.equations[each.target].flags,
        )
        return self._statements(code)

    def _timed_starts(self) -> dict[str, Expression]:
        return {
            name: Expression(f"{each.first!r}*({unit_name(self.equations[name].dim)})")
            for name, each in self.timed.items()
        }

    def _due(self) -> Expression | None:
        every = self.model.run_every
        if every is None:
            return None
        # `check_interval` refuses an interval that is no multiple of dt.
        return self.hoist(Expression(f"t_in_timesteps % timestep({every}, dt) == 0"))

    def _firing(self) -> dict[str, Expression | None]:
        if self.model.threshold is None:
            return dict.fromkeys(("threshold", "distance", "scale"))
        self.probe.check_threshold()
        # Drawn first: the distance to threshold must name the same random numbers.
        threshold = self.draws(Expression(self.model.threshold))
        distance, scale = read_surrogate(
            self.model,
            threshold,
            conditions={
                name: self.subexpressions.get(name)
                for name, each in self.equations.items()
                if each.var_type == "boolean"
            },
            states={name: state.unit for name, state in self.states.items()},
            inline={**self.subexpressions, **self._timed_starts()},
            values=self.values,
            means={name: MEANS[draw.distribution] for name, draw in self.draws.by_name.items()},
        )
        return {
            "threshold": self.hoist(threshold),
            "distance": self.hoist(distance),
            "scale": self.hoist(scale),
        }

    def _on_spike(self) -> Statements:
        if "lastspike" not in self.equations:
            return ()
        return (
            Statement("not_refractory", Expression("False")),
            Statement("lastspike", Expression("t")),
        )

    def _events(self) -> dict[str, Event]:
        events = {}
        for name in sorted(self.model.events, key=Event.place):
            event = self.model.events[name]
            events[name] = Event(
                self.hoist(self.draws(Expression(event.condition))),
                self._written(f"[events.{name}] reset", event.reset, may_guard=False),
            )
        return events

    def _receive(self) -> Statements:
        model = self.model
        statements = [self._received(name, INPUT, text) for name, text in model.received.items()]
        if model.inhibition is not None:
            statements.append(self._received(model.inhibition, INHIBITION, model.weight))
        statements += [
            self._received(name, input_to(name), text, "[targets]")
            for name, text in model.targets.items()
        ]
        statements += [
            self._received(name, LAYER_SPIKES, text, "[layer_spikes]")
            for name, text in model.layer_spikes.items()
        ]
        return tuple(statements)

    def _received(self, target: str, arrived: str, amount: str, table: str = "") -> Statement:
        weight = Expression(amount)
        names = {**self.values, "dt": SOME_DT}
        if not table and target in self.model.inputs:
            table = "[inputs]"
        key = f"{table} {target}" if table else "weight"
        value = finite(weight.text, names, where=f"{self.where}, {key}")
        if float(value) != 1.0 or "dt" in weight.names:
            arrived = f"{arrived}*{self.hoist(weight)}"
        return Statement(target, Expression(f"{target} + {arrived}"), self._guarded(target))

    # Reading code

    def _written(self, key: str, code: str | None, *, may_guard: bool = True) -> Statements:
        """Return the statements of code from the model's file, as Brian2 will assign them."""
        parsed = [*parse_assignments(code or "", where=f"{self.where}, {key}")]
        for target, value, _ in parsed:
            if target not in self.states and value.text in ("True", "False"):
                raise ModelError(
                    f"the temporary variable {target!r} is a literal Boolean",
                    where=f"{self.where}, {key}",
                    found=f"{target} = {value}",
                    hint="Write 1 or 0",
                )
        rewritten = [self.probe.rewritten(each, key) for each in parsed]
        # A reset overrides the conditional write.
        return self._statements(rewritten, may_guard=may_guard)

    def _statements(self, code: Iterable[Assignment], *, may_guard: bool = True) -> Statements:
        statements = []
        temporaries: dict[str, Expression] = {}
        for target, assigned, _ in code:
            value = assigned.substituted(temporaries)
            drawn = self.draws(self._as_stored(target, value), shared=target in self.copied)
            guarded = may_guard and self._guarded(target)
            if guarded and drawn.names & self.draws.by_name.keys():
                # Brian2 draws for all neurons; a guarded write would draw for some of them.
                temporary = f"{TEMPORARY}{target}"
                statements.append(Statement(temporary, self.hoist(drawn)))
                drawn = Expression(temporary)
            written = target
            if target not in self.states:
                # The name may be one of generated code, such as `_idx` of a variable `idx`. Each
                # assignment has its own: the first would decide on the type of all.
                written = f"{TEMPORARY}{target}"
                while any(each.target == written for each in statements):
                    written += "_"
                temporaries[target] = Expression(written)
                # It has the type of its value.
                condition = is_true_or_false(value.tree, self.conditions)
                (self.conditions.add if condition else self.conditions.discard)(written)
            statements.append(Statement(written, self.hoist(drawn), guarded))
        return tuple(statements)

    def _as_stored(self, target: str, value: Expression) -> Expression:
        """Return a value, converted to the type of the target."""
        if target not in self.states:
            return value
        kind = self.states[target].dtype
        if kind == "boolean":
            # The name of a parameter is a number on arrays.
            return value if is_condition(value.tree) else Expression(f"({value}) != 0")
        if is_true_or_false(value.tree, self.conditions) or (
            kind == "integer" and not _is_whole(value.tree)
        ):
            return Expression(f"int({value})")
        return value

    def _start(self, target: str, value: Expression) -> Expression:
        drawn = self.draws(value, shared=target in self.copied)
        return self.hoist(value if drawn == value else self._as_stored(target, drawn))

    def _guarded(self, target: str) -> bool:
        return (
            self.model.refractoriness is not None
            and target in self.equations
            and "unless refractory" in self.equations[target].flags
        )

    def _in_order(self, initial: dict[str, Expression]) -> dict[str, Expression]:
        needed = {name: value.names & initial.keys() for name, value in initial.items()}
        return {name: initial[name] for name in in_order(needed, where=f"{self.where}, [initial]")}


def _is_whole(node: ast.AST) -> bool:
    """Return whether a syntax tree is an integer of 32 bits."""
    match node:
        case ast.Constant(value=int() as value):
            return LEAST_INTEGER <= value < -LEAST_INTEGER
    return False
