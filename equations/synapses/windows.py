"""Learning windows: how much a weight changes by pairs of spikes, computed for single synapses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, number
from bioae.equations.arrays.compiling import compile_statements
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import constant_values, default_parameters, initial_state
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.program import Program, Statements
from bioae.equations.quantities import time_in_seconds
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.model import SynapseModel
from bioae.equations.synapses.program import Rule, named
from bioae.errors import InputError

__all__ = ["learning_window", "weight_changes"]

Numbers = NDArray[np.float64]

_MOST_STEPS = 100_000
"""The longest interval of a learning window, in time steps."""


def weight_changes(
    model: SynapseModel,
    pre: ArrayLike,
    post: ArrayLike,
    *,
    dt: str = "0.1*ms",
    weight: float = 0.5,
) -> Numbers:
    """Return the changes of the weights of single synapses, whose neurons fire in given steps.

    The order of a step is that of `docs/timing.md`; weights are not rounded to the grid.

    Parameters
    ----------
    model
        The synapse model.
    pre, post
        Whether the source and the target fire, (synapse, step) each.
    dt
        The time step.
    weight
        The weight at the start.

    Returns
    -------
    NDArray
        (synapse,).

    Raises
    ------
    ModelError
        If the model is not one, or Brian2 refuses it.
    InputError
        If the spikes are no two arrays of one shape.
    """
    rule = lower_synapse(model)
    fired = {
        side: array(spikes, f"{side} does not fit", least=0, most=1).astype(bool)
        for side, spikes in (("pre", pre), ("post", post))
    }
    if fired["pre"].ndim != 2 or fired["pre"].shape != fired["post"].shape:
        raise InputError(
            "the spikes do not fit",
            where="pre, post",
            expected="two arrays (synapse, step) of one shape",
            found=f"{fired['pre'].shape}, {fired['post'].shape}",
        )
    seconds = time_in_seconds(dt, where="dt")
    size = len(fired["pre"])
    sides = {side: _Traces(program, size, seconds) for side, program in rule.traces.items()}
    blocks = {"pre": _Block(rule, rule.on_pre), "post": _Block(rule, rule.on_post)}
    weights = np.full(size, number(weight, "weight"))
    for step in range(fired["pre"].shape[1]):
        for traces in sides.values():
            traces.integrate()
        values = {
            named(side, name): numbers
            for side, traces in sides.items()
            for name, numbers in traces.states.items()
        }
        for side, block in blocks.items():
            weights = np.where(fired[side][:, step], block(weights, values), weights)
        for side, traces in sides.items():
            traces.jump(fired[side][:, step])
    return np.asarray(weights - weight)


def learning_window(
    model: SynapseModel,
    intervals: ArrayLike,
    *,
    dt: str = "0.1*ms",
    weight: float = 0.5,
) -> Numbers:
    """Return the change of a weight by one pair of spikes, by the interval between them.

    Parameters
    ----------
    model
        The synapse model.
    intervals
        The time of the target's spike less that of the source's, in milliseconds (interval,),
        rounded to time steps, of which it has at most 100,000.
    dt, weight
        As for `weight_changes`.

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
    length = int(abs(steps).max(initial=0)) + 1
    pre, post = np.zeros((2, len(steps), length), bool)
    synapses = np.arange(len(steps))
    pre[synapses, np.maximum(-steps, 0)] = True
    post[synapses, np.maximum(steps, 0)] = True
    return weight_changes(model, pre, post, dt=dt, weight=weight)


class _Traces:
    """The traces of one side of each synapse."""

    def __init__(self, program: Program, size: int, dt: float) -> None:
        parameters = default_parameters(program)
        self._stepper = Stepper(program, array_functions(np))
        self._program = program
        self._values: dict[str, Any] = {
            "dt": np.asarray(dt),
            **parameters,
            **constant_values(program, parameters, dt=dt, n=size),
            **initial_state(program, parameters, dt=dt, n=size),
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


class _Block:
    """Statements of a synapse; weights are not rounded to the grid."""

    def __init__(self, rule: Rule, statements: Statements) -> None:
        self._rule = rule
        self._reads: tuple[str, ...] = ()
        self._function = None
        if statements:
            self._reads = tuple(sorted(rule.read(statements)))
            result = statements[-1].target
            self._function = compile_statements(
                statements, self._reads, [result], array_functions(np)
            )
        self._parameters = {
            named("parameter", name): np.asarray(value) for name, value in rule.parameters.items()
        }

    def __call__(self, weights: Numbers, values: Mapping[str, Numbers]) -> Numbers:
        if self._function is None:
            return weights
        known = {self._rule.weight: weights, **values, **self._parameters}
        (new,) = self._function(*[known[name] for name in self._reads])
        return np.asarray(new)
