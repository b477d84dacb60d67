"""Distributions over neurons and intervals: firing rates with fits, intervals, irregularity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.firing.rate_distributions import rate_bins
from bioae.analysis.firing.rate_families import FAMILIES, Fit
from bioae.analysis.plots.panels import (
    Places,
    figure_of,
    head,
    layers_in,
    of_layer,
    panels,
    quartiles,
    share_legend,
)
from bioae.analysis.plots.style import (
    INK,
    LINES,
    MARKERS,
    MOST_MARKERS,
    colour_of,
    line_of,
    log_axis,
    marker_of,
    needed,
    styled,
)
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["cv_against_rate", "fitted_rates", "interval_histograms", "response_latencies"]

Quartiles = tuple[float, float, float]
_QUARTILES = (0.25, 0.5, 0.75)


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
    with each other and with the fits. Neurons without a spike are in no bin of a logarithmic axis:
    the note of a panel counts them, and the fits are scaled to the others. The bar above a
    histogram ranges from the lower to the upper quartile of the neurons that spike; the tick on it
    is their median.

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
        none is widened.
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
    edges = _edges([values for layers in rates.values() for values in layers.values()], bins)
    octaves = np.diff(np.log2(edges))
    axes = panels(names, 2.3, "firing rate (Hz)", ax=ax)
    families: dict[str, Any] = {}
    for name, panel in axes.items():
        dead, marked = [], []
        for index, label, data in of_layer(rates, name):
            alive = data.to_numpy()[data > 0]
            dead.append((index, f"{data.size - alive.size:,} of {data.size:,}"))
            marked.append((index, _quartiles(alive)))
            counts = np.histogram(alive, edges)[0] / octaves
            panel.stairs(counts, edges, color=colour_of(index), alpha=0.2, fill=True)
            panel.stairs(counts, edges, linewidth=0.9, label=label, **line_of(index))
            fit = (fits or {}).get(label, {}).get(name)
            for curve in [] if fit is None else _curves(fit, which):
                line: Any = LINES[[*FAMILIES.values()].index(curve.family) % len(LINES)]
                families[curve.family.label] = line
                expected = _expected(curve, alive.size, edges)
                panel.plot(*expected, linewidth=1.8, color=colour_of(index), linestyle=line)
        _from_zero(panel)
        quartiles(panel, marked, results=len(rates))
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.set_ylabel("neurons per octave")
        panel.set_xlim(edges[0], edges[-1])
        head(panel, name, "dead:", dead)
    for panel in axes.values():
        log_axis(panel)
    fitted = [
        Line2D([], [], color=INK, linewidth=1.8, linestyle=line, label=f"{family} fit")
        for family, line in families.items()
    ]
    share_legend(axes.values(), ax=ax, more=fitted)
    return figure_of(axes.values())


def _quartiles(values: NDArray[Any]) -> Quartiles:
    """Return the quartiles of what is defined, NaN of nothing."""
    defined = values[np.isfinite(values)]
    if not defined.size:
        return (np.nan, np.nan, np.nan)
    low, median, high = np.quantile(defined, _QUARTILES)
    return float(low), float(median), float(high)


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
    """Return rates, and the expected number of neurons per octave at each."""
    rates = np.geomspace(edges[0], edges[-1], 400)
    return rates, np.exp(curve.log_density(rates)) * rates * np.log(2) * neurons


def _edges(rates: list[xr.DataArray], bins: int) -> NDArray[np.float64]:
    """Return the edges of the bins for all rates, the coarsest that one of them needs."""
    pooled = np.concatenate([np.zeros(0), *(each.to_numpy() for each in rates)])
    positive = pooled[pooled > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (1.0, 10.0)
    resolution = max((float(each.attrs.get("resolution", 0)) for each in rates), default=0.0)
    return rate_bins(float(low), float(high), bins, min(resolution, float(low)))


@styled
def interval_histograms(
    distributions: Mapping[str, Mapping[str, xr.DataArray]],
    *,
    log: bool = False,
    ax: Places | None = None,
) -> Figure:
    """Draw the distributions of interspike intervals, one line per result.

    The bar above them ranges from the lower to the upper quartile, the tick on it is the median.

    Parameters
    ----------
    distributions
        By result and layer, the fraction of intervals of each length, (interval,), as from
        `bioae.analysis.isi_distribution`.
    log
        Use a logarithmic axis of fractions, on which an exponential distribution is a straight
        line, and lengths that did not occur are not drawn.
    ax
        Axes to draw into, by layer: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(distributions, "intervals")
    axes = panels(layers_in(distributions), 2.2, "interval (ms)", ax=ax)
    for name, panel in axes.items():
        marked = []
        for index, label, fraction in of_layer(distributions, name):
            length, values = fraction["interval"].to_numpy(), fraction.to_numpy()
            marked.append((index, _weighted_quartiles(length, values)))
            panel.plot(
                length,
                np.where(values > 0, values, np.nan) if log else values,
                marker="osD^"[index % 4] if length.size <= 40 else None,
                markersize=3,
                linewidth=1.5,
                label=label,
                **line_of(index),
            )
        panel.set_ylabel("fraction of intervals")
        if log and any(np.isfinite(line.get_ydata()).any() for line in panel.lines):
            panel.set_yscale("log")
        else:
            _from_zero(panel)
            panel.yaxis.set_major_locator(MaxNLocator(4))
        quartiles(panel, marked, results=len(distributions))
        medians = [
            (index, f"{median:.3g} ms" if np.isfinite(median) else "no interval")
            for index, (_, median, _) in marked
        ]
        head(panel, name, "median:", medians)
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _weighted_quartiles(values: NDArray[Any], fractions: NDArray[Any]) -> Quartiles:
    """Return the quartiles of values with fractions that sum to 1."""
    if not np.isfinite(fractions).any():
        return (np.nan, np.nan, np.nan)
    # A margin keeps rounding of sums from moving a quartile to the next value.
    places = np.searchsorted(fractions.cumsum() + 1e-12, _QUARTILES)
    low, median, high = values[np.minimum(places, values.size - 1)]
    return float(low), float(median), float(high)


def _from_zero(panel: Axes) -> None:
    """Let the vertical axis start at 0, and end at 1 if nothing is above 0."""
    empty = not panel.dataLim.y1 > 0
    panel.set_ylim(0, 1 if empty else None)


@styled
def cv_against_rate(
    values: Mapping[str, Mapping[str, xr.Dataset]], *, ax: Places | None = None
) -> Figure:
    """Draw the ISI CV of each neuron against its firing rate, one marker per result.

    The line is the CV of a Poisson process. On a grid of steps, independent spikes with p spikes
    per step have a smaller CV, sqrt(1 - p). The note of a panel has the median of each result and
    the number of neurons whose CV is defined.

    Parameters
    ----------
    values
        By result and layer, `firing_rate` in Hz and `isi_cv` of each neuron, (neuron,), as from
        `bioae.analysis.neuron_values`.
    ax
        Axes to draw into, by layer: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(values, "neurons")
    axes = panels(layers_in(values), 2.4, "firing rate (Hz)", ax=ax)
    drawn = 0
    for name, panel in axes.items():
        medians = []
        for index, label, data in of_layer(values, name):
            cv = _draw_neurons(panel, data, label, index)
            drawn += cv.size
            median = f"{np.median(cv):.2g} " if cv.size else ""
            medians.append((index, f"{median}({cv.size:,})"))
        panel.axhline(1, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="Poisson process")
        panel.set_ylabel("CV of intervals")
        panel.yaxis.set_major_locator(MaxNLocator(4))
        head(panel, name, "median (neurons):", medians, marks=True)
    highest = max(panel.get_ylim()[1] for panel in axes.values())
    for panel in axes.values():
        panel.set_ylim(0, highest)
        if drawn:
            log_axis(panel)
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _draw_neurons(axes: Axes, data: xr.Dataset, label: str, index: int) -> NDArray[np.float64]:
    """Draw the neurons of a result whose CV is defined, and return these CVs."""
    rate, cv = (data[name].to_numpy() for name in ("firing_rate", "isi_cv"))
    defined = np.isfinite(cv) & (rate > 0)
    many = int(defined.sum()) > MOST_MARKERS
    axes.plot(
        rate[defined],
        cv[defined],
        linestyle="none",
        **(marker_of(index) | ({"markersize": 2} if many else {})),
        alpha=0.5 if many else 0.8,
        rasterized=many,
        label=label,
    )
    return np.asarray(cv[defined], float)


@styled
def response_latencies(
    latencies: Mapping[str, Mapping[str, xr.DataArray]], *, ax: Axes | None = None
) -> Figure:
    """Draw the response latency of each layer: median and quartiles over neurons, by result.

    Parameters
    ----------
    latencies
        By result and layer, the latency of each neuron in ms, (neuron,), as from
        `bioae.analysis.first_spike_latency`. Neurons that never spike are left out.
    ax
        Axes to draw into; by default a new figure.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(latencies, "latencies")
    names = layers_in(latencies)
    width = max(3.6, 0.9 + 0.25 * len(names) * (len(latencies) + 1))
    (axes,) = panels(["latency"], 2.5, "", ax=ax, width=min(width, 7.2), most=1).values()
    step = 0.7 / len(latencies)
    for index, (label, layers) in enumerate(latencies.items()):
        rows = {
            place: _quartiles(layers[name].to_numpy())
            for place, name in enumerate(names)
            if name in layers
        }
        x = np.array([*rows]) + (index - (len(latencies) - 1) / 2) * step
        low, median, high = np.array([*rows.values()]).reshape(-1, 3).T
        axes.vlines(x, low, high, color=colour_of(index), linewidth=1.5)
        axes.plot(
            x,
            median,
            color=colour_of(index),
            linestyle="none",
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            # Medians of 0 are on the axis.
            clip_on=False,
            zorder=3,
            label=label,
        )
    # Names that would overlap are inclined.
    inclined = 0.09 * sum(map(len, names)) > figure_of([axes]).get_figwidth() - 0.8
    style: dict[str, Any] = {"rotation": 30, "ha": "right"} if inclined else {}
    axes.set_xticks(range(len(names)), names, **style)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("first spike after arrival at the layer (ms)")
    share_legend([axes], ax=ax)
    return figure_of([axes])
