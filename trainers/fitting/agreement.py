"""The agreement of a free run with a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from brian2 import second
from brian2.units import Quantity

from bioae.analysis import (
    coincidence_factor,
    explained_variance,
    md_star,
    psth,
    van_rossum_distance,
)
from bioae.recordings import Recording
from bioae.trainers.fitting.problem import Problem
from bioae.trainers.fitting.settings import number_in


def agreement(
    problem: Problem, recorded: Recording, predicted: Recording, *, delta: Any, tau: Quantity | str
) -> dict[str, float]:
    """Return the scores of a free run, see `Fit.scores`."""
    scores, length = {}, float(recorded.duration)
    if recorded.spikes is not None and predicted.spikes is not None:
        repeated = recorded.trials > 1 and bool((recorded.input == recorded.input[0]).all())
        for each in delta if isinstance(delta, list | tuple) else (delta,):
            window = number_in(each, second, "delta")
            scores[f"gamma_{window * 1e3:g}ms"] = coincidence_factor(
                recorded.spikes, predicted.spikes, delta=window, duration=length
            )
            if repeated:
                scores[f"md_star_{window * 1e3:g}ms"] = md_star(
                    recorded.spikes, predicted.spikes, delta=window
                )
        decay = number_in(tau, second, "tau") * 1e3
        time = {"time": np.arange(recorded.steps) * float(recorded.dt) * 1e3}
        distances = [
            van_rossum_distance(xr.DataArray([*pair], time, ("train", "time")), tau_ms=decay)
            for pair in zip(recorded.spike_steps(), predicted.spike_steps(), strict=True)
        ]
        scores[f"van_rossum_{decay:g}ms"] = float(np.mean([each[0, 1] for each in distances]))
        rates = [psth(each, duration=length) for each in (recorded.spikes, predicted.spikes)]
        scores["explained_variance_rate"] = explained_variance(*rates)
    if recorded.voltage is not None and problem.voltage:
        scores["explained_variance_voltage"] = explained_voltage(problem, recorded, predicted)
    return scores


def explained_voltage(problem: Problem, recorded: Recording, predicted: Recording) -> float:
    """Return the explained variance of the potential, where no spike was recorded."""
    between = problem.between_spikes(recorded)
    found = np.where(between, recorded.voltage, np.nan)  # type: ignore[arg-type]
    return explained_variance(found, np.asarray(predicted.voltage))
