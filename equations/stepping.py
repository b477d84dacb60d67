"""Run a `Program` on arrays: the blocks of one time step, on NumPy or any library like it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.functions import array_functions
from bioae.equations.hoisting import REFRACTORY_PREFIX
from bioae.equations.lowering import parameter_values
from bioae.equations.program import Program, Statement, Write, compile_statements
from bioae.equations.quantities import time_in_seconds
from bioae.equations.syntax import names_in
from bioae.errors import ModelError

__all__ = ["Block", "Stepper", "constant_values", "default_parameters", "initial_state"]

Array = Any
Values = dict[str, NDArray[Any]]

#: Brian2's time of the last spike of a neuron that never fired.
NEVER = -1e4


class Block:
    """Statements, compiled to run on a mapping from names to arrays.

    Parameters
    ----------
    statements
        What to run.
    keep
        The targets that are written back; any other is temporary.
    functions, write
        See `bioae.equations.program.compile_statements`.
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


class Stepper:
    """The blocks of one time step of a program; their order is the schedule's affair.

    Parameters
    ----------
    program
        The lowered neuron model.
    functions
        See `bioae.equations.functions.array_functions`; ``fired`` holds where a neuron fired.
    write_update, write_reset
        How a state is written there, as Python code; plainly, and where it fired, by default.
    """

    def __init__(
        self,
        program: Program,
        functions: Mapping[str, Callable[..., Any]],
        *,
        write_update: Write | None = None,
        write_reset: Write | None = None,
        reset_reads: Sequence[str] = ("_fired",),
    ) -> None:
        self.program = program
        states = tuple(program.states)
        reset = write_reset or self._where_fired

        def plain(statement: Statement, value: str) -> str:
            if not statement.guarded:
                return value
            return f"_fn['select'](not_refractory, {value}, {statement.target})"

        def block(statements: Sequence[Statement], write: Write, also: Sequence[str] = ()) -> Block:
            return Block(statements, states, functions, write, also)

        self.prepare = block(program.prepare, plain)
        self.update = block((*program.refractoriness, *program.update), write_update or plain)
        self.receive = block(program.receive, plain)
        self.on_spike = block(program.on_spike, self._where_fired, ["_fired"])
        self.reset = block(program.reset, reset, reset_reads)
        self.condition = _expression(program.condition, functions)
        self.distance = _expression(program.distance, functions)
        self.scale = _expression(program.scale, functions)
        self.random_start = {
            name: _expression(text, functions) for name, text in program.random_start.items()
        }

    def _where_fired(self, statement: Statement, value: str) -> str:
        if statement.target not in self.program.states:
            return value
        return f"_fn['select'](_fired, {value}, {statement.target})"


def _nothing(_: Mapping[str, Array]) -> None:
    return None


def _expression(
    text: str | None, functions: Mapping[str, Callable[..., Any]]
) -> Callable[[Mapping[str, Array]], Array]:
    if text is None:
        return _nothing
    names = tuple(sorted(names_in(text)))
    function = compile_statements([Statement("_value", text)], names, ["_value"], functions)
    return lambda values: function(*[values[name] for name in names])[0]


def default_parameters(program: Program) -> Values:
    """Return the model's parameters in base units, as arrays without dimensions."""
    values = parameter_values(program.model)
    return {name: np.asarray(float(values.get(name, 0.0))) for name in program.parameters}


def constant_values(
    program: Program, parameters: Mapping[str, Any], *, dt: float, n: int
) -> Values:
    """Return the values of the program's constants in float64.

    Parameters
    ----------
    program
        The lowered neuron model.
    parameters
        Its parameters in base units: scalars, or arrays (neuron).
    dt
        The time step in seconds.
    n
        The number of neurons.

    Returns
    -------
    dict
        By name, a scalar array or an array (neuron).
    """
    values = _environment(program, parameters, dt=dt, n=n)
    functions = array_functions(np)
    with np.errstate(all="ignore"):
        for name, text in program.constants.items():
            found = np.asarray(_expression(text, functions)(values), dtype=np.float64)
            if name.startswith(REFRACTORY_PREFIX):
                # It may well be 1/0, and is multiplied by 0 where a neuron is not refractory.
                found = np.where(np.isfinite(found), found, 0.0)
            values[name] = found
    return {name: np.asarray(values[name]) for name in program.constants}


def initial_state(program: Program, parameters: Mapping[str, Any], *, dt: float, n: int) -> Values:
    """Return the state from which every presentation starts, settled where the model asks for it.

    What is drawn anew for each presentation (`Program.random_start`) is 0 here.

    Returns
    -------
    dict
        By variable, an array (neuron), or one without dimensions where it is shared.

    Raises
    ------
    ModelError
        If settling does not end in finite numbers.
    """
    values = _environment(program, parameters, dt=dt, n=n)
    values |= constant_values(program, parameters, dt=dt, n=n)
    plain = (name for name in program.states if name not in program.initial)
    for name in (*plain, *program.initial):
        state = program.states[name]
        values[name] = _start(program, name, state.dtype, () if state.shared else (n,), values)
    if program.model.settle is not None:
        _settle(program, values, dt)
    return {name: np.asarray(values[name]) for name in program.states}


def _environment(program: Program, parameters: Mapping[str, Any], *, dt: float, n: int) -> Values:
    given = {**default_parameters(program), **parameters}
    values = {name: np.asarray(given[name], dtype=np.float64) for name in program.parameters}
    builtins = {
        "dt": np.asarray(dt),
        "N": np.asarray(float(n)),
        "i": np.arange(n, dtype=np.float64),
    }
    return {**values, **builtins, "t": np.asarray(0.0)}


def _start(
    program: Program, name: str, dtype: str, shape: tuple[int, ...], values: Values
) -> NDArray[Any]:
    if name == "not_refractory":
        return np.ones(shape, dtype=bool)
    if name == "lastspike":
        return np.full(shape, NEVER)
    model = program.model
    text = program.initial.get(name)
    value: Any = 0.0
    if text is not None and name not in program.random_start:
        value = _expression(text, array_functions(np))(values)
    elif text is None and name in model.parameters:
        value = float(parameter_values(model)[name])
    start = np.broadcast_to(np.asarray(value), shape)
    if dtype == "boolean":
        return start.astype(bool)
    return np.trunc(start) if dtype == "integer" else start.astype(float)


def _settle(program: Program, values: Values, dt: float) -> None:
    where = f"{program.model.name}.toml, [initial] settle"
    duration = time_in_seconds(str(program.model.settle), where=where, error=ModelError)
    steps = round(duration / dt)
    stepper = Stepper(program, array_functions(np))
    for step in range(steps):
        values["t"] = np.asarray((step - steps) * dt)
        stepper.prepare(values)
        stepper.update(values)
        fired = stepper.condition(values)
        if fired is not None:
            values["_fired"] = fired
            stepper.on_spike(values)
            stepper.reset(values)
    wild = [name for name in program.states if not np.isfinite(values[name]).all()]
    if wild:
        raise ModelError(
            f"settling does not end in finite numbers: {', '.join(wild)}",
            where=where,
            mend="Start closer to rest in [initial], or use a smaller dt",
        )
