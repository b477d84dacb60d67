"""Scores of predicted against recorded spikes and traces, from times and arrays alone.

Spikes are an array of times, or a list of one per trial, as in `bioae.Recording`; times are
quantities or numbers in seconds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.arrays import described
from bioae.analysis.results.monitors import length_ms
from bioae.checks import floats
from bioae.errors import ResultError
from bioae.spike_times import spike_trains

Times = NDArray[np.float64]
#: A factor that keeps times of a grid within a window despite rounding.
_ROUNDED = 1 + 1e-6


def coincidence_factor(recorded: Any, predicted: Any, *, delta: Any, duration: Any) -> float:
    """Coincidence factor Γ of predicted with recorded spikes: 1 if equal, about 0 by chance.

    Γ = (N_coinc - 2 ν δ N_rec) / (½ (N_rec + N_pred)) / (1 - 2 ν δ), with N_coinc the largest
    number of pairs of a recorded and a predicted spike at most δ apart, each spike in one pair at
    most; and ν the rate of the prediction. A Poisson train of this rate has 2 ν δ N_rec
    coincidences on average where δ is much shorter than the intervals; otherwise fewer, and Γ is
    below 0. It is NaN without spikes, and if 2 ν δ is 1 or more. Several trials count as one
    recording.

    Parameters
    ----------
    recorded, predicted
        Spike times of as many trials; or of one predicted trial, for all recorded ones.
    delta
        The precision δ: a quantity, or seconds. In use are 2 ms and 4 ms.
    duration
        The length of a trial: a quantity, or seconds.

    References
    ----------
    Kistler, Gerstner & van Hemmen (1997), Reduction of the Hodgkin-Huxley equations to a
    single-variable threshold model, Neural Computation 9, 1015-1045; Jolivet et al. (2008), A
    benchmark test for a quantitative assessment of simple neuron models, Journal of Neuroscience
    Methods 169, 417-424, doi:10.1016/j.jneumeth.2007.11.006.
    """
    window, length = length_ms(delta, "delta") / 1e3, length_ms(duration, "duration") / 1e3
    real, model = _trials(recorded, "recorded", length), _trials(predicted, "predicted", length)
    model = model * len(real) if len(model) == 1 else model
    if len(real) != len(model):
        found = f"{len(model)} predicted ones of {len(real)}"
        raise ResultError("the numbers of trials differ", where="predicted", found=found)
    pairs = sum(_matches(*each, window) for each in zip(real, model, strict=True))
    spikes, fired = sum(map(len, real)), sum(map(len, model))
    chance = 2 * window * fired / (len(real) * length)
    if spikes + fired == 0 or chance >= 1:
        return float("nan")
    return float((pairs - chance * spikes) / ((spikes + fired) / 2) / (1 - chance))


def md_star(recorded: Any, predicted: Any, *, delta: Any) -> float:
    """Similarity Md* of the rates that underlie recorded and predicted trials; 1 if they are equal.

    Md* = 2 <r, p> / (<r, r> + <p, p>), with <a, b> the mean number of pairs of spikes at most δ
    apart, over pairs of different trials: its expected value does not depend on the number of
    trials. Md* may exceed 1 by chance, and is NaN without coincidences.

    Parameters
    ----------
    recorded
        Spike times of two or more trials.
    predicted
        Spike times of any number of trials; a single one is that of a deterministic model, of which
        all trials are equal.
    delta
        The precision δ, half of the width of Kistler's window: a quantity, or seconds.

    References
    ----------
    Naud, Gerhard, Mensi & Gerstner (2011), Improved similarity measures for small sets of spike
    trains, Neural Computation 23, 3016-3069, doi:10.1162/NECO_a_00208.
    """
    window = length_ms(delta, "delta") / 1e3
    real, model = _trials(recorded, "recorded"), _trials(predicted, "predicted")
    if len(real) < 2:
        raise ResultError("fewer than two trials", where="recorded", found=str(len(real)))
    between = _near(np.concatenate(real), np.concatenate(model), window) / (len(real) * len(model))
    within = _product(real, window) + _product(model, window)
    return float(2 * between / within) if within else float("nan")


def explained_variance(recorded: ArrayLike, predicted: ArrayLike) -> float:
    """Explained variance of a trace: 1 - mean squared error / variance of the recorded values.

    It is 1 for equal traces, 0 for the mean of the recorded one, and NaN if that is constant, as
    `sklearn.metrics.r2_score` of all values.

    Parameters
    ----------
    recorded, predicted
        Traces in the same unit, (time) or (trial, time), such as potentials or rates of `psth`.
        Times at which one of them is NaN are left out.
    """
    what = "the traces do not fit"
    a, b = (floats(np.asarray(each), what, error=ResultError) for each in (recorded, predicted))
    try:
        error = b - a
    except ValueError:
        found = f"shapes {a.shape} and {b.shape}"
        raise ResultError(what, where="predicted", found=found) from None
    known = np.isfinite(error)
    spread = np.broadcast_to(a, error.shape)[known].var() if known.any() else 0.0
    return float(1 - np.mean(error[known] ** 2) / spread) if spread else float("nan")


def psth(spikes: Any, *, duration: Any, width: Any = 0.005) -> xr.DataArray:
    """Peri-stimulus time histogram: the rate in each bin, averaged over trials, (time,) in Hz.

    Parameters
    ----------
    spikes
        Spike times of one or several trials.
    duration
        The length of a trial: a quantity, or seconds.
    width
        The length of a bin, by default 5 ms. An incomplete last bin is left out.
    """
    bin_ms, length = length_ms(width, "width"), length_ms(duration, "duration")
    trials = _trials(spikes, "spikes", length / 1e3)
    bins = int(length / bin_ms + 1e-6)
    place = np.floor(np.concatenate(trials) * 1e3 / bin_ms + 1e-6).astype(np.int64)
    count = np.bincount(place, minlength=bins + 1)[:bins]
    time = ("time", np.arange(bins) * bin_ms, {"long_name": "time", "units": "ms"})
    rate = xr.DataArray(count / (len(trials) * bin_ms / 1e3), dims="time", coords={"time": time})
    return described(rate, "psth", "rate", "Hz")


def _trials(spikes: Any, name: str, length: float = np.inf) -> tuple[Times, ...]:
    trials = spike_trains(spikes, name)
    times = np.concatenate(trials)
    outside = times[(times < 0) | (times > length * _ROUNDED)]
    if outside.size:
        expected, found = f"0 to {length:g} s", f"{outside[0]:g} s"
        raise ResultError("a spike is outside a trial", where=name, expected=expected, found=found)
    return trials


def _matches(a: Times, b: Times, window: float) -> int:
    """Return the largest number of disjoint pairs of times at most `window` apart."""
    first, second, reach = a.tolist(), b.tolist(), window * _ROUNDED
    i = j = pairs = 0
    while i < len(first) and j < len(second):
        lag = second[j] - first[i]
        pairs += abs(lag) <= reach
        # Whichever is earlier by more has no later partner.
        i, j = i + (lag >= -reach), j + (lag <= reach)
    return pairs


def _near(a: Times, b: Times, window: float) -> int:
    """Return the number of all pairs of times at most `window` apart."""
    ordered, reach = np.sort(b), window * _ROUNDED
    until = np.searchsorted(ordered, a + reach, "right")
    return int((until - np.searchsorted(ordered, a - reach, "left")).sum())


def _product(trials: tuple[Times, ...], window: float) -> float:
    """Return the mean number of close pairs of two different trials; of one, with itself."""
    own = sum(_near(train, train, window) for train in trials)
    if len(trials) == 1:
        return own
    joined = np.concatenate(trials)
    return (_near(joined, joined, window) - own) / (len(trials) * (len(trials) - 1))
