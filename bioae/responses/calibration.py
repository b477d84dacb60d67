"""Rates and thresholds of isolated neurons, and the calibration of weights by them.

The effect of a network weight depends on the neuron that receives it. A calibration is the factor
by which a model's unit of weight is multiplied so that the model responds like another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import array, number, one_of
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.errors import InputError, ModelError, shortened
from bioae.networks.schedule import ScheduleName
from bioae.responses.isolated import (
    IsolatedNeuron,
    Parameters,
    Per,
    drive_attributes,
    drive_scale,
    steps_of,
    time_step,
)
from bioae.units import has_unit

if TYPE_CHECKING:
    import xarray as xr

Drives: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = Callable[[Drives], NDArray[np.int64]]

#: The first drives and weights of a search, which ends at this relative width, or at one so small:
#: a neuron that diverges fires at any.
_COARSE = np.concatenate([[0.0], np.geomspace(1e-6, 1e6, 121)])
_WIDTH, _LEAST = 0.01, 1e-12

#: The methods; with ``"none"`` weights stay as they are.
Calibration: TypeAlias = Literal["rate", "psp", "none"]
CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)

#: Rates are compared up to this fraction of the greatest rate that both models reach.
_SATURATION = 0.3
_POINTS = 1000


def calibrate(
    source: NeuronModel,
    target: NeuronModel,
    *,
    dt: str = "1*ms",
    target_dt: str | None = None,
    by: Calibration = "rate",
    duration: str = "100*ms",
    schedule: ScheduleName = "brian2",
    source_parameters: Parameters | None = None,
    target_parameters: Parameters | None = None,
) -> float:
    """Return the factor on network weights that makes one neuron model respond like another.

    Parameters
    ----------
    source, target
        The model to be matched, and the one whose weights are scaled.
    dt, target_dt
        Their time steps; `target_dt` is `dt` by default, or the longest that the target allows.
    by
        ``"rate"``: f-I curves match, by least squares between the constant drives at which the two
        fire once, twice, ..., up to three tenths of the highest rate that both reach. ``"psp"``: a
        single spike comes equally close to the threshold. ``"none"``: the factor is 1.
    duration
        The duration of a drive from the start of a presentation, or the time allowed for a single
        spike to take effect.
    schedule
        The order of operations within a step.
    source_parameters, target_parameters
        Numbers in base units that replace the models' own, by name.

    Raises
    ------
    InputError
        If there is no such method.
    ModelError
        If one of the two does not fire, or fires without input.
    """
    one_of(by, "the calibration", CALIBRATIONS)
    common = {"duration": duration, "schedule": schedule}
    sides: list[tuple[NeuronModel, dict[str, Any]]] = [
        (source, {"dt": dt, "parameters": source_parameters, **common}),
        (
            target,
            {"dt": target_dt or _step_of(target, dt), "parameters": target_parameters, **common},
        ),
    ]
    if by == "none":
        return 1.0
    if by == "psp":
        weakest, other = (threshold_weight(model, **options) for model, options in sides)
        return other / weakest
    single = 1.0 / time_in_seconds(duration, where="duration")
    fastest = min(float(_curve(*side, _COARSE[1:]).max()) for side in sides)
    rate = max(_SATURATION * fastest, single)
    drives = [_drives(*side, rate, single) for side in sides]
    counts = min(map(len, drives))
    own, others = (each[:counts] for each in drives)
    return float(own @ others / (own @ own))


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
    if has_unit(drives):
        raise InputError(
            "drives has a unit", expected="bare numbers", found=shortened(repr(drives))
        )
    chosen = np.atleast_1d(array(drives, "drives does not fit"))
    if chosen.ndim != 1:
        raise InputError("drives does not fit", expected="numbers", found=f"shape {chosen.shape}")
    neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
    fired = _raster(neuron, chosen * drive_scale(per, step), steps)
    neuron.check_finite()
    rate = fired[skipped:].sum(axis=0) / ((steps - skipped) * step)
    from xarray import DataArray

    return DataArray(
        rate, dims="drive", coords={"drive": ("drive", chosen, drive_attributes(per))}, name="rate",
        attrs={"long_name": "firing rate", "units": "Hz", "dt_ms": step * 1e3},
    )  # fmt: skip


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
        The rate in Hz; where the neuron never fires so fast, its highest rate is used.
    model, dt, duration, per, schedule, parameters
        As for `rate_curve`.

    Raises
    ------
    ModelError
        If no drive makes the model fire.
    """
    rate = number(rate, "rate", above=0)
    counts, coarse, steps, step = _coarse(
        model, dt, duration, per, schedule=schedule, parameters=parameters
    )
    if not coarse.any():
        raise ModelError(f"no constant drive makes the neuron model {model.name!r} fire")
    wanted = min(rate * steps * step, float(coarse.max()))
    least = _first(counts, _COARSE, coarse, 1.0)
    return least, least if wanted <= 1 else _first(counts, _COARSE, coarse, wanted)


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

    It is infinite if no drive makes the neuron fire.
    """
    counts, coarse, *_ = _coarse(model, dt, duration, per, schedule=schedule, parameters=parameters)
    return _first(counts, _COARSE, coarse, 1.0)


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

    rested = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
    rested.check_fires()
    for _ in range(waited):
        rested.step(fires=False)

    def counts(weights: Drives) -> NDArray[np.int64]:
        neuron, spikes = rested.copied(), np.zeros(len(weights), dtype=np.int64)
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


def _step_of(model: NeuronModel, dt: str) -> str:
    """Return a time step, or the longest that a model allows if it is shorter."""
    longest = lower(model).model.dt  # refuses what is no neuron model
    if longest is None or time_in_seconds(dt, where="dt") <= time_in_seconds(longest, where="dt"):
        return dt
    return longest


def _drives(
    model: NeuronModel, options: dict[str, Any], rate: float, single: float
) -> NDArray[np.float64]:
    """Return the drives at which a model fires 1, 2, ... times per presentation, up to a rate.

    `single` is the rate of one spike per presentation.
    """
    low, high = drive_range(model, rate=rate, per="ms", **options)
    if not low > 0:
        at_once = _curve(model, {**options, "duration": options["dt"]}, [0.0]).any()
        cause = "Lower its constant input, such as a bias current"
        if at_once:
            cause = 'Let it begin below its threshold, such as initial={"v": "-70*mV"}'
        raise ModelError(
            f"the neuron model {model.name!r} fires {'in its first step, ' * bool(at_once)}without "
            "input, and cannot be calibrated",
            hint=f'{cause}, or use its weights as they are: calibrate="none"',
        )
    drives = np.geomspace(0.98 * low, high, _POINTS)
    rates = _curve(model, options, drives).to_numpy()
    levels = np.arange(1, round(rates.max() / single) + 1) * single
    return drives[[int((rates > one - 0.5 * single).argmax()) for one in levels]]


def _curve(model: NeuronModel, options: dict[str, Any], drives: Any) -> xr.DataArray:
    return rate_curve(model, drives, per="ms", discard="0*ms", **options)


def _coarse(
    model: NeuronModel, dt: str | None, duration: str, per: Per, **options: Any
) -> tuple[Counts, NDArray[np.int64], int, float]:
    """Return spike counts as a function of drives, those of `_COARSE`, the steps, and dt in s."""
    step = time_step(model, dt)
    steps = steps_of(duration, step, "duration")
    scale = drive_scale(per, step)
    neuron = IsolatedNeuron(model, dt=step, **options)

    def counts(drives: Drives) -> NDArray[np.int64]:
        return np.asarray(_raster(neuron.copied(), drives * scale, steps).sum(axis=0))

    return counts, counts(_COARSE), steps, step


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
        if high - low <= _WIDTH * high or high < _LEAST:
            return float(high)
        drives = np.linspace(low, high, 33)
        spikes = counts(drives)
