"""The agreement of a free run with a recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from brian2 import second
from brian2.units import Quantity
from numpy.typing import NDArray

from bioae.analysis import (
    coincidence_factor,
    explained_variance,
    md_star,
    psth,
    van_rossum_distance,
)
from bioae.recordings import Recording
from bioae.trainers.fitting.settings import number_in

#: Trials have the same input if the variance between them is at most this part of that over time.
_REPEATED = 0.01


def agreement(
    recorded: Recording,
    predicted: Recording,
    compared: NDArray[np.bool_] | None,
    *,
    delta: Any,
    tau: Quantity | str,
) -> dict[str, float]:
    """Return the scores of a free run, see `Fit.scores`.

    `compared`: where the potential counts, until the end (trial, time); None: it does not.
    """
    scores, length = {}, float(recorded.duration)
    if recorded.spikes is not None and predicted.spikes is not None:
        between = recorded.input.var(axis=0).mean()
        repeated = recorded.trials > 1 and between <= _REPEATED * recorded.input.var()
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
    if recorded.voltage is not None and compared is not None:
        scores["explained_variance_voltage"] = explained_voltage(recorded, predicted, compared)
    return scores


def explained_voltage(
    recorded: Recording, predicted: Recording, compared: NDArray[np.bool_]
) -> float:
    """Return the explained variance of the potential where it counts."""
    counts = compared[:, -recorded.steps :]
    values = np.where(counts, recorded.voltage, np.nan)  # type: ignore[arg-type]
    return explained_variance(values, np.asarray(predicted.voltage))
