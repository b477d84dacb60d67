"""Learning windows: how much a weight changes by pairs of spikes, computed for single synapses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, number, one_of
from bioae.equations.arrays.compiling import compile_expression, compile_statements
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.program import Program
from bioae.equations.quantities import time_in_seconds
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.model import WEIGHT, SynapseModel
from bioae.equations.synapses.numbers import rule_numbers, rule_start, usual_range, weight_bounds
from bioae.equations.synapses.program import EVERY, TIME, Rule, named
from bioae.errors import InputError

Numbers = NDArray[np.float64]

_DRAWS = 100
"""The synapses over which the window of a rule with random numbers is averaged."""

_DT = named("constant", "dt")

_MOST_STEPS = 100_000
"""The longest interval of a learning window, in time steps."""


def weight_changes(
    model: SynapseModel,
    pre: ArrayLike,
    post: ArrayLike,
    *,
    dt: str = "0.1*ms",
    weight: float | None = None,
    held: Mapping[str, float] | None = None,
) -> Numbers:
    """Return the weight changes of single synapses whose neurons fire in given steps.

    The order of a step is that of `docs/timing.md`. Random numbers of a rule are the same in each
    call. Each synapse has its own layer, of one neuron; weights are not rounded to the grid.

    Parameters
    ----------
    model
        The synapse model.
    pre, post
        Whether the source and the target fire, (synapse, step) each.
    dt
        The time step.
    weight
        The weight at the start; by default that of `usual_weight`.
    held
        Modulators, such as a reward, by name; 1 by default.

    Returns
    -------
    NDArray
        (synapse,).

    Raises
    ------
    ModelError
        If the model is not a synapse model, or Brian2 rejects it.
    InputError
        If the spikes are not two arrays of the same shape.
    """
    rule = lower_synapse(model)
    rule.check_phases()
    rule.check_alone()
    fired = {
        side: array(spikes, f"{side} does not fit", least=0, most=1).astype(bool)
        for side, spikes in (("pre", pre), ("post", post))
    }
    if fired["pre"].ndim != 2 or fired["pre"].shape != fired["post"].shape:
        raise InputError(
            "the spikes do not fit", where="pre, post",
            expected="two arrays (synapse, step) of one shape",
            found=f"{fired['pre'].shape}, {fired['post'].shape}",
        )  # fmt: skip
    seconds = time_in_seconds(dt, where="dt")
    size, steps = fired["pre"].shape
    sides = {side: _Traces(program, size, seconds) for side, program in rule.traces.items()}
    start = usual_weight(model, dt) if weight is None else number(weight, "weight")
    synapses = _Synapses(rule, size, seconds, start, _held(model, held, size))
    every = rule.interval(seconds) or steps
    for step in range(steps):
        for traces in sides.values():
            traces.integrate()
        traces_now = {
            named(side, name): numbers
            for side, traces in sides.items()
            for name, numbers in traces.states.items()
        }
        synapses.learn(
            step,
            traces_now,
            {
                "integrate": True,
                "on_pre": fired["pre"][:, step],
                "on_post": fired["post"][:, step],
                "regularly": (step + 1) % every == 0 or step + 1 == steps,
            },
            rule.elapsed(step % every + 1, seconds),
        )
        for side, traces in sides.items():
            traces.jump(fired[side][:, step])
    return np.asarray(synapses.weights - start)


def learning_window(
    model: SynapseModel,
    intervals: ArrayLike,
    *,
    dt: str = "0.1*ms",
    weight: float | None = None,
    held: Mapping[str, float] | None = None,
    after: str | None = None,
) -> Numbers:
    """Return the STDP window: the weight change by a pair of spikes, against their interval.

    If the rule draws random numbers, it is the mean of 100 synapses.

    Parameters
    ----------
    model
        The synapse model.
    intervals
        The time of the target's spike less that of the source's, in milliseconds (interval,),
        rounded to time steps, of which it has at most 100,000.
    dt, weight, held
        As for `weight_changes`.
    after
        How long synapses continue to learn after the longest interval; by default 0.1 s if weights
        change without spikes, by `every`, and else not at all.

    Returns
    -------
    NDArray
        (interval,).

    Raises
    ------
    ModelError, InputError
        As `weight_changes`.
    """
    seconds = time_in_seconds(dt, where="dt")
    most = _MOST_STEPS * 1e3 * seconds
    times = array(intervals, "intervals do not fit", least=-most, most=most).ravel()
    steps = np.rint(times / (1e3 * seconds)).astype(int)
    if after is None and model.synapse.every is not None:
        after = "0.1*second"
    late = 0 if after is None else round(time_in_seconds(after, where="after") / seconds)
    length = int(abs(steps).max(initial=0)) + 1 + late
    pre, post = np.zeros((2, len(steps), length), bool)
    synapses = np.arange(len(steps))
    pre[synapses, np.maximum(-steps, 0)] = True
    post[synapses, np.maximum(steps, 0)] = True
    # Of a rule that draws random numbers, the mean of so many synapses.
    draws = _DRAWS if lower_synapse(model).draws else 1
    pre, post = np.repeat(pre, draws, axis=0), np.repeat(post, draws, axis=0)
    changes = weight_changes(model, pre, post, dt=dt, weight=weight, held=held)
    return np.asarray(changes.reshape(-1, draws).mean(1))


def usual_weight(model: SynapseModel, dt: str = "0.1*ms") -> float:
    """Return the weight in the middle of the bounds of a rule; 0.5 if it has none.

    If they are on both sides of 0, it is in the middle of positive ones of at most 1.
    """
    seconds = time_in_seconds(dt, where="dt")
    low, high = usual_range(*weight_bounds(lower_synapse(model), seconds))
    return low + (high - low) / 2


class _Traces:
    """The traces of one side of each synapse."""

    def __init__(self, program: Program, size: int, dt: float) -> None:
        parameters = default_parameters(program)
        self._stepper = Stepper(program, array_functions(np))
        self._program = program
        start = Start(program, dt, size)
        self._values: dict[str, Any] = {
            "dt": np.asarray(dt),
            **parameters,
            **start.constants(parameters),
            **start.state(parameters),
        }

    @property
    def states(self) -> Mapping[str, Numbers]:
        """The traces by name, (synapse,)."""
        return {name: self._values[name] for name in self._program.states}

    def integrate(self) -> None:
        """Run one step of the equations."""
        self._stepper.update(self._values)

    def jump(self, fired: NDArray[np.bool_]) -> None:
        """Run `on_spike` where the neuron fired."""
        self._values["_fired"] = fired
        self._stepper.reset(self._values)


class _Synapses:
    """Single synapses, each with a separate layer; weights are not rounded to the grid."""

    def __init__(
        self, rule: Rule, size: int, dt: float, weight: float, held: Mapping[str, Numbers]
    ) -> None:
        functions = array_functions(np)
        self._layer = [
            (named("layer", name), compile_expression(value, functions))
            for name, value in rule.sums.items()
        ]
        self._layer += [
            (each.target, compile_expression(each.value, functions)) for each in rule.layer
        ]
        self._blocks = []
        self._rule, self._size = rule, size
        for key, block in rule.blocks.items():
            reads = tuple(sorted(block.reads))
            results = tuple(block.results.values())
            function = compile_statements(block.statements, reads, results, functions)
            self._blocks.append((key, reads, tuple(block.results), function))
        self._known: dict[str, Numbers] = {**rule_numbers(rule, dt), **held}
        for name, value in {WEIGHT: weight, **rule_start(rule, dt)}.items():
            self._known[named("synapse", name)] = np.full(size, value)

    @property
    def weights(self) -> Numbers:
        """The weights (synapse,)."""
        return self._known[named("synapse", WEIGHT)]

    def learn(
        self, step: int, traces: Mapping[str, Numbers], where: Mapping[str, Any], elapsed: float
    ) -> None:
        """Run the blocks, each where its condition holds."""
        known = self._known
        known.update(traces)
        known[EVERY], known[TIME] = np.asarray(elapsed), known[_DT] * step
        for name, each in self._rule.draws.items():
            stream = np.random.default_rng([step, each.call])
            draw = stream.random if each.distribution == "uniform" else stream.standard_normal
            known[name] = draw(self._size)
        for name, value in self._layer:
            known[name] = value(known)
        for key, reads, names, function in self._blocks:
            for name, new in zip(names, function(*[known[each] for each in reads]), strict=True):
                own = named("synapse", name)
                known[own] = np.where(where[key], new, known[own])


def _held(model: SynapseModel, held: Mapping[str, float] | None, size: int) -> dict[str, Numbers]:
    """Return modulators of each synapse, by the names of `named`."""
    given = dict.fromkeys(model.held, 1.0) | dict(held or {})
    for name in given:
        one_of(name, "held", model.held)
    return {named("held", n): np.full(size, number(v, f"held {n}")) for n, v in given.items()}
