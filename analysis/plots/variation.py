"""How irregular neurons fire, against how much."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.overlay import MARKERS, colour_of, head, layers_in, needed
from bioae.analysis.plots.style import INK, panels, styled

__all__ = ["cv_against_rate"]


@styled
def cv_against_rate(values: Mapping[str, Mapping[str, xr.Dataset]]) -> Figure:
    """Draw the ISI CV of each neuron against its rate, a colour and a mark for each result.

    The line is the CV of a Poisson process. On a grid of steps chance alone gives less, the nearer
    the rate is to a spike in every step: sqrt(1 - p) at p spikes a step.

    Parameters
    ----------
    values
        By result and layer, `firing_rate` in Hz and `isi_cv` of each neuron, (neuron,), as from
        `bioae.analysis.comparison.effects.neuron_values`. Neurons whose CV is undefined are
        counted in the label.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(values, "neurons")
    names = layers_in(values)
    figure, axes = panels(len(names), 2.3 + 0.16 * len(values), "firing rate (Hz)")
    for panel, name in zip(axes, names, strict=True):
        for index, (label, layers) in enumerate(values.items()):
            if name in layers:
                _draw(panel, layers[name], label, index)
        if any(np.size(line.get_xdata()) for line in panel.lines):
            panel.set_xscale("log")
        panel.axhline(1, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="Poisson process")
        panel.set_ylim(bottom=0)
        panel.set_ylabel("CV of intervals")
        panel.yaxis.set_major_locator(MaxNLocator(4))
        head(panel, name)
    return figure


def _draw(axes: Axes, data: xr.Dataset, label: str, index: int) -> None:
    rate, cv = (data[name].to_numpy() for name in ("firing_rate", "isi_cv"))
    defined = np.isfinite(cv) & (rate > 0)
    many = int(defined.sum()) > 500
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
        rasterized=True,
        label=f"{label}: {int(defined.sum()):,} of {rate.size:,} neurons",
    )
