"""Programs of neuron models in NumPy, step by step: one population of unconnected neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.equations import NeuronModel, Program, lower
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.library import load_neuron

Array = NDArray[Any]


def begun(
    program: Program, *, dt: float = 1e-3, n: int = 1, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all values that some neurons start with."""
    start = Start(program, dt, n)
    own = {**default_parameters(program), **(parameters or {})}
    return {
        **own, **start.constants(own), **start.state(own),
        "dt": np.asarray(dt), "N": np.asarray(float(n)), "i": np.arange(n, dtype=float),
        "t": np.asarray(0.0),
    }  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Variables (time, neuron) after each step's integration, before a spike resets them.

    `distance` is the distance to threshold, None for a model that never fires.
    """

    dt: float
    states: dict[str, Array]
    spikes: NDArray[np.bool_]
    distance: Array | None

    def intervals(self, neuron: int) -> NDArray[np.float64]:
        """Return the intervals between a neuron's spikes in seconds."""
        return np.diff(self.times(neuron))

    def times(self, neuron: int) -> NDArray[np.float64]:
        """Return a neuron's spike times in seconds, the first step ending at dt."""
        steps = np.flatnonzero(self.spikes[:, neuron]) + 1
        return steps.astype(np.float64) * self.dt


def simulate(
    model: str | NeuronModel,
    duration: float,
    *,
    dt: float = 1e-4,
    weights: ArrayLike = 0.0,
    inhibition: ArrayLike = 0.0,
    hold: Mapping[str, ArrayLike] | None = None,
    start: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, ArrayLike] | None = None,
    order: Sequence[str] = ("update", "threshold", "receive", "reset"),
) -> Run:
    """Run a model in some order of a step.

    Parameters
    ----------
    model
        The model, or the name of a shipped one.
    duration, dt
        In seconds.
    weights, inhibition
        Input of each step, in network weights: (neuron), or (time, neuron).
    hold
        Variables that are set before each step, in base units, such as an injected current.
    start, parameters
        Initial values and parameters to replace the model's, in base units.
    """
    program = lower(load_neuron(model) if isinstance(model, str) else model)
    steps = round(duration / dt)
    arriving, inhibiting = (_over(each, steps) for each in (weights, inhibition))
    arrays = [*(hold or {}).values(), *(start or {}).values(), *(parameters or {}).values()]
    n = max([arriving.shape[1], inhibiting.shape[1], *(np.size(each) for each in arrays)])
    values = begun(program, dt=dt, n=n, parameters=parameters)
    values |= {name: np.broadcast_to(each, n).astype(float) for name, each in (start or {}).items()}
    stepper = Stepper(program, array_functions(np))
    recorded: dict[str, list[Array]] = {name: [] for name in program.states}
    distance: list[Array] = []
    fired = np.zeros((steps, n), dtype=bool)
    # A separate variable receives the sum of magnitudes; otherwise it is subtracted.
    both = program.model.inhibition is not None
    for step in range(steps):
        values["t"] = np.asarray(step * dt)
        values |= {name: np.broadcast_to(each, n) for name, each in (hold or {}).items()}
        values["bioae_input"] = arriving[step] - (0.0 if both else inhibiting[step])
        values["bioae_inhibition"] = inhibiting[step]
        stepper.prepare(values)
        for slot in order:
            if slot == "threshold":
                if program.threshold is not None:
                    values["_fired"] = fired[step] = stepper.condition(values)
                    distance.append(stepper.distance(values))
                    stepper.on_spike(values)
            elif slot != "reset" or program.threshold is not None:
                getattr(stepper, slot)(values)
            if slot == "update":
                for variable, kept in recorded.items():
                    kept.append(np.broadcast_to(values[variable], n))
    states = {name: np.array(kept) for name, kept in recorded.items()}
    return Run(dt, states, fired, np.array(distance) if distance else None)


def _over(weights: ArrayLike, steps: int) -> Array:
    array = np.atleast_1d(np.asarray(weights, dtype=float))
    return np.broadcast_to(array, (steps, array.shape[-1]))
