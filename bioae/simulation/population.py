"""A layer's neurons as a Brian2 `NeuronGroup` that starts every presentation anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, second
from brian2.utils.stringtools import word_substitute
from numpy.typing import NDArray

from bioae.equations.lowering import brian2_equations
from bioae.equations.model import RESERVED_PREFIX
from bioae.equations.program import Program, Statement
from bioae.equations.stepping import constant_values, initial_state
from bioae.noise import START_STEP
from bioae.noise.brian import FUNCTIONS, brian2_functions
from bioae.schedule import Timing

__all__ = ["INPUT", "PRESENTATION", "STEP", "Population"]

INPUT = f"{RESERVED_PREFIX}input"
STEP = f"{RESERVED_PREFIX}step"
PRESENTATION = f"{RESERVED_PREFIX}presentation"
START_EVENT = f"{RESERVED_PREFIX}start"
POPULATION = f"{RESERVED_PREFIX}population"
SEED = f"{RESERVED_PREFIX}seed"
EXAMPLE = f"{RESERVED_PREFIX}example"
SHOWN = f"{RESERVED_PREFIX}shown"


class Population(NeuronGroup):  # type: ignore[misc]
    """A `NeuronGroup` of a lowered model, with a presentation's time and input.

    Its ``t`` is the time since the presentation's start, also where its spikes are recorded;
    ``bioae_presentation`` tells which one (-1 before the first), ``bioae_step`` the step within it
    (-1 where the schedule leads in). Pathways add weights to ``bioae_input``, which is passed to
    the model once a step and then emptied.

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
    shares_input
        Another population whose input this one reads, and leaves in place.
    number
        Tells its noise from that of other populations.
    keys
        What its noise depends on besides: see `bioae.simulation.keys`. It may be None where the
        model draws no random numbers.
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
        shares_input: Population | None = None,
        number: int = 1,
        keys: NeuronGroup | None = None,
    ) -> None:
        dt = float(clock.dt)
        self._shares_input = shares_input
        self._number = number
        self._keys = keys
        self._constants = constant_values(program, parameters, dt=dt, n=size)
        self._start = initial_state(program, parameters, dt=dt, n=size)
        lead_in = timing.schedule.lead_in
        super().__init__(
            size,
            brian2_equations(program.model),
            method=_integration(program),
            events={START_EVENT: f"{STEP} == {-lead_in}"},
            namespace=dict(brian2_functions()) if program.draws else {},
            clock=clock,
            name=name,
            **_firing(program),
        )
        for variable, values in parameters.items():
            self.variables[variable].set_value(values)
        for variable, values in self._start.items():
            self.variables[variable].set_value(values)
        self._set_constants_over_dt(program)
        self._add_start(program)
        self._add_clock(timing, depth)
        self._add_input(program)
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
        if self._shares_input is None:
            self.variables.add_array(INPUT, size=self._N)
        else:
            self.variables.add_reference(INPUT, self._shares_input, INPUT)
        if self._keys is not None:
            self._add_keys(self._keys)
        starts = {_start_name(name): values for name, values in self._start.items()}
        for name, values in (self._constants | starts).items():
            shared = values.ndim == 0 or (values == values[0]).all()
            self.variables.add_array(
                name,
                size=1 if shared else self._N,
                values=values.ravel()[0] if shared else values,
                dtype=values.dtype if values.dtype == bool else None,
                scalar=bool(shared),
                constant=True,
            )

    def _add_keys(self, keys: NeuronGroup) -> None:
        self.variables.add_array(SHOWN, size=1, dtype=np.int32, scalar=True)
        self.variables.add_array(
            POPULATION, size=1, values=self._number, dtype=np.int64, scalar=True, constant=True
        )
        self.variables.add_reference(SEED, keys, "seed")
        self.variables.add_reference(EXAMPLE, keys, "example", index=SHOWN)

    def _set_constants_over_dt(self, program: Program) -> None:
        if self.subexpression_updater is not None:
            self.subexpression_updater.abstract_code = _code(program, program.prepare)
            self.subexpression_updater.check_units = False

    def _add_start(self, program: Program) -> None:
        # A set-back in `run_regularly` would skip what refractory neurons may not write.
        # Random values last, which may depend on others.
        fixed = [name for name in program.written if name not in program.random_start]
        lines = [f"{name} = {_start_name(name)}" for name in fixed]
        draws = _draws(program, step=str(START_STEP))
        lines += [
            f"{name} = {word_substitute(text, draws)}"
            for name, text in program.random_start.items()
        ]
        code = "\n".join(lines)
        self.set_event_schedule(START_EVENT, when="before_start", order=-20)
        runner = self.run_on_event(START_EVENT, code, when="before_start", order=-10)
        runner.check_units = False

    def _add_clock(self, timing: Timing, depth: int) -> None:
        period, lead_in = timing.period, timing.schedule.lead_in
        # A dividend that is never negative: targets differ in what they make of one.
        late, offset = -(-timing.start(depth) // period), -timing.start(depth) % period
        code = f"""
        {PRESENTATION} = (t_in_timesteps + {offset})//{period} - {late}
        {STEP} = (t_in_timesteps + {offset}) % {period} - {lead_in}
        t = {STEP}*dt
        """
        if self._keys is not None:
            code += f"{SHOWN} = clip({PRESENTATION}, 0, {self._keys.N - 1})"
        self.run_regularly(code, when="before_start", order=-30, name=f"{self.name}__clock")

    def _add_input(self, program: Program) -> None:
        statements = program.receive
        if self._shares_input is None:
            statements = (*statements, Statement(INPUT, "0"))
        # After all pathways; who shares the input reads it before its owner empties it.
        order = 20 if self._shares_input is None else 10
        code = "\n".join(map(str, statements))
        name = f"{self.name}__receive"
        runner = self.run_regularly(code, when="synapses", order=order, name=name)
        runner.check_units = False


def _start_name(variable: str) -> str:
    return f"{RESERVED_PREFIX}start_{variable}"


def _integration(program: Program) -> Any:
    code = _code(program, program.update)

    def lowered(*_: Any) -> str:
        """Return what Brian2 derived when the model was lowered, its constants taken out."""
        return code

    return lowered


def _firing(program: Program) -> dict[str, Any]:
    if program.threshold is None:
        return {}
    return {
        "threshold": word_substitute(program.threshold, _draws(program)),
        "reset": _code(program, program.reset),
        "refractory": program.model.refractory or False,
    }


def _code(program: Program, statements: Iterable[Statement]) -> str:
    return str(word_substitute("\n".join(map(str, statements)), _draws(program)))


def _draws(program: Program, step: str = STEP) -> dict[str, str]:
    """Return the calls that give the program's random numbers, by their names in it."""
    return {
        name: f"{FUNCTIONS[draw.distribution]}"
        f"(i, {step}, {draw.call}, {POPULATION}, {SEED}, {EXAMPLE})"
        for name, draw in program.draws.items()
    }
