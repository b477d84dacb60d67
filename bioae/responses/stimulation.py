"""Stimulation protocols: constant drives, a step of drive, single spikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.checks import number
from bioae.equations.model import NeuronModel
from bioae.errors import InputError, ModelError, shortened
from bioae.networks.schedule import ScheduleName
from bioae.responses.isolated import (
    IsolatedNeuron,
    Parameters,
    Per,
    drive_scale,
    steps_of,
    time_step,
)
from bioae.units import has_unit

__all__ = [
    "drive_range",
    "extreme_rates",
    "rate_curve",
    "rheobase",
    "step_response",
    "threshold_weight",
]

Drives: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = Callable[[Drives], NDArray[np.int64]]

#: The first drives and weights of a search, which ends at this relative width.
_COARSE = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 121)])
_WIDTH = 0.01


def rate_curve(
    model: NeuronModel,
    drives: ArrayLike | None = None,
    *,
    dt: str | None = None,
    duration: str = "1*second",
    discard: str = "200*ms",
    per: Per = "step",
    schedule: ScheduleName = "brian2",
    parameters: Parameters | None = None,
) -> xr.DataArray:
    """Return the f-I curve: the firing rate under constant drives.

    Parameters
    ----------
    model
        A neuron model with a threshold.
    drives
        The drives (drive), in network weights per step; by default 61 from 0 to the drive at which
        the neuron fires at 100 Hz, see `drive_range`.
    dt
        The time step; the model's own, or 0.1 ms, by default.
    duration, discard
        The duration of each drive, and the part at its beginning that is not counted.
    per
        ``"ms"``: the drives are network weights per millisecond.
    schedule
        The order of operations within a step.
    parameters
        Numbers in base units that replace the model's own, by name.

    Returns
    -------
    xarray.DataArray
        ``rate (drive)`` in Hz: spikes divided by the time in which they were counted.

    Raises
    ------
    ModelError
        If the model never fires by construction, or a state does not stay finite.
    InputError
        If a time does not fit.
    """
    step = time_step(model, dt)
    steps = steps_of(duration, step, "duration")
    skipped = steps_of(discard, step, "discard", least=0)
    if skipped >= steps:
        raise InputError(
            "the whole drive is discarded", where="discard", expected=f"less than {duration}"
        )
    if drives is None:
        _, top = drive_range(model, dt=dt, per=per, schedule=schedule, parameters=parameters)
        drives = np.linspace(0.0, top, 61)
    chosen = _numbers(drives, "drives")
    neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
    fired = _raster(neuron, chosen * drive_scale(per, step), steps)
    neuron.check_finite()
    rate = fired[skipped:].sum(axis=0) / ((steps - skipped) * step)
    return xr.DataArray(
        rate,
        dims="drive",
        coords={"drive": ("drive", chosen, _drive_attributes(per))},
        name="rate",
        attrs={"long_name": "firing rate", "units": "Hz", "dt_ms": step * 1e3},
    )


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
    """Return the rheobase, and the smallest drive at which a neuron fires at a rate, to 1 %.

    Parameters
    ----------
    rate
        The rate in Hz; where the neuron never fires so fast, its greatest rate is used.
    model, dt, duration, per, schedule, parameters
        As for `rate_curve`.

    Raises
    ------
    ModelError
        If no drive makes the model fire.
    """
    step = time_step(model, dt)
    steps = steps_of(duration, step, "duration")
    scale = drive_scale(per, step)
    rate = number(rate, "rate", above=0)
    count = rate * steps * step

    def counts(drives: Drives) -> NDArray[np.int64]:
        neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
        return np.asarray(_raster(neuron, drives * scale, steps).sum(axis=0))

    coarse = counts(_COARSE)
    if not coarse.any():
        raise ModelError(f"no constant drive makes the neuron model {model.name!r} fire")
    return (
        _first(counts, _COARSE, coarse, 1.0),
        _first(counts, _COARSE, coarse, min(count, float(coarse.max()))),
    )


def extreme_rates(
    model: NeuronModel, *, dt: str | None = None, duration: str = "500*ms"
) -> tuple[float, float]:
    """Return the firing rate without input, and the greatest under any constant drive, in Hz.

    Parameters
    ----------
    model, dt, duration
        As for `rate_curve`; all of the time is counted.

    Raises
    ------
    ModelError
        If the model never fires by construction.
    """
    step = time_step(model, dt)
    steps = steps_of(duration, step, "duration")
    spikes = _raster(IsolatedNeuron(model, dt=step), _COARSE, steps).sum(axis=0)
    return float(spikes[0] / (steps * step)), float(spikes.max() / (steps * step))


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
    return drive_range(
        model, dt=dt, duration=duration, per=per, schedule=schedule, parameters=parameters
    )[0]


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

    For a neuron that is linear below threshold, this is the inverse of the unitary post-synaptic
    potential's peak relative to the distance to threshold. For others, the effective threshold is
    the potential at which the neuron runs away, not the one at which its spike is cut off.

    Parameters
    ----------
    duration
        The time within which it must fire.
    rest
        The time without input before the spike arrives.
    model, dt, schedule, parameters
        As for `rate_curve`.

    Raises
    ------
    ModelError
        If no single spike makes the model fire, or it fires without one.
    """
    step = time_step(model, dt)
    steps, waited = steps_of(duration, step, "duration"), steps_of(rest, step, "rest", least=0)

    def counts(weights: Drives) -> NDArray[np.int64]:
        neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
        neuron.check_fires()
        for _ in range(waited):
            neuron.step(fires=False)
        spikes = np.zeros(len(weights), dtype=np.int64)
        for n in range(steps):
            spikes += neuron.step(weights if n == 0 else 0.0)
        return spikes

    weight = _first(counts, _COARSE, counts(_COARSE), 1.0)
    if not 0 < weight < np.inf:
        raise ModelError(
            f"no single spike makes the neuron model {model.name!r} fire"
            if weight
            else f"the neuron model {model.name!r} fires without input"
        )
    return weight


def step_response(
    model: NeuronModel,
    drive: float,
    *,
    dt: str | None = None,
    before: str = "50*ms",
    during: str = "200*ms",
    after: str = "50*ms",
    per: Per = "step",
    parameters: Parameters | None = None,
) -> xr.Dataset:
    """Return the time course of a neuron's states and spikes under a step of drive.

    Parameters
    ----------
    drive
        The drive while it is on, in network weights.
    before, during, after
        The times for which the drive is off, on, and off again.
    model, dt, per, parameters
        As for `rate_curve`; a model without a threshold will do.

    Returns
    -------
    xarray.Dataset
        Along ``time`` in ms, at the end of each step: ``drive``, ``spike`` (bool), and
        ``state_VAR`` of each of the model's variables, with its unit.

    Raises
    ------
    ModelError
        If a state does not stay finite.
    """
    step = time_step(model, dt)
    lengths = [
        steps_of(text, step, name, least=0)
        for name, text in (("before", before), ("during", during), ("after", after))
    ]
    course = np.repeat([0.0, number(drive, "drive"), 0.0], lengths)
    neuron = IsolatedNeuron(model, dt=step, parameters=parameters)
    states = neuron.program.states
    names = [name for name in states if name not in ("lastspike", "not_refractory")]
    spikes, traces = np.zeros(len(course), dtype=bool), np.zeros((len(course), len(names)))
    for n, arriving in enumerate(course * drive_scale(per, step)):
        spikes[n] = neuron.step(arriving).any()
        traces[n] = [np.ravel(neuron.values[name])[0] for name in names]
    neuron.check_finite()
    time = np.arange(len(course)) * step * 1e3
    return xr.Dataset(
        {
            "drive": ("time", course, _drive_attributes(per)),
            "spike": ("time", spikes, {"long_name": "spikes"}),
            **{
                f"state_{name}": ("time", trace, {"long_name": name, "units": states[name].unit})
                for name, trace in zip(names, traces.T, strict=True)
            },
        },
        coords={"time": ("time", time, {"long_name": "time", "units": "ms"})},
        attrs={"dt_ms": step * 1e3},
    )


def _numbers(values: ArrayLike, name: str) -> Drives:
    """Return finite numbers along one dimension."""
    if has_unit(values):
        raise InputError(
            f"{name} has a unit", expected="bare numbers", found=shortened(repr(values))
        )
    try:
        numbers = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        numbers = np.full(1, np.nan)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise InputError(f"{name} does not fit", expected="finite numbers", found=repr(values))
    return numbers


def _raster(neuron: IsolatedNeuron, drives: Drives, steps: int) -> NDArray[np.bool_]:
    """Return a neuron's spikes under constant drives (step, drive)."""
    neuron.check_fires()
    fired = np.empty((steps, len(drives)), dtype=bool)
    for n in range(steps):
        fired[n] = neuron.step(drives)
    return fired


def _first(counts: Counts, drives: Drives, spikes: NDArray[np.int64], count: float) -> float:
    """Return the smallest drive that gives `count` spikes, by refining a grid of drives."""
    if not (spikes >= count).any():
        return np.inf
    while True:
        place = int((spikes >= count).argmax())
        if place == 0:
            return float(drives[0])
        low, high = drives[place - 1], drives[place]
        if high - low <= _WIDTH * high:
            return float(high)
        drives = np.linspace(low, high, 33)
        spikes = counts(drives)


def _drive_attributes(per: Per) -> dict[str, str]:
    unit = "1/ms" if per == "ms" else "1"
    return {"long_name": f"network weight per {per}", "units": unit}
