"""What the weights of one neuron model are worth in another.

A network weight is a number; what it does depends on the neuron that it meets. A *calibration* is
the factor by which a model's unit of weight is multiplied so that it answers as another one does.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.errors import ModelError
from bioae.networks.schedule import ScheduleName
from bioae.responses import drive_range, rate_curve, threshold_weight
from bioae.responses.common import Parameters

__all__ = ["CALIBRATIONS", "Calibration", "calibrate"]

#: ``"psp"``, ``"rate"``, or ``"none"``: the weights as they are.
Calibration: TypeAlias = Literal["rate", "psp", "none"]
CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)

#: Rates are compared up to this part of the greatest that the source, and the target, can have.
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
    """Return the factor on network weights with which one neuron model answers as another.

    Parameters
    ----------
    source, target
        The model whose answers are wanted, and the one that is to give them.
    dt, target_dt
        Their time steps; the second is the first by default.
    by
        ``"rate"``: the f-I curves match: least squares between the constant drives at which the
        two fire once, twice, ..., up to three tenths of the greatest rate that both reach.
        ``"psp"``: a single spike goes as far towards the threshold. ``"none"``: 1.
    duration
        How long a drive is on, from the start of a presentation, or a single spike is waited for.
    schedule
        The order of things within a step.
    source_parameters, target_parameters
        Numbers in base units that replace the models' own, by name.

    Raises
    ------
    ModelError
        If one of the two does not fire, or fires without input.
    """
    common: dict[str, Any] = {"duration": duration, "schedule": schedule}
    of_source = {"dt": dt, "parameters": source_parameters, **common}
    of_target = {"dt": target_dt or dt, "parameters": target_parameters, **common}
    match by:
        case "none":
            return 1.0
        case "psp":
            return threshold_weight(target, **of_target) / threshold_weight(source, **of_source)
        case "rate":
            return _rate_factor(source, target, of_source, of_target)


def _rate_factor(
    source: NeuronModel, target: NeuronModel, of_source: dict[str, Any], of_target: dict[str, Any]
) -> float:
    """Return the factor that brings the target's curve over the source's."""
    fastest = min(_fastest(source, of_source), _fastest(target, of_target))
    rate = max(_SATURATION * fastest, _slowest(of_source))
    needed = [_drives(source, rate, of_source), _drives(target, rate, of_target)]
    counts = min(map(len, needed))
    wanted, given = (drives[:counts] for drives in needed)
    return float(wanted @ given / (wanted @ wanted))


def _drives(model: NeuronModel, rate: float, options: dict[str, Any]) -> NDArray[np.float64]:
    """Return the drives at which a model fires 1, 2, ... times, up to a rate."""
    low, high = drive_range(model, rate=rate, per="ms", **options)
    if not low > 0:
        raise ModelError(
            f"the neuron model {model.name!r} fires without input, and cannot be calibrated",
            mend='Use its weights as they are: calibrate="none"',
        )
    drives = np.geomspace(0.98 * low, high, _POINTS)
    rates = _curve(model, drives, options).to_numpy()
    single = _slowest(options)
    wanted = np.arange(1, round(rates.max() / single) + 1) * single
    return drives[[int((rates > one - 0.5 * single).argmax()) for one in wanted]]


def _slowest(options: dict[str, Any]) -> float:
    """Return the rate of one spike in the time that is watched, in Hz."""
    return 1.0 / time_in_seconds(options["duration"], where="duration")


def _fastest(model: NeuronModel, options: dict[str, Any]) -> float:
    """Return the greatest rate that a model reaches under a constant drive, in Hz."""
    return float(_curve(model, np.geomspace(1e-6, 1e6, 121), options).max())


def _curve(model: NeuronModel, drives: Any, options: dict[str, Any]) -> xr.DataArray:
    return rate_curve(model, drives, per="ms", discard="0*ms", **options)
