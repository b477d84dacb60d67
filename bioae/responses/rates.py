"""How fast a neuron fires under constant drives."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bioae.equations.model import NeuronModel
from bioae.errors import InputError
from bioae.networks.schedule import ScheduleName
from bioae.responses.common import (
    SMALLER,
    Parameters,
    Per,
    drive_attributes,
    drive_scale,
    steps_of,
    time_step,
)
from bioae.responses.isolated import IsolatedNeuron
from bioae.responses.ranges import drive_range, raster

__all__ = ["rate_curve"]


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
        The drives (drive), in network weights per step; 61 from 0 to where the neuron fires at
        100 Hz by default, see `drive_range`.
    dt
        The time step; the model's own, or 0.1 ms, by default.
    duration, discard
        How long each drive is on, and how much of the beginning is not counted.
    per
        ``"ms"``: the drives are network weights per millisecond.
    schedule
        The order of things within a step.
    parameters
        Numbers in base units that replace the model's own, by name.

    Returns
    -------
    xarray.DataArray
        ``rate (drive)`` in Hz: spikes by the time in which they were counted.

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
        raise InputError("all is discarded", where="discard", expected=f"less than {duration}")
    if drives is None:
        _, top = drive_range(model, dt=dt, per=per, schedule=schedule, parameters=parameters)
        drives = np.linspace(0.0, top, 61)
    chosen = np.atleast_1d(np.asarray(drives, dtype=np.float64))
    neuron = IsolatedNeuron(model, dt=step, schedule=schedule, parameters=parameters)
    fired = raster(neuron, chosen * drive_scale(per, step), steps)
    neuron.check_finite(mend=SMALLER)
    rate = fired[skipped:].sum(axis=0) / ((steps - skipped) * step)
    return xr.DataArray(
        rate,
        dims="drive",
        coords={"drive": ("drive", chosen, drive_attributes(per))},
        name="rate",
        attrs={"long_name": "firing rate", "units": "Hz", "dt_ms": step * 1e3},
    )
