"""Distributions of firing rates over neurons, with fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.firing.rate_distributions import rate_bins
from bioae.analysis.firing.rate_families import FAMILIES, Fit
from bioae.analysis.plots.legends import head, share_legend
from bioae.analysis.plots.panels import Places, figure_of, from_zero, layers_in, of_layer, panels
from bioae.analysis.plots.quartiles import draw_quartiles, quartiles_of
from bioae.analysis.plots.style import (
    INK,
    LINES,
    colour_of,
    line_of,
    log_axis,
    needed,
    styled,
)
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["fitted_rates"]


@styled
def fitted_rates(
    rates: Mapping[str, Mapping[str, xr.DataArray]],
    fits: Mapping[str, Mapping[str, xr.Dataset]] | None = None,
    *,
    which: Literal["best", "all"] = "best",
    bins: int = 30,
    ax: Places | None = None,
) -> Figure:
    """Draw histograms of firing rates on a logarithmic axis, with fitted distributions.

    The vertical axis is the number of neurons per octave, so that bins of any width are comparable
    with each other. A fit is averaged over the width of the bin around each rate, as counts are:
    at the centre of a bin it is the expected height of its bar. Neurons without a spike are in no
    bin of a logarithmic axis: the note of a panel counts them, and the fits are scaled to the
    others. The bar above a histogram ranges from the lower to the upper quartile of the neurons
    that spike; the tick on it is their median.

    Parameters
    ----------
    rates
        By result and layer, the rate of each neuron in Hz, (neuron,). If it has the attribute
        `resolution`, the rate of a single spike, no bin is narrower than that.
    fits
        By result and layer, as from `bioae.analysis.fit_rates`: `shape` (NaN for families without
        one), `scale` and `aic` along `distribution`. Fits that are NaN are not drawn.
    which
        The fits of each result to draw: the ``"best"``, with the lowest AIC, or ``"all"``.
    bins
        Number of bins of equal width on the logarithmic axis, over the rates of all neurons, if
        none is widened. Results of other numbers of examples have other resolutions, and bins.
    ax
        Axes to draw into, by layer: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(rates, "rates")
    bins = whole(bins, "bins", least=1, error=ResultError)
    names = layers_in(rates)
    low, high = _range([values for layers in rates.values() for values in layers.values()])
    axes = panels(names, 2.3, "firing rate (Hz)", ax=ax)
    families: dict[str, Any] = {}
    for name, panel in axes.items():
        dead, marked, ends = [], [], []
        for index, label, data in of_layer(rates, name):
            edges = _edges(data, low, high, bins)
            octaves = np.diff(np.log2(edges))
            ends += [edges[0], edges[-1]]
            alive = data.to_numpy()[data > 0]
            dead.append((index, f"{data.size - alive.size:,} of {data.size:,}"))
            marked.append((index, quartiles_of(alive)))
            counts = np.histogram(alive, edges)[0] / octaves
            panel.stairs(counts, edges, color=colour_of(index), alpha=0.2, fill=True)
            panel.stairs(counts, edges, linewidth=0.9, label=label, **line_of(index))
            fit = (fits or {}).get(label, {}).get(name)
            for curve in [] if fit is None else _curves(fit, which):
                line: Any = LINES[[*FAMILIES.values()].index(curve.family) % len(LINES)]
                families[curve.family.label] = line
                expected = _expected(curve, alive.size, edges)
                panel.plot(*expected, linewidth=1.8, color=colour_of(index), linestyle=line)
        from_zero(panel)
        draw_quartiles(panel, marked, results=len(rates))
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.set_ylabel("neurons per octave")
        panel.set_xlim(min(ends), max(ends))
        head(panel, name, "dead:", dead)
    for panel in axes.values():
        log_axis(panel)
    fitted = [
        Line2D([], [], color=INK, linewidth=1.8, linestyle=line, label=f"{family} fit")
        for family, line in families.items()
    ]
    share_legend(axes.values(), ax=ax, more=fitted)
    return figure_of(axes.values())


def _curves(fit: xr.Dataset, which: Literal["best", "all"]) -> list[Fit]:
    curves = {}
    for name in fit["distribution"].to_numpy():
        row = fit.sel(distribution=name)
        shape, scale, aic = (float(row[each]) for each in ("shape", "scale", "aic"))
        if np.isfinite(scale):
            curves[aic] = Fit(FAMILIES[name], shape, scale)
    return [curves[min(curves)]] if curves and which == "best" else list(curves.values())


def _expected(
    curve: Fit, neurons: int, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rates, and the expected number of neurons per octave in a bin around each."""
    rates, logarithms = np.geomspace(edges[0], edges[-1], 400), np.log2(edges)
    centres = (logarithms[1:] + logarithms[:-1]) / 2
    octaves = np.interp(np.log2(rates), centres, np.diff(logarithms))
    half = 2 ** (octaves / 2)
    within = curve.distribution(rates * half) - curve.distribution(rates / half)
    return rates, within / octaves * neurons


def _range(rates: list[xr.DataArray]) -> tuple[float, float]:
    """Return the lowest and the highest rate of neurons that spike."""
    pooled = np.concatenate([np.zeros(0), *(each.to_numpy() for each in rates)])
    positive = pooled[pooled > 0]
    return (float(positive.min()), float(positive.max())) if positive.size else (1.0, 10.0)


def _edges(rates: xr.DataArray, low: float, high: float, bins: int) -> NDArray[np.float64]:
    """Return the edges of one result's bins, which are those of all results of its resolution."""
    resolution = float(rates.attrs.get("resolution", 0))
    low = max(low, resolution)
    return rate_bins(low, max(low, high), bins, resolution)
