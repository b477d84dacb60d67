"""Calibration: the conversion of weights from one neuron model to another.

The effect of a network weight depends on the neuron that receives it. A calibration is the factor
by which a model's unit of weight is multiplied so that the model responds like another one.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.checks import one_of
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.errors import ModelError
from bioae.networks.schedule import ScheduleName
from bioae.responses.isolated import Parameters
from bioae.responses.stimulation import drive_range, rate_curve, threshold_weight

__all__ = ["CALIBRATIONS", "Calibration", "calibrate", "check_calibration"]

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
        fire once, twice, ..., up to three tenths of the greatest rate that both reach. ``"psp"``:
        a single spike comes as close to the threshold. ``"none"``: the factor is 1.
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
    check_calibration(by)
    common: dict[str, Any] = {"duration": duration, "schedule": schedule}
    source_options = {"dt": dt, "parameters": source_parameters, **common}
    target_options = {
        "dt": target_dt or _step_of(target, dt),
        "parameters": target_parameters,
        **common,
    }
    match by:
        case "none":
            return 1.0
        case "psp":
            return threshold_weight(target, **target_options) / threshold_weight(
                source, **source_options
            )
        case "rate":
            return _rate_factor(source, target, source_options, target_options)


def _step_of(model: NeuronModel, dt: str) -> str:
    """Return a time step, or the longest that a model allows if it is shorter."""
    longest = model.dt
    if longest is None:
        return dt
    shorter = time_in_seconds(longest, where="dt") < time_in_seconds(dt, where="dt")
    return longest if shorter else dt


def check_calibration(by: str) -> None:
    """Refuse an unknown method.

    Raises
    ------
    InputError
        If `by` is not one of `CALIBRATIONS`.
    """
    one_of(by, "the calibration", CALIBRATIONS)


def _rate_factor(
    source: NeuronModel,
    target: NeuronModel,
    source_options: dict[str, Any],
    target_options: dict[str, Any],
) -> float:
    """Return the factor that maps the target's f-I curve onto the source's."""
    fastest = min(_fastest(source, source_options), _fastest(target, target_options))
    rate = max(_SATURATION * fastest, _slowest(source_options))
    needed = [_drives(source, rate, source_options), _drives(target, rate, target_options)]
    counts = min(map(len, needed))
    source_drives, target_drives = (drives[:counts] for drives in needed)
    return float(source_drives @ target_drives / (source_drives @ source_drives))


def _drives(model: NeuronModel, rate: float, options: dict[str, Any]) -> NDArray[np.float64]:
    """Return the drives at which a model fires 1, 2, ... times, up to a rate."""
    low, high = drive_range(model, rate=rate, per="ms", **options)
    if not low > 0:
        raise ModelError(
            f"the neuron model {model.name!r} fires without input, and cannot be calibrated",
            hint='Use its weights as they are: calibrate="none"',
        )
    drives = np.geomspace(0.98 * low, high, _POINTS)
    rates = _curve(model, drives, options).to_numpy()
    single = _slowest(options)
    levels = np.arange(1, round(rates.max() / single) + 1) * single
    return drives[[int((rates > one - 0.5 * single).argmax()) for one in levels]]


def _slowest(options: dict[str, Any]) -> float:
    """Return the rate of one spike per presentation, in Hz."""
    return 1.0 / time_in_seconds(options["duration"], where="duration")


def _fastest(model: NeuronModel, options: dict[str, Any]) -> float:
    """Return the greatest rate that a model reaches under a constant drive, in Hz."""
    return float(_curve(model, np.geomspace(1e-6, 1e6, 121), options).max())


def _curve(model: NeuronModel, drives: Any, options: dict[str, Any]) -> xr.DataArray:
    return rate_curve(model, drives, per="ms", discard="0*ms", **options)
