"""Firing rates on a logarithmic axis, with the distributions that were fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.plots.overlay import colour_of, head, layers_in, line_of, needed
from bioae.analysis.plots.style import LINES, panels, styled

__all__ = ["fitted_rates"]

Rates = Mapping[str, Mapping[str, xr.DataArray]]
Fits = Mapping[str, Mapping[str, xr.Dataset]]

# By the names of `fit_rates`: as read, and in scipy.stats.
_FAMILIES = {
    "lognormal": ("log-normal", "lognorm"),
    "gamma": ("gamma", "gamma"),
    "exponential": ("exponential", "expon"),
}


class _Curve(NamedTuple):
    name: str
    parameters: tuple[float, ...]
    family: str


@styled
def fitted_rates(
    rates: Rates,
    fits: Fits | None = None,
    *,
    which: Literal["best", "all"] = "best",
    bins: int = 30,
) -> Figure:
    """Draw how many neurons fire at which rate, and over it what the fits expect.

    A neuron without a spike is on no bin of a logarithmic axis: how many those are is said in the
    label, and the fits are scaled to the others.

    Parameters
    ----------
    rates
        By result and layer, the rate of each neuron in Hz, (neuron,).
    fits
        By result and layer, as from `bioae.analysis.firing.rate_fits.fit_rates`: along
        `distribution`, the `shape` (NaN where there is none), the `scale` and the `aic`. What
        could not be fitted is not drawn.
    which
        Whether of each result the ``"best"`` fit is drawn, that of least AIC, or ``"all"``.
    bins
        Of equal width on the logarithmic axis, from the lowest to the highest rate of any neuron.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(rates, "rates")
    names = layers_in(rates)
    curves = {
        name: {label: _curves(of[name], which) for label, of in (fits or {}).items() if name in of}
        for name in names
    }
    rows = len(rates) + max(sum(map(len, own.values())) for own in curves.values())
    edges = _edges([values.to_numpy() for of in rates.values() for values in of.values()], bins)
    figure, axes = panels(len(names), 2.1 + 0.16 * rows, "firing rate (Hz)")
    for panel, name in zip(axes, names, strict=True):
        for index, (label, of) in enumerate(rates.items()):
            if name in of:
                values = of[name].to_numpy()
                _draw_rates(panel, values, edges, label, index)
                for number, curve in enumerate(curves[name].get(label, [])):
                    style = line_of(index) if which == "best" else _line_of_family(index, number)
                    said = f"{label}: {curve.name}"
                    panel.plot(*_expected(curve, values, edges), linewidth=1.8, label=said, **style)
        panel.set_xscale("log")
        panel.set_xlim(edges[0], edges[-1])
        panel.set_ylim(bottom=0)
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.set_ylabel("neurons")
        head(panel, name)
    return figure


def _curves(fit: xr.Dataset, which: Literal["best", "all"]) -> list[_Curve]:
    found = {}
    for name in fit["distribution"].to_numpy():
        own = fit.sel(distribution=name)
        shape, scale, aic = (float(own[each]) for each in ("shape", "scale", "aic"))
        if np.isfinite(scale):
            parameters = (0.0, scale) if np.isnan(shape) else (shape, 0.0, scale)
            found[aic] = _Curve(_FAMILIES[name][0], parameters, _FAMILIES[name][1])
    return [found[min(found)]] if found and which == "best" else list(found.values())


def _line_of_family(index: int, number: int) -> dict[str, Any]:
    return {"color": colour_of(index), "linestyle": LINES[number % len(LINES)]}


def _draw_rates(
    axes: Axes, rates: NDArray[Any], edges: NDArray[np.float64], label: str, index: int
) -> None:
    alive = rates[rates > 0]
    counts, _ = np.histogram(alive, edges)
    axes.stairs(counts, edges, color=colour_of(index), alpha=0.2, fill=True)
    said = f"{label}: {rates.size - alive.size:,} of {rates.size:,} dead"
    axes.stairs(counts, edges, linewidth=0.9, label=said, **line_of(index))


def _expected(
    curve: _Curve, rates: NDArray[Any], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rates, and how many neurons a bin around each would hold."""
    from scipy import stats

    at = np.geomspace(edges[0], edges[-1], 400)
    # A bin of width w in log(rate) holds about pdf(rate) * rate * w of the neurons.
    width = np.log(edges[1] / edges[0]) * np.count_nonzero(rates > 0)
    return at, getattr(stats, curve.family).pdf(at, *curve.parameters) * at * width


def _edges(rates: Sequence[NDArray[Any]], bins: int) -> NDArray[np.float64]:
    positive = [values[values > 0] for values in rates]
    every = np.concatenate(positive) if positive else np.zeros(0)
    low, high = (every.min(), every.max()) if every.size else (1.0, 10.0)
    return np.geomspace(low / 1.2, high * 1.2, bins + 1)
