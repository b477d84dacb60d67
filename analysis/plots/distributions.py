"""Distributions over neurons and intervals: firing rates with fits, intervals, irregularity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.firing.rate_families import FAMILIES, Fit
from bioae.analysis.plots.style import (
    INK,
    LINES,
    MARKERS,
    MOST_MARKERS,
    colour_of,
    head,
    layers_in,
    line_of,
    log_axis,
    needed,
    of_layer,
    panels,
    styled,
)
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["cv_against_rate", "fitted_rates", "interval_histograms"]


@styled
def fitted_rates(
    rates: Mapping[str, Mapping[str, xr.DataArray]],
    fits: Mapping[str, Mapping[str, xr.Dataset]] | None = None,
    *,
    which: Literal["best", "all"] = "best",
    bins: int = 30,
) -> Figure:
    """Draw histograms of firing rates on a logarithmic axis, with fitted distributions.

    Neurons without a spike are in no bin of a logarithmic axis: the label counts them, and the
    fits are scaled to the others.

    Parameters
    ----------
    rates
        By result and layer, the rate of each neuron in Hz, (neuron,).
    fits
        By result and layer, as from `bioae.analysis.fit_rates`: `shape` (NaN for families without
        one), `scale` and `aic` along `distribution`. Fits that are NaN are not drawn.
    which
        The fits of each result to draw: the ``"best"``, with the lowest AIC, or ``"all"``.
    bins
        Number of bins of equal width on the logarithmic axis, over the rates of all neurons.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(rates, "rates")
    bins = whole(bins, "bins", least=1, error=ResultError)
    names = layers_in(rates)
    curves = {
        name: {label: _curves(fit, which) for _, label, fit in of_layer(fits or {}, name)}
        for name in names
    }
    rows = len(rates) + max(sum(map(len, own.values())) for own in curves.values())
    edges = _edges(
        [values.to_numpy() for layers in rates.values() for values in layers.values()], bins
    )
    figure, axes = panels(len(names), 2.1 + 0.16 * rows, "firing rate (Hz)")
    for panel, name in zip(axes, names, strict=True):
        for index, label, data in of_layer(rates, name):
            alive = data.to_numpy()[data > 0]
            counts, _ = np.histogram(alive, edges)
            text = f"{label}: {data.size - alive.size:,} of {data.size:,} dead"
            panel.stairs(counts, edges, color=colour_of(index), alpha=0.2, fill=True)
            panel.stairs(counts, edges, linewidth=0.9, label=text, **line_of(index))
            for number, curve in enumerate(curves[name].get(label, [])):
                style = line_of(index)
                if which == "all":
                    style["linestyle"] = LINES[number % len(LINES)]
                expected = _expected(curve, alive.size, edges)
                text = f"{label}: {curve.family.label}"
                panel.plot(*expected, linewidth=1.8, label=text, **style)
        _from_zero(panel)
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.set_ylabel("neurons")
        head(panel, name)
    axes[0].set_xlim(edges[0], edges[-1])
    log_axis(axes[0])
    return figure


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
    """Return rates, and the expected number of neurons in a bin around each."""
    rates = np.geomspace(edges[0], edges[-1], 400)
    # A bin of width w in log(rate) holds about pdf(rate) * rate * w of the neurons.
    width = np.log(edges[1] / edges[0]) * neurons
    return rates, np.exp(curve.log_density(rates)) * rates * width


def _edges(rates: list[NDArray[Any]], bins: int) -> NDArray[np.float64]:
    pooled = np.concatenate([np.zeros(0), *rates])
    positive = pooled[pooled > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (1.0, 10.0)
    return np.geomspace(low / 1.2, high * 1.2, bins + 1)


@styled
def interval_histograms(
    distributions: Mapping[str, Mapping[str, xr.DataArray]], *, log: bool = False
) -> Figure:
    """Draw the distributions of interspike intervals, one line per result.

    Parameters
    ----------
    distributions
        By result and layer, the fraction of intervals of each length, (interval,), as from
        `bioae.analysis.isi_distribution`.
    log
        Use a logarithmic axis of fractions, on which an exponential distribution is a straight
        line, and lengths that did not occur are not drawn.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(distributions, "intervals")
    names = layers_in(distributions)
    figure, axes = panels(len(names), 2.1 + 0.16 * len(distributions), "interval (ms)")
    for panel, name in zip(axes, names, strict=True):
        for index, label, fraction in of_layer(distributions, name):
            length, values = fraction["interval"].to_numpy(), fraction.to_numpy()
            mean = float((length * values).sum())
            text = f"mean {mean:.3g} ms" if np.isfinite(values).any() else "no interval"
            panel.plot(
                length,
                np.where(values > 0, values, np.nan) if log else values,
                marker="osD^"[index % 4] if length.size <= 40 else None,
                markersize=3,
                linewidth=1.5,
                label=f"{label}: {text}",
                **line_of(index),
            )
        panel.set_ylabel("fraction of intervals")
        if log and any(np.isfinite(line.get_ydata()).any() for line in panel.lines):
            panel.set_yscale("log")
        else:
            _from_zero(panel)
            panel.yaxis.set_major_locator(MaxNLocator(4))
        head(panel, name)
    return figure


def _from_zero(panel: Axes) -> None:
    """Let the vertical axis start at 0, and end at 1 if nothing is above 0."""
    empty = not panel.dataLim.y1 > 0
    panel.set_ylim(0, 1 if empty else None)


@styled
def cv_against_rate(values: Mapping[str, Mapping[str, xr.Dataset]]) -> Figure:
    """Draw the ISI CV of each neuron against its firing rate, one marker per result.

    The line is the CV of a Poisson process. On a grid of steps, independent spikes with p spikes
    per step have a smaller CV, sqrt(1 - p).

    Parameters
    ----------
    values
        By result and layer, `firing_rate` in Hz and `isi_cv` of each neuron, (neuron,), as from
        `bioae.analysis.neuron_values`. The label counts the neurons whose CV is defined.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(values, "neurons")
    names = layers_in(values)
    figure, axes = panels(len(names), 2.3 + 0.16 * len(values), "firing rate (Hz)")
    drawn = 0
    for panel, name in zip(axes, names, strict=True):
        for index, label, data in of_layer(values, name):
            drawn += _draw_neurons(panel, data, label, index)
        panel.axhline(1, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="Poisson process")
        panel.set_ylabel("CV of intervals")
        panel.yaxis.set_major_locator(MaxNLocator(4))
        head(panel, name)
    highest = max(panel.get_ylim()[1] for panel in axes)
    for panel in axes:
        panel.set_ylim(0, highest)
    if drawn:
        log_axis(axes[0])
    return figure


def _draw_neurons(axes: Axes, data: xr.Dataset, label: str, index: int) -> int:
    """Draw the neurons of a result whose CV is defined, and return their number."""
    rate, cv = (data[name].to_numpy() for name in ("firing_rate", "isi_cv"))
    defined = np.isfinite(cv) & (rate > 0)
    number = int(defined.sum())
    many = number > MOST_MARKERS
    axes.plot(
        rate[defined],
        cv[defined],
        linestyle="none",
        marker=MARKERS[index % len(MARKERS)],
        markersize=2 if many else 3.5,
        markerfacecolor="none" if index else colour_of(index),
        markeredgecolor=colour_of(index),
        markeredgewidth=0.7,
        alpha=0.5 if many else 0.8,
        rasterized=many,
        label=f"{label}: {number:,} of {rate.size:,} neurons",
    )
    return number
