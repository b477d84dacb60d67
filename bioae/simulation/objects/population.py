"""A layer's neurons as a Brian2 `NeuronGroup` that starts every presentation anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, second
from brian2.utils.stringtools import word_substitute
from numpy.typing import NDArray

from bioae.equations.arrays.start import constant_values, initial_state
from bioae.equations.declarations import brian2_equations
from bioae.equations.model import RESERVED_PREFIX
from bioae.equations.program import INHIBITION, INPUT, Program, Statement
from bioae.equations.quantities import physical_constants
from bioae.networks.schedule import Timing
from bioae.noise import START_STEP, settling_noise
from bioae.noise.brian import FUNCTIONS, brian2_functions
from bioae.simulation.code_runners import ConditionalRunner, quicken
from bioae.simulation.objects.noise_keys import EXAMPLE, SEED, refer_to_keys, shown_code
from bioae.simulation.objects.presentation_clock import PRESENTATION, STEP, clock_code

__all__ = ["Population"]

POPULATION = f"{RESERVED_PREFIX}population"


class Population(NeuronGroup):  # type: ignore[misc]
    """A `NeuronGroup` of a lowered model, with a presentation's time and input.

    Its ``t`` is the time since the presentation's start, also where its spikes are recorded;
    ``bioae_presentation`` tells which one (-1 before the first), ``bioae_step`` the step within it
    (-1 where the schedule leads in). Pathways add weights to ``bioae_input``, which is passed to
    the model once a step and then emptied; where inhibition arrives apart, they add the magnitudes
    of negative weights to ``bioae_inhibition`` instead.

    Parameters
    ----------
    program
        The lowered neuron model.
    parameters
        Its parameters in base units: scalars, or arrays (neuron).
    size
        The number of neurons.
    depth
        The layer's depth in the network.
    timing
        Where presentations lie in the run.
    clock
        The network's clock.
    name
        The group's name.
    apart
        Whether inhibition arrives apart.
    shares_input
        Another population whose input this one reads, and leaves in place.
    number
        Tells its noise from that of other populations.
    keys
        What its noise depends on besides: see `bioae.simulation.objects.noise_keys`. It may be
        None where the model draws no random numbers.
    """

    def __init__(
        self,
        program: Program,
        parameters: Mapping[str, NDArray[Any]],
        *,
        size: int,
        depth: int,
        timing: Timing,
        clock: Clock,
        name: str,
        apart: bool = False,
        shares_input: Population | None = None,
        number: int = 1,
        keys: NeuronGroup | None = None,
    ) -> None:
        dt = float(clock.dt)
        self.apart = apart
        self._shares_input = shares_input
        self._number = number
        self._keys = keys
        self._constants = constant_values(program, parameters, dt=dt, n=size)
        noise = settling_noise(program.draws, population=number, n=size)
        start = initial_state(program, parameters, dt=dt, n=size, noise=noise)
        self._start = {name: _as_stored(values, program, name) for name, values in start.items()}
        lead_in = timing.schedule.lead_in
        super().__init__(
            size,
            brian2_equations(program.model, {n for n, v in parameters.items() if np.ndim(v)}),
            method=_lowered(program, program.update),
            events=_conditions(program),
            namespace={
                **physical_constants(besides=program.states.keys() | program.parameters.keys()),
                **(brian2_functions() if program.draws else {}),
            },
            clock=clock,
            name=name,
            **_firing(program),
        )
        for variable, values in parameters.items():
            self.variables[variable].set_value(values)
        for variable, values in self._start.items():
            self.variables[variable].set_value(values)
        self._set_constants_over_dt(program)
        self._add_statements(program)
        self._add_start(program, lead_in)
        self._add_clock(timing, depth)
        self._add_input(program)
        quicken(self.thresholder)
        # Units were checked when the model was lowered; hoisted constants have none.
        for part in (*self.thresholder.values(), *self.resetter.values()):
            part.check_units = False

    def _create_variables(self, user_dtype: Any, events: list[str]) -> None:
        super()._create_variables(user_dtype, events)
        # Brian2 gives every group the clock's time; ours is the presentation's.
        del self.variables._variables["t"]
        self.variables.add_array("t", size=1, dimensions=second.dim, dtype=np.float64, scalar=True)
        for name in (STEP, PRESENTATION):
            self.variables.add_array(name, size=1, dtype=np.int64, scalar=True)
        for name in self._arriving():
            if self._shares_input is None:
                self.variables.add_array(name, size=self._N)
            else:
                self.variables.add_reference(name, self._shares_input, name)
        if self._keys is not None:
            refer_to_keys(self, self._keys)
            self.variables.add_array(
                POPULATION, size=1, values=self._number, dtype=np.int64, scalar=True, constant=True
            )
        starts = {_start_name(name): values for name, values in self._start.items()}
        for name, values in (self._constants | starts).items():
            shared = values.ndim == 0 or (values == values[0]).all()
            self.variables.add_array(
                name,
                size=1 if shared else self._N,
                values=values.ravel()[0] if shared else values,
                # Cython does not make a whole number of another.
                dtype=None if values.dtype == float else values.dtype,
                scalar=bool(shared),
                constant=True,
            )

    def _arriving(self) -> tuple[str, ...]:
        return (INPUT, INHIBITION) if self.apart else (INPUT,)

    def _set_constants_over_dt(self, program: Program) -> None:
        if self.subexpression_updater is not None:
            self.subexpression_updater.abstract_code = _code(program, program.prepare)
            self.subexpression_updater.check_units = False

    def _add_statements(self, program: Program) -> None:
        if program.refractory:
            # What was lowered, with names for its random numbers.
            self.state_updater._get_refractory_code = _lowered(program, program.refractoriness)
        for event, each in program.events.items():
            self.run_on_event(event, _code(program, each.statements))
        if program.regularly:
            code = _code(program, program.regularly)
            runner = self.run_regularly(code, when="start", name=f"{self.name}__regularly")
            runner.check_units = False

    def _add_start(self, program: Program, lead_in: int) -> None:
        # Random values last, which may depend on others.
        fixed = [name for name in program.written if name not in program.random_start]
        lines = [f"{name} = {_start_name(name)}" for name in fixed]
        draws = _draws(program, step=str(START_STEP))
        lines += [
            f"{name} = {word_substitute(expression.text, draws)}"
            for name, expression in program.random_start.items()
        ]
        ConditionalRunner(
            self, f"{STEP} == {-lead_in}", "\n".join(lines),
            when="before_start", order=-10, name=f"{self.name}__start",
        )  # fmt: skip

    def _add_clock(self, timing: Timing, depth: int) -> None:
        code = clock_code(timing, depth) + f"\nt = {STEP}*dt"
        if self._keys is not None:
            code += f"\n{shown_code(self._keys)}"
        self.run_regularly(code, when="before_start", order=-30, name=f"{self.name}__clock")

    def _add_input(self, program: Program) -> None:
        code = _code(program, program.receive)
        if self.apart and not program.inhibited:
            code = word_substitute(code, {INPUT: f"({INPUT} - {INHIBITION})"})
        if self._shares_input is None:
            code = "\n".join([code, *(f"{name} = 0" for name in self._arriving())])
        # After all pathways; who shares the input reads it before its owner empties it.
        order = 20 if self._shares_input is None else 10
        name = f"{self.name}__receive"
        runner = self.run_regularly(code, when="synapses", order=order, name=name)
        runner.check_units = False


def _as_stored(values: NDArray[Any], program: Program, state: str) -> NDArray[Any]:
    return values.astype(np.int32) if program.states[state].dtype == "integer" else values


def _start_name(variable: str) -> str:
    return f"{RESERVED_PREFIX}start_{variable}"


def _lowered(program: Program, statements: Iterable[Statement]) -> Any:
    code = _code(program, statements) + "\n"

    def lowered(*_: Any, **__: Any) -> str:
        """Return what Brian2 derived when the model was lowered, its constants taken out."""
        return code

    return lowered


def _firing(program: Program) -> dict[str, Any]:
    if program.threshold is None:
        return {}
    return {
        "threshold": word_substitute(program.threshold.text, _draws(program)),
        "reset": _code(program, program.reset),
        "refractory": program.model.refractory or False,
    }


def _conditions(program: Program) -> dict[str, str]:
    return {
        name: str(word_substitute(event.condition.text, _draws(program)))
        for name, event in program.events.items()
    }


def _code(program: Program, statements: Iterable[Statement]) -> str:
    return str(word_substitute("\n".join(map(str, statements)), _draws(program)))


def _draws(program: Program, step: str = STEP) -> dict[str, str]:
    """Return the calls that give the program's random numbers, by their names in it."""
    return {
        name: f"{FUNCTIONS[draw.distribution]}"
        f"({0 if draw.shared else 'i'}, {step}, {draw.call}, {POPULATION}, {SEED}, {EXAMPLE})"
        for name, draw in program.draws.items()
    }
