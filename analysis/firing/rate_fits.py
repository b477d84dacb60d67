"""Which distribution the rates of a layer's neurons follow.

Rates of cortical neurons are close to log-normal (Buzsáki & Mizuseki 2014, Nature Reviews
Neuroscience 15, 264-278, doi:10.1038/nrn3687). Only neurons that spike have a rate to fit: how many
do not is told by `dead_fraction`. Rates are spikes over time, so few spikes give few different
rates, which no continuous distribution fits exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rates import firing_rate
from bioae.errors import ResultError

__all__ = ["fit_rates"]

# The names in scipy.stats, and the parameters that are fitted; the location is 0.
_FAMILIES = {"lognormal": ("lognorm", 2), "gamma": ("gamma", 2), "exponential": ("expon", 1)}
_COLUMNS = {
    "shape": ("shape: of ln(rate) the standard deviation, of gamma its order", "1"),
    "scale": ("scale: the median of a log-normal, else the mean over the shape", "Hz"),
    "log_likelihood": ("log-likelihood", "1"),
    "aic": ("Akaike information criterion", "1"),
    "ks_statistic": ("Kolmogorov-Smirnov statistic", "1"),
    "p_value": ("p value of the statistic, by simulation", "1"),
}


class _Fit(NamedTuple):
    frozen: Any
    shape: float
    scale: float
    ks_statistic: float


def fit_rates(tree: xr.DataTree, layer: str, *, resamples: int = 0, seed: int = 0) -> xr.Dataset:
    """Fit log-normal, gamma and exponential distributions to the rates of neurons that spike.

    Each is fitted by maximum likelihood, starting at 0 Hz, with `scipy.stats`.

    Parameters
    ----------
    resamples
        If positive, a p value of the Kolmogorov-Smirnov statistic is found from as many samples
        drawn from the fitted distribution, each fitted anew (Lilliefors 1967, Journal of the
        American Statistical Association 62, 399-402). That of the textbook is not valid here: it
        is far too large when parameters are fitted to the same data.
    seed
        Of those samples.

    Returns
    -------
    xarray.Dataset
        Along `distribution`, by name: ``shape`` (the standard deviation of ln(rate); the order of
        the gamma distribution; NaN for the exponential, which has none), ``scale`` in Hz,
        ``log_likelihood``, ``aic`` (the least is the best; differences below 2 say nothing),
        ``ks_statistic``, the largest distance of the cumulative distributions; and the scalar
        ``neurons``, those fitted; ``p_value`` where `resamples` is positive. All NaN where fewer
        than 3 neurons spike, or all at the same rate.

    Raises
    ------
    ResultError
        If `resamples` is negative.

    References
    ----------
    Akaike (1974), IEEE Transactions on Automatic Control 19, 716-723, doi:10.1109/TAC.1974.1100705.
    """
    if resamples < 0:
        raise ResultError(
            "resamples must not be negative", expected="0 or more", found=str(resamples)
        )
    rates = firing_rate(tree, layer).to_numpy()
    rates = rates[rates > 0]
    names = [name for name in _COLUMNS if name != "p_value" or resamples]
    rows = np.full((len(_FAMILIES), len(names)), np.nan)
    # Rates that only rounding tells apart are one rate.
    if rates.size >= 3 and np.ptp(rates) > 1e-9 * rates.max():
        rng = np.random.default_rng(seed)
        found = [_row(rates, *family, resamples, rng) for family in _FAMILIES.values()]
        rows = np.array([[row[name] for name in names] for row in found])
    data = {
        name: (
            "distribution",
            rows[:, k],
            dict(zip(("long_name", "units"), _COLUMNS[name], strict=True)),
        )
        for k, name in enumerate(names)
    }
    neurons = ((), rates.size, {"long_name": "neurons fitted", "units": "1"})
    return xr.Dataset({**data, "neurons": neurons}, coords={"distribution": list(_FAMILIES)})


def _row(
    rates: NDArray[np.float64],
    family: str,
    parameters: int,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    fit = _fit(rates, family)
    likelihood = float(fit.frozen.logpdf(rates).sum())
    as_far = sum(
        _fit(fit.frozen.rvs(rates.size, random_state=rng), family).ks_statistic >= fit.ks_statistic
        for _ in range(resamples)
    )
    return {
        "shape": fit.shape,
        "scale": fit.scale,
        "log_likelihood": likelihood,
        "aic": 2 * parameters - 2 * likelihood,
        "ks_statistic": fit.ks_statistic,
        "p_value": (1 + as_far) / (1 + resamples),
    }


def _fit(rates: NDArray[np.float64], family: str) -> _Fit:
    from scipy import stats

    distribution = getattr(stats, family)
    *shape, _, scale = distribution.fit(rates, floc=0)
    frozen = distribution(*shape, loc=0, scale=scale)
    statistic = float(stats.kstest(rates, frozen.cdf, method="asymp").statistic)
    return _Fit(frozen, float(shape[0]) if shape else float("nan"), float(scale), statistic)
