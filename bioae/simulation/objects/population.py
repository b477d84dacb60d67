"""Neurons of a layer as a Brian2 `NeuronGroup` that is reset before each presentation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from brian2 import Equations, Quantity, TimedArray, second
from brian2.utils.stringtools import word_substitute
from numpy.typing import NDArray

from bioae.arithmetic import brian2_arithmetic, rendered, rendered_statement
from bioae.equations.arrays.start import Start
from bioae.equations.arrays.timed import Timed
from bioae.equations.declarations import brian2_equations
from bioae.equations.expressions import Expression, Statement
from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.program import BIASES, INHIBITION, INPUT, LAYER_SPIKES, Program, input_to
from bioae.equations.quantities import physical_constants
from bioae.equations.synapses.program import DISTANCE, GAIN, Rule, named
from bioae.equations.timed_arrays import varying
from bioae.networks.decoders import Decoder
from bioae.networks.schedule import Timing
from bioae.noise import START_STEP, settling_noise
from bioae.noise.brian import FUNCTIONS, brian2_functions
from bioae.simulation.brian2_internals.groups import (
    replace_time,
    set_refractory_code,
    set_subexpression_code,
    skip_unit_checks,
)
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.code_runners import (
    ConditionalRunner,
    SpikeCounter,
    ValueRecorder,
    vectorise_thresholds,
)
from bioae.simulation.objects.presentation_clock import (
    EXAMPLE,
    LEARNED,
    OFFSET,
    PRESENTATION,
    SEED,
    STEP,
    PresentationClock,
    PresentedGroup,
)

_POPULATION = f"{RESERVED_PREFIX}population"
_COLLECTED = f"{RESERVED_PREFIX}kept"

#: 1 until the first presentation has ended, where state carries over.
_FRESH = f"{RESERVED_PREFIX}fresh"


@dataclass(frozen=True, eq=False)
class Neurons:
    """The neurons of a group, and the depth of their layer in the network."""

    program: Program
    #: Parameters in base units: scalars, or arrays (neuron).
    parameters: Mapping[str, NDArray[Any]]
    size: int
    depth: int
    #: The population's number, on which its noise depends.
    number: int = 1
    separate_inhibition: bool = False
    #: The variables that single projections add to.
    targets: Collection[str] = ()
    #: A constant input in every step (neuron), in network weights: ``bioae_bias``.
    biases: NDArray[Any] | None = None
    #: Variables that presentations do not reset: those with which the next presentation
    #: starts are set at the end of each, as long as presentations learn.
    persistent: Collection[str] = ()
    #: Variables that presentations reset although others carry over.
    fixed: Collection[str] = ()


class Population(PresentedGroup):
    """A `NeuronGroup` of a lowered model, with a presentation's time and input.

    Its ``t`` is the time since the presentation's start, also in recorded spikes.
    ``bioae_presentation`` is the presentation (-1 before the first) and ``bioae_step`` the step
    within it (-1 in the schedule's lead-in). Pathways add weights to ``bioae_input``, which is
    passed to the model once per step and then set to 0; with separate inhibition, they add the
    magnitudes of negative weights to ``bioae_inhibition`` instead. If the model has
    `layer_spikes`, ``bioae_layer_spikes`` is the number of the population's spikes that arrive.

    A population that `shares_input` of another one reads it, and does not set it to 0.
    """

    def __init__(
        self,
        neurons: Neurons,
        clock: PresentationClock,
        name: str,
        *,
        shares_input: Population | None = None,
    ) -> None:
        program, parameters = neurons.program, neurons.parameters
        timing, dt = clock.timing, clock.dt
        self._described, self._shares_input = neurons, shares_input
        carried = [n for n in program.written if timing.carry_over and n not in neurons.fixed]
        self._kept = tuple(dict.fromkeys([*neurons.persistent, *carried]))
        begun = Start(program, dt, neurons.size)
        self._constants = begun.constants(parameters)
        noise = settling_noise(program.draws, population=neurons.number, n=neurons.size)
        start = begun.state(parameters, noise=noise)
        whole = {name for name, state in program.states.items() if state.dtype == "integer"}
        self._start = {n: v.astype(np.int32) if n in whole else v for n, v in start.items()}
        own = {n for n, values in parameters.items() if np.ndim(values)}
        equations = varying(brian2_equations(program.model, own), program.timed)
        equations = equations.substitute(t_in_timesteps=STEP)
        looked_up = [
            f"{name} = {_table_name(name)}({'t' if each.neurons is None else 't, i'})"
            for name, each in sorted(program.timed.items(), key=_per_neuron)
        ]
        super().__init__(
            clock,
            neurons.depth,
            neurons.size,
            equations,
            method=lambda *_, **__: f"{_code(program, program.update)}\n",
            events={n: _condition(program, each.condition) for n, each in program.events.items()},
            namespace={
                **physical_constants(besides=program.states.keys() | program.parameters.keys()),
                **(brian2_functions() if program.draws else {}),
                **brian2_arithmetic(),
                **_tables(program, equations, timing, dt, name),
            },
            draws=bool(program.draws),
            each_step="\n".join([f"t = {STEP}*dt", *looked_up]),
            name=name,
            **_firing(program),
        )
        for variable, values in parameters.items():
            self.variables[variable].set_value(values)
        # Constants were computed from these parameters, and would not follow them.
        for variable in frozenset().union(*program.dependents.values()):
            self.variables[variable].read_only = True
        for variable, values in self._start.items():
            self.variables[variable].set_value(values)
        set_subexpression_code(self, _code(program, program.prepare))
        self._add_statements(program)
        self._add_start(program, timing.schedule.lead_in if neurons.depth else 0)
        self._add_end(timing)
        if program.counts_layer and shares_input is None:
            self._add_count(timing)
        self._add_input(program)
        vectorise_thresholds(self.thresholder)
        # Units were checked when the model was lowered; hoisted constants have none.
        skip_unit_checks(*self.thresholder.values(), *self.resetter.values())

    def _add_variables(self, size: int) -> None:
        neurons = self._described
        replace_time(self)
        super()._add_variables(size)
        for name in self._arriving():
            if self._shares_input is None:
                self.variables.add_array(name, size=size)
            else:
                self.variables.add_reference(name, self._shares_input, name)
        if neurons.program.counts_layer:
            self.variables.add_array(LAYER_SPIKES, size=1, scalar=True)
        for name, values in _by_input(neurons).items():
            self.variables.add_array(BIASES[name], size=size, values=values, constant=True)
        if neurons.program.draws:
            self.variables.add_array(
                _POPULATION, size=1, values=neurons.number, dtype=np.int64,
                scalar=True, constant=True,
            )  # fmt: skip
        starts = {_start_name(name): values for name, values in self._start.items()}
        for name, values in (self._constants | starts).items():
            kept = name in map(_start_name, self._kept)
            shared = not kept and (values.ndim == 0 or (values == values[0]).all())
            self.variables.add_array(
                name,
                size=1 if shared else size,
                values=values.ravel()[0] if shared or not values.ndim else values,
                # Cython does not convert integers.
                dtype=None if values.dtype == float else values.dtype,
                scalar=bool(shared),
                constant=not kept,
            )
        if self._clock_of.timing.carry_over:
            self.variables.add_array(_FRESH, size=1, values=1, dtype=np.int32, scalar=True)
        if self._kept:
            self.variables.add_array(LEARNED, size=1, values=2**31 - 1, dtype=np.int32, scalar=True)

    @property
    def learned(self) -> dict[str, NDArray[np.float64]]:
        """The persistent variables as the next presentation would start, by name (neuron)."""
        return {
            name: np.array(self.variables[_start_name(name)].get_value(), np.float64)
            for name in self._described.persistent
        }

    def start_arrays(self, values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
        """Return values of `learned` by the names of their variables, for a run's start."""
        return {
            _start_name(name): np.asarray(values[name], self.variables[_start_name(name)].dtype)
            for name in self._described.persistent
        }

    @property
    def carried(self) -> tuple[str, ...]:
        """The variables with the state in which a run ends, but for `learned` ones."""
        kept = [_start_name(name) for name in self._kept if name not in self._described.persistent]
        return (*kept, _FRESH, *(["_spikespace"] if "_spikespace" in self.variables else []))

    def add_numbers(self, rule: Rule) -> None:
        """Add the numbers of neurons that a rule reads and that the model does not have.

        They are signals that synapses send back, and the distance to threshold before spikes.
        """
        measures = GAIN in rule.neuron and GAIN not in self.variables
        sent = {named("signal", each) for each in rule.signals} - set(self.variables)
        for name in (*sorted(sent), *((DISTANCE, GAIN) if measures else ())):
            self.variables.add_array(name, size=len(self))
        if sent:
            code = "\n".join(f"{each} = 0" for each in sorted(sent))
            self.run_regularly(
                code, when="before_synapses", name=f"{self.name}__signals_{len(self.variables)}"
            )
        if not measures:
            return
        program = self._described.program
        active = "int(not_refractory)" if program.refractory else "1.0"
        lines = (
            Statement(DISTANCE, Expression(f"({program.distance})/abs({program.scale})")),
            Statement(GAIN, Expression(f"{active}/abs({program.scale})")),
        )
        code, name = _code(program, lines), f"{self.name}__distance"
        skip_unit_checks(self.run_regularly(code, when="before_thresholds", name=name))

    def _arriving(self) -> tuple[str, ...]:
        separate = (INHIBITION,) if self._described.separate_inhibition else ()
        return (INPUT, *separate, *map(input_to, self._described.targets))

    def _add_statements(self, program: Program) -> None:
        if program.refractory:
            set_refractory_code(self, _code(program, program.refractoriness) + "\n")
        for event, each in program.events.items():
            self.run_on_event(event, _code(program, each.statements))
        code, name = _code(program, program.regularly), f"{self.name}__regularly"
        if program.due is not None:
            condition = _condition(program, program.due)
            ConditionalRunner(self, condition, code, when="start", name=name, overrides=False)
        elif program.regularly:
            skip_unit_checks(self.run_regularly(code, when="start", name=name))

    def _add_start(self, program: Program, lead_in: int) -> None:
        # Random values last: they may depend on others.
        fixed = [n for n in program.written if n in self._kept or n not in program.random_start]
        starts, name = f"{STEP} == {-lead_in}", f"{self.name}__start"
        lines = [f"{each} = {_start_name(each)}" for each in fixed]
        random = [Statement(each, value) for each, value in program.random_start.items()]
        drawn = _code(program, random, step=str(START_STEP))
        if drawn and self._clock_of.timing.carry_over:  # once, and not for each presentation
            ConditionalRunner(
                self, f"{starts} and {_FRESH} == 1", drawn,
                when="before_start", order=-9, name=f"{name}s_at_random",
            )  # fmt: skip
            drawn = ""
        ConditionalRunner(
            self, starts, "\n".join([*lines, drawn]), when="before_start", order=-10, name=name
        )

    def _add_end(self, timing: Timing) -> None:
        lines = [f"{_start_name(name)} = {name}" for name in self._kept]
        if timing.carry_over:  # times count from the start of the next presentation
            lines = [f"{each} - {timing.period * self._clock_of.dt!r}"
                     if each.endswith(" = lastspike") else each for each in lines]  # fmt: skip
            lines.insert(0, f"{_FRESH} = 0")
        if self._kept:
            last = f"{STEP} == {(timing.period if timing.carry_over else timing.steps) - 1}"
            ConditionalRunner(
                self,
                f"{PRESENTATION} >= 0 and {PRESENTATION} < {LEARNED} and {last}",
                "\n".join(lines),
                when="end",
                order=20,
                name=f"{self.name}__end",
            )

    def _add_count(self, timing: Timing) -> None:
        arriving = timing.arriving(1, own=True)
        SpikeCounter(
            self, LAYER_SPIKES, f"{STEP} >= {arriving.start} and {STEP} < {arriving.stop}",
            when="synapses", name=f"{self.name}__count",
        )  # fmt: skip

    def _add_input(self, program: Program) -> None:
        whole = {name: f"({name} + {BIASES[name]})" for name in _by_input(self._described)}
        draws: dict[str, str] = {}
        if active_target() == "numpy":
            # In a conditional write Brian2 would index the scalar arguments of a draw.
            names = {name for each in program.receive for name in each.value.names}
            draws = {name: text for name, text in _draws(program).items() if name in names}
        lines = [f"{name} = {text}" for name, text in draws.items()]
        inline = {name: each for name, each in program.draws.items() if name not in draws}
        lines.append(_code(replace(program, draws=inline), program.receive))
        code = word_substitute("\n".join(lines), whole)
        if self._described.separate_inhibition and not program.inhibited:
            code = word_substitute(code, {INPUT: f"({INPUT} - {INHIBITION})"})
        if self._shares_input is None:
            code = "\n".join([code, *(f"{name} = 0" for name in self._arriving())])
        # After all pathways; populations that share the input read it before its owner resets it.
        order = 20 if self._shares_input is None else 10
        name = f"{self.name}__receive"
        skip_unit_checks(self.run_regularly(code, when="synapses", order=order, name=name))


def collect(
    readout: Population, potential: str, decoder: Decoder, timing: Timing, slot: str
) -> ValueRecorder:
    """Let a read-out collect its potential for a decoder, and return a recorder of it.

    The recorder has a row per presentation, or a row per step of the presentations, as read in a
    slot, where the decoder needs every step.
    """
    name = f"{readout.name}__collected"
    if decoder.collects is None:
        inside = f"{PRESENTATION} >= 0 and {STEP} >= 0"
        inside += f" and {STEP} < {timing.steps}" if timing.rest else ""
        return ValueRecorder(readout, potential, inside, when=slot, order=10, name=name)
    readout.variables.add_array(_COLLECTED, size=len(readout))
    factor = decoder.factor(timing.steps)
    kept = _COLLECTED if factor == 1 else f"({factor!r} * {_COLLECTED})"
    terms = {"kept": kept, "potential": potential}
    ConditionalRunner(
        readout, f"{STEP} == 0", f"{_COLLECTED} = {decoder.start}",
        when="before_start", name=f"{readout.name}__collects_from",
    )  # fmt: skip
    ConditionalRunner(
        readout, f"{STEP} >= 0", f"{_COLLECTED} = {word_substitute(decoder.collects, terms)}",
        when="end", name=f"{readout.name}__collects",
    )  # fmt: skip
    last = f"{PRESENTATION} >= 0 and {STEP} == {timing.steps - 1}"
    return ValueRecorder(readout, _COLLECTED, last, when="end", order=10, name=name)


def _by_input(neurons: Neurons) -> dict[str, NDArray[Any]]:
    """Return biases by the input that they are added to: by their sign if it is separate."""
    biases = neurons.biases
    if biases is None:
        return {}
    if not neurons.program.inhibited:
        return {INPUT: biases}
    return {INPUT: np.maximum(biases, 0.0), INHIBITION: np.maximum(-biases, 0.0)}


def _per_neuron(item: tuple[str, Timed]) -> bool:
    return item[1].neurons is not None  # after those that all share, as Brian2 wants


def _start_name(variable: str) -> str:
    return f"{RESERVED_PREFIX}start_{variable}"


def _table_name(timed: str) -> str:
    return f"{RESERVED_PREFIX}table_{timed}"


def _tables(
    program: Program, equations: Equations, timing: Timing, dt: float, group: str
) -> dict[str, TimedArray]:
    """Return the values of timed arrays in the steps of a presentation, by their names in code."""
    tables = {}
    for name, timed in program.timed.items():
        values = Quantity(timed.in_steps(timing.steps, dt), dim=equations[name].dim)
        tables[_table_name(name)] = TimedArray(values, dt * second, name=f"{group}__{name}")
    return tables


def _firing(program: Program) -> dict[str, Any]:
    if program.threshold is None:
        return {}
    return {
        "threshold": _condition(program, program.threshold),
        "reset": _code(program, program.reset),
        "refractory": program.model.refractoriness or False,
    }


def _code(program: Program, statements: Iterable[Statement], step: str = STEP) -> str:
    lines = (str(rendered_statement(each, program.integers, program.floats)) for each in statements)
    return str(word_substitute("\n".join(lines), _draws(program, step)))


def _condition(program: Program, condition: Expression) -> str:
    return str(word_substitute(rendered(condition, program.integers).text, _draws(program)))


def _draws(program: Program, step: str = STEP) -> dict[str, str]:
    """Return Brian2 code that draws the program's random numbers, by their names in it."""
    place = f"{_POPULATION} + {OFFSET}, {SEED}, {EXAMPLE}"
    return {
        name: f"{FUNCTIONS[draw.distribution]}"
        f"({0 if draw.shared else 'i'}, {step}, {draw.call}, {place})"
        for name, draw in program.draws.items()
    }
