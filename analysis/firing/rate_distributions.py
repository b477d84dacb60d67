"""Distribution of firing rates over neurons: histogram, moments and inequality, fitted families.

Rates of cortical neurons are close to log-normal (Buzsáki & Mizuseki 2014, Nature Reviews
Neuroscience 15, 264-278, doi:10.1038/nrn3687). Distributions are fitted to the rates of neurons
that spike; `dead_fraction` measures the others. Few spikes give few different rates, which no
continuous distribution fits exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rate_families import FAMILIES, Family
from bioae.analysis.firing.rates import NeuronSet, check_reference, firing_rate
from bioae.analysis.results.layers import duration_s, layer_data, of_layer, steps
from bioae.checks import whole
from bioae.errors import ResultError

_FITTED = {
    "shape": ("shape: of ln(rate) the standard deviation, of gamma its order", "1"),
    "scale": ("scale: the median of a log-normal, else the mean over the shape", "Hz"),
    "log_likelihood": ("log-likelihood", "1"),
    "aic": ("Akaike information criterion", "1"),
    "ks_statistic": ("Kolmogorov-Smirnov statistic", "1"),
    "p_value": ("p value of the statistic, by simulation", "1"),
}
_MOMENTS = {
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


@of_layer
def rate_distribution(tree: xr.DataTree, layer: str, *, bins: int = 30) -> xr.Dataset:
    """Histogram of firing rates over neurons, in bins of equal width on a logarithmic axis.

    The bins range from the lowest measurable rate, one spike in all presentations, to the highest,
    one spike in every step, so that results of the same size share them. At low rates, where bins
    of equal width would be narrower than one spike in all presentations, they are that wide.

    Parameters
    ----------
    bins
        The number of bins, if none is widened.

    Returns
    -------
    xarray.Dataset
        ``neurons (rate)`` int, with the bins' geometric centres `rate` and edges `rate_low` and
        `rate_high` in Hz, and the scalar ``dead``, the number of neurons without a spike.
    """
    bins = whole(bins, "bins", least=1, error=ResultError)
    data = layer_data(tree, layer)
    rates = firing_rate(tree, layer).to_numpy()
    # Without examples there are no rates; one serves for the edges.
    lowest = 1 / (duration_s(tree) * max(1, data.sizes["example"]))
    highest = steps(tree) / duration_s(tree)
    edges = rate_bins(lowest, highest, bins, lowest)
    neurons, _ = np.histogram(rates[rates > 0], edges)
    return xr.Dataset(
        {
            "neurons": ("rate", neurons, _attributes("neurons", "1")),
            "dead": ((), int((rates == 0).sum()), _attributes("dead neurons", "1")),
        },
        coords={
            "rate": ("rate", np.sqrt(edges[:-1] * edges[1:]), _attributes("rate", "Hz")),
            "rate_low": ("rate", edges[:-1], _attributes("lower edge", "Hz")),
            "rate_high": ("rate", edges[1:], _attributes("upper edge", "Hz")),
        },
    )


def rate_bins(low: float, high: float, bins: int, resolution: float) -> NDArray[np.float64]:
    """Return edges of bins of equal width on a logarithmic axis, none narrower than one spike.

    `low`, `high`: the rates that the bins hold, positive.
    `bins`: the number of bins, if none is widened.
    `resolution`: the rate of one spike, of which rates are multiples; 0 where that is unknown.
        Edges are halfway between multiples, so that a bin is as wide as the rates that it can hold.
    """
    # A margin keeps rounding from moving a rate beyond the outer edges.
    edges = np.geomspace(low / 1.1, high * 1.1, bins + 1)
    if not resolution:
        return edges
    spikes = np.maximum(np.round(edges / resolution - 0.5), 0) + 0.5
    first = np.round(low / resolution) - 0.5
    last = np.round(high / resolution) + 0.5
    inner = spikes[(spikes > first) & (spikes < last)]
    return np.unique(np.concatenate(([first], inner, [last]))) * resolution


@of_layer
def rate_statistics(tree: xr.DataTree, layer: str, *, of: NeuronSet = "alive") -> xr.Dataset:
    """Moments and Gini coefficient of the distribution of firing rates over neurons.

    Parameters
    ----------
    of
        ``"all"`` neurons or ``"alive"`` ones. Moments of ln(rate) are always over the latter.

    Returns
    -------
    xarray.Dataset
        Scalars. ``neurons``; ``mean``, ``median`` and ``standard_deviation`` (ddof 1) in Hz;
        ``variation``, standard deviation over mean; ``skewness``, the third central moment over the
        cubed standard deviation (ddof 0): 0 for a symmetric distribution, 2 for an exponential one;
        ``gini``, the mean absolute difference between two neurons over twice the mean: 0 for equal
        rates, (n - 1) / n if only one of n neurons fires; ``log_mean``, ``log_standard_deviation``
        (ddof 1) and ``log_skewness`` of ln(rate), the last 0 for a log-normal distribution. NaN
        with fewer than 1, 2 (standard deviations) or 3 (skewness) neurons, for equal rates
        (skewness), and for rates of 0 (``variation``, ``gini``).

    References
    ----------
    Gini coefficients of rates: Mizuseki & Buzsáki (2013), Preconfigured, skewed distribution of
    firing rates in the hippocampus and entorhinal cortex, Cell Reports 4, 1010-1021,
    doi:10.1016/j.celrep.2013.07.039.
    """
    check_reference(of)
    rates = firing_rate(tree, layer).to_numpy()
    alive = rates[rates > 0]
    logarithm = np.log(alive)
    chosen = alive if of == "alive" else rates
    mean, deviation, total = _mean(chosen), _deviation(chosen), chosen.sum()
    # Among sorted values, the i-th is the larger in i pairs and the smaller in n - 1 - i.
    weight = 2 * np.arange(chosen.size) - chosen.size + 1
    values = {
        "neurons": chosen.size,
        "mean": mean,
        "median": float(np.median(chosen)) if chosen.size else np.nan,
        "standard_deviation": deviation,
        "variation": deviation / mean if mean else np.nan,
        "skewness": _skewness(chosen),
        "gini": float(weight @ np.sort(chosen) / (chosen.size * total)) if total else np.nan,
        "log_mean": _mean(logarithm),
        "log_standard_deviation": _deviation(logarithm),
        "log_skewness": _skewness(logarithm),
    }
    return xr.Dataset(
        {name: ((), values[name], _attributes(*text)) for name, text in _MOMENTS.items()}
    )


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")


def _skewness(values: NDArray[np.float64]) -> float:
    # Rates that differ by rounding alone are equal.
    if values.size < 3 or np.ptp(values) <= 1e-9 * np.abs(values).max():
        return float("nan")
    deviation = values - values.mean()
    return float((deviation**3).mean() / (deviation**2).mean() ** 1.5)


@of_layer
def fit_rates(tree: xr.DataTree, layer: str, *, resamples: int = 0, seed: int = 0) -> xr.Dataset:
    """Fit log-normal, gamma and exponential distributions to the rates of neurons that spike.

    Maximum likelihood with the location fixed at 0 Hz.

    Parameters
    ----------
    resamples
        If positive, compute a p value of the Kolmogorov-Smirnov statistic from this number of
        samples of the fitted distribution, each fitted again (Lilliefors 1967, Journal of the
        American Statistical Association 62, 399-402; `scipy.stats.goodness_of_fit`). The standard
        p value is far too large, because the parameters are fitted to the same data.
    seed
        Seed of those samples.

    Returns
    -------
    xarray.Dataset
        Along `distribution`, by name: ``shape`` (the standard deviation of ln(rate); the order of
        the gamma distribution; NaN for the exponential, which has none), ``scale`` in Hz,
        ``log_likelihood``, ``aic`` (the lowest is best; differences below 2 are not meaningful),
        ``ks_statistic``, the largest distance between the cumulative distributions, and ``p_value``
        if `resamples` is positive; the scalar ``neurons``, the number of rates. NaN if fewer than 3
        neurons spike, or all at the same rate.

    References
    ----------
    Akaike (1974), IEEE Transactions on Automatic Control 19, 716-723, doi:10.1109/TAC.1974.1100705.
    """
    resamples = whole(resamples, "resamples", error=ResultError)
    whole(seed, "the seed", most=2**64 - 1, error=ResultError)
    rates = firing_rate(tree, layer).to_numpy()
    rates = rates[rates > 0]
    names = [name for name in _FITTED if name != "p_value" or resamples]
    rows = np.full((len(FAMILIES), len(names)), np.nan)
    # Rates that differ by rounding alone are equal.
    if rates.size >= 3 and np.ptp(rates) > 1e-9 * rates.max():
        rng = np.random.default_rng(seed)
        fits = [_fit(rates, family, resamples, rng) for family in FAMILIES.values()]
        rows = np.array([[fit[name] for name in names] for fit in fits])
    columns: dict[str, Any] = {
        name: ("distribution", column, _attributes(*_FITTED[name]))
        for name, column in zip(names, rows.T, strict=True)
    }
    columns["neurons"] = ((), rates.size, _attributes("neurons fitted", "1"))
    return xr.Dataset(columns, coords={"distribution": list(FAMILIES)})


def _attributes(long_name: str, units: str) -> dict[str, str]:
    return {"long_name": long_name, "units": units}


def _fit(
    rates: NDArray[np.float64], family: Family, resamples: int, rng: np.random.Generator
) -> dict[str, float]:
    fit = family.fit(rates)
    likelihood = float(fit.log_density(rates).sum())
    numbers = {
        "shape": fit.shape,
        "scale": fit.scale,
        "log_likelihood": likelihood,
        "aic": 2 * family.parameters - 2 * likelihood,
        "ks_statistic": fit.distance(rates),
    }
    if resamples:
        from scipy import stats  # takes half a second to import

        test = stats.goodness_of_fit(
            getattr(stats, family.scipy_name), rates, known_params={"loc": 0}, statistic="ks",
            n_mc_samples=resamples, random_state=rng,
        )  # fmt: skip
        numbers["p_value"] = float(test.pvalue)
    return numbers
