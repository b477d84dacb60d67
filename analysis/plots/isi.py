"""How long neurons wait between two spikes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.overlay import head, layers_in, line_of, needed
from bioae.analysis.plots.style import panels, styled

__all__ = ["interval_histograms"]


@styled
def interval_histograms(
    distributions: Mapping[str, Mapping[str, xr.DataArray]], *, log: bool = False
) -> Figure:
    """Draw the fraction of a layer's intervals of each length, a line for each result.

    Parameters
    ----------
    distributions
        By result and layer, the fraction of intervals of each length, (interval,), as from
        `bioae.analysis.firing.intervals.isi_distribution`.
    log
        Whether the axis of fractions is logarithmic: then a straight line is an exponential
        distribution, and lengths that did not occur are not drawn.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(distributions, "intervals")
    names = layers_in(distributions)
    figure, axes = panels(len(names), 2.1 + 0.16 * len(distributions), "interval (ms)")
    for panel, name in zip(axes, names, strict=True):
        for index, (label, layers) in enumerate(distributions.items()):
            if name in layers:
                _draw(panel, layers[name], label, index, log)
        panel.set_ylabel("fraction of intervals")
        if log and any(np.isfinite(line.get_ydata()).any() for line in panel.lines):
            panel.set_yscale("log")
        else:
            panel.set_ylim(bottom=0)
            panel.yaxis.set_major_locator(MaxNLocator(4))
        head(panel, name)
    return figure


def _draw(axes: Axes, fraction: xr.DataArray, label: str, index: int, log: bool) -> None:
    length, values = fraction["interval"].to_numpy(), fraction.to_numpy()
    none = not np.isfinite(values).any()
    mean = float((length * values).sum()) if not none else np.nan
    said = "no interval" if none else f"mean {mean:.3g} ms"
    few = length.size <= 40
    axes.plot(
        length,
        np.where(values > 0, values, np.nan) if log else values,
        marker="osD^"[index % 4] if few else None,
        markersize=3,
        linewidth=1.5,
        label=f"{label}: {said}",
        **line_of(index),
    )
