"""How unequal the rates of a layer's neurons are, in numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rates import firing_rate

__all__ = ["rate_statistics"]

_COLUMNS = {
    "neurons": ("neurons", "1"),
    "mean": ("mean rate", "Hz"),
    "median": ("median rate", "Hz"),
    "standard_deviation": ("standard deviation of the rate", "Hz"),
    "variation": ("coefficient of variation of the rate", "1"),
    "skewness": ("skewness of the rate", "1"),
    "gini": ("Gini coefficient of the rate", "1"),
    "log_mean": ("mean of ln(rate / Hz)", "1"),
    "log_standard_deviation": ("standard deviation of ln(rate)", "1"),
    "log_skewness": ("skewness of ln(rate)", "1"),
}


def rate_statistics(
    tree: xr.DataTree, layer: str, *, of: Literal["all", "alive"] = "alive"
) -> xr.Dataset:
    """Return moments of the distribution of rates over neurons, and its inequality.

    Parameters
    ----------
    of
        Whether the neurons are ``"all"`` or those ``"alive"``, which spike in any example. What is
        of ln(rate) is of the latter in either case.

    Returns
    -------
    xarray.Dataset
        Scalars. ``neurons``; ``mean``, ``median`` and ``standard_deviation`` (ddof 1) in Hz;
        ``variation``, the latter over the mean; ``skewness``, the third moment around the mean
        over the cubed standard deviation (ddof 0): 0 where symmetric, 2 for an exponential
        distribution; ``gini``: 0 where all fire alike, (n - 1) / n where one of n fires alone, the
        mean absolute difference of two neurons over twice the mean; ``log_mean``,
        ``log_standard_deviation`` (ddof 1) and ``log_skewness`` of ln(rate), the last 0 for a
        log-normal distribution. NaN is what needs more neurons, 1, 2 (standard deviations) or 3
        (skewness), or rates that are not all equal (skewness) or all 0 (``variation``, ``gini``).

    References
    ----------
    Gini coefficients of rates: Mizuseki & Buzsáki (2013), Preconfigured, skewed distribution of
    firing rates in the hippocampus and entorhinal cortex, Cell Reports 4, 1010-1021,
    doi:10.1016/j.celrep.2013.07.039.
    """
    rates = firing_rate(tree, layer).to_numpy()
    alive = rates[rates > 0]
    logarithm = np.log(alive)
    chosen = alive if of == "alive" else rates
    mean, deviation = _mean(chosen), _deviation(chosen)
    values = {
        "neurons": chosen.size,
        "mean": mean,
        "median": float(np.median(chosen)) if chosen.size else np.nan,
        "standard_deviation": deviation,
        "variation": deviation / mean if mean else np.nan,
        "skewness": _skewness(chosen),
        "gini": _gini(chosen),
        "log_mean": _mean(logarithm),
        "log_standard_deviation": _deviation(logarithm),
        "log_skewness": _skewness(logarithm),
    }
    return xr.Dataset(
        {
            name: ((), values[name], {"long_name": text, "units": units})
            for name, (text, units) in _COLUMNS.items()
        }
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")


def _skewness(values: NDArray[np.float64]) -> float:
    # Rates that only rounding tells apart are one rate.
    if values.size < 3 or np.ptp(values) <= 1e-9 * np.abs(values).max():
        return float("nan")
    deviation = values - values.mean()
    return float((deviation**3).mean() / (deviation**2).mean() ** 1.5)


def _gini(values: NDArray[np.float64]) -> float:
    total = values.sum()
    if not total:
        return float("nan")
    # Of sorted values, the i-th is the larger one of i pairs, and the smaller of n - 1 - i.
    weight = 2 * np.arange(values.size) - values.size + 1
    return float(weight @ np.sort(values) / (values.size * total))
