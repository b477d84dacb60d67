"""Run a `Program` on arrays: the blocks of one time step, on NumPy or any library like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bioae.equations.arrays.emission import Write, compile_expression, compile_statements
from bioae.equations.program import Program, Statement
from bioae.equations.syntax import names_in

__all__ = ["Block", "Stepper", "guarded"]

Array = Any


class Block:
    """Statements, compiled to run on a mapping from names to arrays.

    Parameters
    ----------
    statements
        What to run.
    keep
        The targets that are written back; any other is temporary.
    functions, write
        See `bioae.equations.arrays.emission.compile_statements`.
    """

    def __init__(
        self,
        statements: Sequence[Statement],
        keep: Sequence[str],
        functions: Mapping[str, Callable[..., Any]],
        write: Write,
        also: Sequence[str] = (),
    ) -> None:
        targets = {statement.target for statement in statements}
        self._writes = tuple(name for name in keep if name in targets)
        temporary = targets - set(keep)
        read = {name for statement in statements for name in names_in(statement.value)}
        if any(statement.guarded for statement in statements):
            read.add("not_refractory")
        self._reads = tuple(sorted((read - temporary) | set(self._writes) | set(also)))
        self._function = compile_statements(
            statements, self._reads, self._writes, functions, write=write
        )

    def __call__(self, values: dict[str, Array]) -> None:
        """Run the statements; what they write replaces what stood in `values`."""
        results = self._function(*[values[name] for name in self._reads])
        values.update(zip(self._writes, results, strict=True))


def guarded(statement: Statement, value: str) -> str:
    """Return Python code that skips a guarded write while the neuron is refractory."""
    if not statement.guarded:
        return value
    return f"_fn['select'](not_refractory, {value}, {statement.target})"


class Stepper:
    """The blocks of one time step of a program; their order is the schedule's affair.

    Parameters
    ----------
    program
        The lowered neuron model.
    functions
        See `bioae.equations.arrays.functions.array_functions`; ``fired`` holds where a neuron
        fired.
    write_update, write_reset, write_spike
        How a state is written there, as Python code; plainly, and where it fired, by default.
    guard
        How a guarded statement is written: by default where the neuron is not refractory.
    reads
        What the given ways to write read, beside what the statements do.
    """

    def __init__(
        self,
        program: Program,
        functions: Mapping[str, Callable[..., Any]],
        *,
        write_update: Write | None = None,
        write_reset: Write | None = None,
        write_spike: Write | None = None,
        guard: Write = guarded,
        reads: Sequence[str] = (),
    ) -> None:
        self.program = program
        states = tuple(program.states)
        fired = ("_fired", *reads)

        def block(
            statements: Sequence[Statement], write: Write, also: Sequence[str] = reads
        ) -> Block:
            return Block(statements, states, functions, write, also)

        # Nothing comes between the two.
        self.prepare = block((*program.prepare, *program.regularly), guard)
        self.update = block((*program.refractoriness, *program.update), write_update or guard)
        self.receive = block(program.receive, guard)
        self.on_spike = block(program.on_spike, write_spike or self.where_fired, fired)
        self.reset = block(program.reset, write_reset or self.where_fired, fired)
        self._events = {
            _happened(name): (
                _expression(event.condition, functions),
                block(event.statements, self._where(_happened(name)), (_happened(name),)),
            )
            for name, event in program.events.items()
        }
        self.threshold = _expression(program.threshold, functions)
        self.condition = _expression(program.condition, functions)
        self.distance = _expression(program.distance, functions)
        self.scale = _expression(program.scale, functions)
        self.random_start = {
            name: _expression(text, functions) for name, text in program.random_start.items()
        }

    def watch(self, values: dict[str, Array]) -> None:
        """See where custom events happen: after the thresholds."""
        for happened, (condition, _) in self._events.items():
            values[happened] = condition(values)

    def respond(self, values: dict[str, Array]) -> None:
        """Run the statements of custom events where they happened: after the resets."""
        for _, statements in self._events.values():
            statements(values)

    def where_fired(self, statement: Statement, value: str) -> str:
        """Return Python code that writes a state where the neuron fired."""
        return self._where("_fired")(statement, value)

    def _where(self, condition: str) -> Write:
        def write(statement: Statement, value: str) -> str:
            if statement.target not in self.program.states:
                return value
            return f"_fn['select']({condition}, {value}, {statement.target})"

        return write


def _happened(event: str) -> str:
    return f"_happened_{event}"


def _nothing(_: Mapping[str, Array]) -> None:
    return None


def _expression(
    text: str | None, functions: Mapping[str, Callable[..., Any]]
) -> Callable[[Mapping[str, Array]], Array]:
    return _nothing if text is None else compile_expression(text, functions)
