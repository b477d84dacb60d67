"""Which drives, and which single spikes, a neuron begins to fire at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.networks.schedule import ScheduleName
from bioae.responses.common import Parameters, Per, check_fires, drive_scale, steps_of, time_step
from bioae.responses.isolated import IsolatedNeuron

__all__ = ["drive_range", "raster", "rheobase", "threshold_weight"]

Drives: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = Callable[[Drives], NDArray[np.int64]]

#: Where drives and weights are looked for; a search ends at this relative width.
_COARSE = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 121)])
_WIDTH = 0.01


def drive_range(
    model: NeuronModel,
    *,
    rate: float = 100.0,
    dt: str | None = None,
    duration: str = "500*ms",
    per: Per = "step",
    schedule: ScheduleName = "brian2",
    parameters: Parameters | None = None,
) -> tuple[float, float]:
    """Return the drives between which a neuron goes from its first spike to a rate.

    Parameters
    ----------
    rate
        The rate in Hz; where the neuron never fires so fast, the greatest that it reaches.
    model, dt, duration, per, schedule, parameters
        As for `rate_curve`.

    Returns
    -------
    tuple
        The rheobase, and the smallest drive found at which it fires at `rate`, to 1 %.

    Raises
    ------
    ModelError
        If no drive makes the model fire.
    """
    step = time_step(model, dt)
    steps = steps_of(duration, step, "duration")
    scale = drive_scale(per, step)
    wanted = rate * steps * step

    def counts(drives: Drives) -> NDArray[np.int64]:
        neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
        return np.asarray(raster(neuron, drives * scale, steps).sum(axis=0))

    found = counts(_COARSE)
    if not found.any():
        raise ModelError(f"no constant drive makes the neuron model {model.name!r} fire")
    return (
        _first(counts, _COARSE, found, 1.0),
        _first(counts, _COARSE, found, min(wanted, float(found.max()))),
    )


def rheobase(
    model: NeuronModel,
    *,
    dt: str | None = None,
    duration: str = "500*ms",
    per: Per = "step",
    schedule: ScheduleName = "brian2",
    parameters: Parameters | None = None,
) -> float:
    """Return the smallest constant drive that makes a neuron fire within `duration`, to 1 %.

    Raises
    ------
    ModelError
        If no drive makes the model fire.
    """
    low, _ = drive_range(
        model, dt=dt, duration=duration, per=per, schedule=schedule, parameters=parameters
    )
    return low


def threshold_weight(
    model: NeuronModel,
    *,
    dt: str | None = None,
    duration: str = "100*ms",
    rest: str = "100*ms",
    schedule: ScheduleName = "brian2",
    parameters: Parameters | None = None,
) -> float:
    """Return the network weight of the weakest spike that makes a resting neuron fire, to 1 %.

    Where the neuron is linear below threshold, it is the inverse of the unitary post-synaptic
    potential's peak relative to the distance to threshold. Where it is not, the threshold that
    counts is where it runs away, and not where its spike is cut off.

    Parameters
    ----------
    duration
        The time within which it must fire.
    rest
        How long the neuron is left alone before the spike arrives.
    model, dt, schedule, parameters
        As for `rate_curve`.

    Raises
    ------
    ModelError
        If no single spike makes the model fire, or it fires without one.
    """
    check_fires(model)
    step = time_step(model, dt)
    steps, waited = steps_of(duration, step, "duration"), steps_of(rest, step, "rest", least=0)

    def counts(weights: Drives) -> NDArray[np.int64]:
        neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
        for _ in range(waited):
            neuron.step(fires=False)
        found = np.zeros(len(weights), dtype=np.int64)
        for n in range(steps):
            found += neuron.step(weights if n == 0 else 0.0)
        return found

    found = _first(counts, _COARSE, counts(_COARSE), 1.0)
    if not 0 < found < np.inf:
        raise ModelError(
            f"no single spike makes the neuron model {model.name!r} fire"
            if found
            else f"the neuron model {model.name!r} fires without input"
        )
    return found


def raster(neuron: IsolatedNeuron, drives: NDArray[np.float64], steps: int) -> NDArray[np.bool_]:
    """Return where a neuron fires under constant drives, from its start on (step, drive)."""
    check_fires(neuron.program.model)
    fired = np.empty((steps, len(drives)), dtype=bool)
    for n in range(steps):
        fired[n] = neuron.step(drives)
    return fired


def _first(counts: Counts, drives: Drives, found: NDArray[np.int64], wanted: float) -> float:
    """Return the first drive that gives as many spikes as wanted, searched between two drives."""
    if not (found >= wanted).any():
        return np.inf
    while True:
        place = int((found >= wanted).argmax())
        if place == 0:
            return float(drives[0])
        low, high = drives[place - 1], drives[place]
        if high - low <= _WIDTH * high:
            return float(high)
        drives = np.linspace(low, high, 33)
        found = counts(drives)
