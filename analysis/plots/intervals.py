"""Times of spikes: interspike intervals, their irregularity, and response latencies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.plots.legends import head, share_legend
from bioae.analysis.plots.panels import Places, figure_of, from_zero, layers_in, of_layer, panels
from bioae.analysis.plots.quartiles import draw_quartiles, quartiles_of, weighted_quartiles
from bioae.analysis.plots.style import (
    INK,
    MARKERS,
    MOST_MARKERS,
    colour_of,
    line_of,
    log_axis,
    marker_of,
    needed,
    styled,
)

__all__ = ["cv_against_rate", "interval_histograms", "response_latencies"]


@styled
def interval_histograms(
    distributions: Mapping[str, Mapping[str, xr.DataArray]],
    *,
    log: bool = False,
    ax: Places | None = None,
) -> Figure:
    """Draw the distributions of interspike intervals, one line per result.

    The vertical axis is the fraction of intervals per millisecond of their length, so that results
    of any time step are comparable. The bar above them ranges from the lower to the upper quartile,
    the tick on it is the median.

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
            marked.append((index, weighted_quartiles(length, values)))
            density = values / (np.diff(length).min() if length.size > 1 else length.max(initial=1))
            panel.plot(
                length,
                np.where(density > 0, density, np.nan) if log else density,
                marker="osD^"[index % 4] if length.size <= 40 else None,
                markersize=3,
                linewidth=1.5,
                label=label,
                **line_of(index),
            )
        panel.set_ylabel("fraction of intervals per ms")
        if log and any(np.isfinite(line.get_ydata()).any() for line in panel.lines):
            panel.set_yscale("log")
        else:
            from_zero(panel)
            panel.yaxis.set_major_locator(MaxNLocator(4))
        draw_quartiles(panel, marked, results=len(distributions))
        medians = [
            (index, f"{median:.3g} ms" if np.isfinite(median) else "no interval")
            for index, (_, median, _) in marked
        ]
        head(panel, name, "median:", medians)
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


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
            place: quartiles_of(layers[name].to_numpy())
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
    axes.set_ylabel("first-spike latency (ms)")
    share_legend([axes], ax=ax)
    return figure_of([axes])
