"""Initial values of a program: parameters, constants, and the state of each neuron."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.declarations import parameter_order, parameter_values, random_parameters
from bioae.equations.expressions import Expression
from bioae.equations.lowering.noise import Draws
from bioae.equations.model import NeuronModel
from bioae.equations.program import NEVER, REFRACTORY_PREFIX, Draw, Noise, Program
from bioae.equations.quantities import constant_numbers, time_in_seconds
from bioae.equations.timed_arrays import check_interval
from bioae.errors import ModelError

Array = Any
Values = dict[str, NDArray[Any]]

_LONGEST_SETTLING = 1_000_000
#: A presentation starts with neurons that are not refractory.
_REFRACTORINESS = frozenset({"not_refractory", "lastspike"})


def default_parameters(program: Program) -> Values:
    """Return the model's parameters in base units, as arrays without dimensions."""
    return _declared(program, parameter_values(program.model))


def _declared(program: Program, defaults: Mapping[str, Any]) -> Values:
    return {name: np.asarray(float(defaults.get(name, 0.0))) for name in program.parameters}


def drawn_parameters(model: NeuronModel, draw: Callable[[Draw], NDArray[np.float64]]) -> Values:
    """Return the parameters that are random in the model's file, in base units (neuron).

    `draw` returns the random numbers (neuron) of a call, counted in the order of the file.
    """
    random = random_parameters(model)
    draws = Draws()
    named = {name: draws(Expression(text)) for name, text in model.parameters.items()}
    values = {name: np.asarray(value) for name, value in constant_numbers().items()}
    values |= {name: np.asarray(float(value)) for name, value in parameter_values(model).items()}
    values |= {name: draw(each) for name, each in draws.by_name.items()}
    with np.errstate(all="ignore"):
        for name in parameter_order(model):
            if name in random:
                values[name] = compile_expression(named[name], array_functions(np))(values)
    return {
        name: np.asarray(values[name], np.float64) for name in model.parameters if name in random
    }


class Start:
    """The constants and the initial state of a population, compiled once for all parameters.

    `dt`, `n`: the time step in seconds, and the number of neurons.

    Raises `ModelError` if an interval of the model is not a multiple of the time step.
    """

    def __init__(self, program: Program, dt: float, n: int) -> None:
        check_interval(program.model, dt)
        self._program, self._dt, self._n = program, dt, n
        self._functions = array_functions(np)
        self._defaults = parameter_values(program.model)
        self._shared: Values = {
            **_declared(program, self._defaults), "dt": np.asarray(dt), "N": np.asarray(float(n)),
            "i": np.arange(n, dtype=np.float64), "t": np.asarray(0.0),
            **{name: _first(each.at(0, dt), n) for name, each in program.timed.items()},
        }  # fmt: skip
        self._constants, self._initial = (
            {n: compile_expression(each, self._functions) for n, each in expressions.items()}
            for expressions in (program.constants, program.initial)
        )

    def __deepcopy__(self, memo: object) -> Start:
        return self  # it never changes

    def constants(self, parameters: Mapping[str, Any]) -> Values:
        """Return the values of the program's constants in float64: scalars, or arrays (neuron).

        `parameters`: its parameters in base units: scalars, or arrays (neuron).
        """
        values = self.environment(parameters)
        return {name: np.asarray(values[name]) for name in self._constants}

    def state(
        self, parameters: Mapping[str, Any], *, noise: Noise | None = None, settled: bool = True
    ) -> Values:
        """Return the state from which every presentation starts, settled if the model requires it.

        Variables that are drawn for each presentation (`Program.random_start`) are 0 here. A model
        with noise settles once: all presentations start from the state in which that one run ended.

        `parameters`: see `constants`.
        `noise`: returns the random numbers of a step, counted from the first presentation's start:
            steps before it are negative. It may be None for a model that does not settle in noise.
        `settled`: whether to let it settle; if not, the state is the one from which settling
            begins.

        Returns by variable, an array (neuron), or one without dimensions where it is shared.

        Raises `ModelError` if settling does not end in finite numbers.
        """
        program = self._program
        values = self.environment(parameters)
        settles = program.model.settle is not None
        if settles:
            values |= noise(0) if noise else {}
        plain = (name for name in program.states if name not in program.initial)
        for name in (*plain, *program.initial):
            values[name] = self._start(name, values)
        if settles and settled:
            settle(self._stepper, values, dt=self._dt, noise=noise)
            _check_settled(program, values)
            for name in _REFRACTORINESS & program.states.keys():
                values[name] = self._start(name, values)
        return {name: np.asarray(values[name]) for name in program.states}

    @cached_property
    def _stepper(self) -> Stepper:
        return Stepper(self._program, self._functions)

    def environment(self, parameters: Mapping[str, Any]) -> Values:
        """Return parameters, constants and Brian2's variables at the first step."""
        known = self._program.parameters.keys() & parameters.keys()
        values = self._shared | {n: np.asarray(parameters[n], dtype=np.float64) for n in known}
        with np.errstate(all="ignore"):
            for name, function in self._constants.items():
                value = np.asarray(function(values), dtype=np.float64)
                if name.startswith(REFRACTORY_PREFIX):
                    # It may be 1/0, and is multiplied by 0 where a neuron is not refractory.
                    value = np.where(np.isfinite(value), value, 0.0)
                values[name] = value
        return values

    def _start(self, name: str, values: Values) -> NDArray[Any]:
        state = self._program.states[name]
        shape = () if state.shared else (self._n,)
        if name == "not_refractory":
            return np.ones(shape, dtype=bool)
        if name == "lastspike":
            return np.full(shape, NEVER)
        value: Any = 0.0
        if name not in self._initial:
            value = float(self._defaults.get(name, 0.0))
        elif name not in self._program.random_start:
            value = self._initial[name](values)
        start = np.broadcast_to(np.asarray(value), shape)
        if state.dtype == "boolean":
            return start.astype(bool)
        return np.trunc(start) if state.dtype == "integer" else start.astype(float)


def settle(stepper: Stepper, values: dict[str, Array], *, dt: float, noise: Noise | None) -> None:
    """Run a model without input for its settling time; `values` that it writes are replaced."""
    model = stepper.program.model
    where = f"{model.name}.toml, [initial] settle"
    steps = round(time_in_seconds(str(model.settle), where=where, error=ModelError) / dt)
    if steps > _LONGEST_SETTLING:
        raise ModelError(
            "settling takes too many steps", where=where,
            expected=f"at most {_LONGEST_SETTLING:,} steps of {dt * 1e3:g} ms", found=f"{steps:,}",
        )  # fmt: skip
    for step in range(steps):
        values["t"] = (step - steps) * values["dt"]
        values |= noise(step - steps) if noise else {}
        stepper.prepare(values)
        stepper.update(values)
        fired = stepper.condition(values)
        if fired is not None:
            values["_fired"] = fired
            stepper.on_spike(values)
        stepper.watch(values)
        if fired is not None:
            stepper.reset(values)
        stepper.respond(values)


def _check_settled(program: Program, values: Values) -> None:
    wild = [name for name in program.states if not np.isfinite(values[name]).all()]
    if wild:
        raise ModelError(
            f"settling does not end in finite numbers: {', '.join(wild)}",
            where=f"{program.model.name}.toml, [initial] settle",
            hint="Start closer to rest in [initial], or use a smaller dt",
        )


def _first(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the first values of a timed array for some neurons, or those of the first neuron."""
    return values if values.shape in ((), (n,)) else values[0]
