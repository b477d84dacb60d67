"""The blocks of one time step of a program, as functions on arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bioae.equations.arrays.compiling import (
    Functions,
    Write,
    compile_expression,
    compile_statements,
)
from bioae.equations.expressions import Expression, Statement
from bioae.equations.program import DUE, Event, Program

Array = Any


class Block:
    """Statements, compiled to run on a mapping from names to arrays.

    `statements`: the statements, in the order in which they run.
    `keep`: the targets that are written back; any other is temporary.
    `functions`, `write`: see `compile_statements`.
    `also`: names that `write` reads.
    """

    def __init__(
        self,
        statements: Sequence[Statement],
        keep: Sequence[str],
        functions: Functions,
        write: Write,
        also: Sequence[str] = (),
    ) -> None:
        targets = {statement.target for statement in statements}
        self._writes = tuple(name for name in keep if name in targets)
        temporary = targets - set(keep)
        read = {name for statement in statements for name in statement.value.names}
        if any(statement.guarded for statement in statements):
            read.add("not_refractory")
        self._reads = tuple(sorted((read - temporary) | set(self._writes) | set(also)))
        self._function = compile_statements(
            statements, self._reads, self._writes, functions, write=write
        )

    def __call__(self, values: dict[str, Array]) -> None:
        """Run the statements; their results replace entries of `values`."""
        results = self._function(*[values[name] for name in self._reads])
        values.update(zip(self._writes, results, strict=True))


def guarded(statement: Statement, value: str) -> str:
    """Return Python code that skips a guarded write while the neuron is refractory."""
    if not statement.guarded:
        return value
    return f"_fn['select'](not_refractory, {value}, {statement.target})"


class Stepper:
    """The blocks of one time step of a program; the schedule decides their order.

    `functions`: see `bioae.equations.arrays.functions.array_functions`; ``_fired`` is true for the
        neurons that fired.
    `write_update`, `write_reset`, `write_spike`: how a block writes a state, as Python code; by
        default the update writes all neurons, and the others those that fired.
    `guard`: how a guarded statement is written: by default where the neuron is not refractory.
    `reads`: names that these ways of writing read in addition to those of the statements.
    """

    def __init__(
        self,
        program: Program,
        functions: Functions,
        *,
        write_update: Write | None = None,
        write_reset: Write | None = None,
        write_spike: Write | None = None,
        guard: Write = guarded,
        reads: Sequence[str] = (),
    ) -> None:
        self.program = program
        self._lookup = functions["lookup"]
        states = tuple(program.states)
        fired = ("_fired", *reads)

        def block(
            statements: Sequence[Statement], write: Write, also: Sequence[str] = reads
        ) -> Block:
            return Block(statements, states, functions, write, also)

        due = program.due
        self._due = None if due is None else compile_expression(due, functions)
        self._prepare = block(
            (*program.prepare, *(program.regularly if due is None else ())), guard
        )
        self._regularly = block(program.regularly, self._where_due(guard), (*reads, DUE))
        self.update = block((*program.refractoriness, *program.update), write_update or guard)
        self.receive = block(program.receive, guard)
        self.on_spike = block(program.on_spike, write_spike or self.where_fired, fired)
        self.reset = block(program.reset, write_reset or self.where_fired, fired)
        self._events = {
            Event.happened(name): (
                compile_expression(event.condition, functions),
                block(event.statements, self._where(Event.happened(name)), (Event.happened(name),)),
            )
            for name, event in program.events.items()
        }
        self.threshold = _optional(program.threshold, functions)
        self.condition = _optional(program.condition, functions)
        self.distance = _optional(program.distance, functions)
        self.scale = _optional(program.scale, functions)
        self.random_start = {
            name: compile_expression(value, functions)
            for name, value in program.random_start.items()
        }

    def prepare(self, values: dict[str, Array]) -> None:
        """Run the statements before a step and in the slot ``start``."""
        for name, timed in self.program.timed.items():
            found = self._lookup(name, timed, values["t"], values["dt"])
            values[name] = found if timed.neurons is None else self._in_shape(found, values)
        self._prepare(values)
        if self._due is not None:
            values[DUE] = self._due(values)
            self._regularly(values)

    def _in_shape(self, found: Array, values: Mapping[str, Array]) -> Array:
        """Return numbers (..., neuron), of the steps of ``t``, in the shape of the neurons.

        A neuron that is not in its population has those of the first one.
        """
        shape, lead = tuple(values[next(iter(self.program.states))].shape), found.shape[:-1]
        while math.prod(shape) > found.shape[-1]:
            shape = shape[1:]  # without the axes of steps and examples
        if math.prod(shape) != found.shape[-1]:
            return found[..., 0]
        return found.reshape((*lead[: max(len(lead) - len(shape), 0)], *shape))

    def watch(self, values: dict[str, Array]) -> None:
        """Evaluate the conditions of custom events: after the thresholds."""
        for name, (condition, _) in self._events.items():
            values[name] = _as_array(condition(values), values["dt"])

    def respond(self, values: dict[str, Array]) -> None:
        """Run the statements of custom events where they happened: after the resets."""
        for _, statements in self._events.values():
            statements(values)

    def where_fired(self, statement: Statement, value: str) -> str:
        """Return Python code that writes a state where the neuron fired."""
        return self._where("_fired")(statement, value)

    def _where_due(self, guard: Write) -> Write:
        due = self._where(DUE)
        return lambda statement, value: due(statement, f"({guard(statement, value)})")

    def _where(self, condition: str) -> Write:
        def write(statement: Statement, value: str) -> str:
            if statement.target not in self.program.states:
                return value
            return f"_fn['select']({condition}, {value}, {statement.target})"

        return write


def _as_array(condition: Array, positive: Array) -> Array:
    """Return a condition as an array: one that names nothing, such as ``True``, is Python's."""
    if not isinstance(condition, bool):
        return condition
    return (positive > 0) == condition


def _optional(
    expression: Expression | None, functions: Functions
) -> Callable[[Mapping[str, Array]], Array]:
    return (lambda _: None) if expression is None else compile_expression(expression, functions)
