"""A reference for spike times: neurons between events by Runge-Kutta, events by finding roots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Array = NDArray[np.float64]

#: The longest step of the integration, whose error is far below that of a difference quotient.
_STEP = 1e-4


@dataclass(frozen=True)
class Dynamics:
    """A neuron model in SI units; states are rows (state, neuron).

    Attributes
    ----------
    start
        The initial states of a neuron.
    drift
        The derivatives of the states, given which neurons are not refractory.
    distance
        The distance to threshold.
    reset
        The states of a neuron after a spike.
    receives
        The row to which weights are added.
    refractory
        The refractory time.
    """

    start: Sequence[float]
    drift: Callable[[Array, NDArray[np.bool_]], Array]
    distance: Callable[[Array], Array]
    reset: Callable[[Array], Array]
    receives: int
    refractory: float = 0.0


def spike_times(
    model: Dynamics, weights: Array, recurrent: Array, arrivals: Sequence[Array], duration: float
) -> list[Array]:
    """Return the spike times of each neuron in seconds.

    Parameters
    ----------
    model
        The neurons' model.
    weights, recurrent
        The weights of input (neuron, input) and between neurons (target, source).
    arrivals
        The times at which each input arrives.
    duration
        The length of the simulation.
    """
    count = len(weights)
    x, now = np.outer(model.start, np.ones(count)), 0.0
    waiting = sorted((time, k) for k, times in enumerate(arrivals) for time in times)
    released, fired = np.full(count, -1.0), [list[float]() for _ in range(count)]
    while now < duration:
        while waiting and waiting[0][0] <= now:
            x[model.receives] += weights[:, waiting.pop(0)[1]]
        active = released <= now
        ends = [now + _STEP, duration, *released[~active], *(time for time, _ in waiting[:1])]
        step = min(ends) - now
        after = _advanced(model, x, active, step)
        low, high = model.distance(x), model.distance(after)
        crossing = np.flatnonzero(active & (low <= 0) & (high > 0))
        if not len(crossing):
            x, now = after, min(ends)
            continue
        moments = [brentq(_excess(model, x, active, k), 0, step, xtol=1e-15) for k in crossing]
        first = int(np.argmin(moments))
        k = crossing[first]
        x, now = _advanced(model, x, active, moments[first]), now + moments[first]
        fired[k].append(now)
        x[:, k] = model.reset(x[:, k])
        released[k] = now + model.refractory if model.refractory else -1.0
        x[model.receives] += recurrent[:, k]
    return [np.array(times) for times in fired]


def _advanced(model: Dynamics, x: Array, active: NDArray[np.bool_], step: float) -> Array:
    first = model.drift(x, active)
    second = model.drift(x + step / 2 * first, active)
    third = model.drift(x + step / 2 * second, active)
    last = model.drift(x + step * third, active)
    advanced: Array = x + step / 6 * (first + 2 * second + 2 * third + last)
    return advanced


def _excess(model: Dynamics, x: Array, active: Any, neuron: int) -> Callable[[float], float]:
    return lambda step: float(model.distance(_advanced(model, x, active, step))[neuron])
