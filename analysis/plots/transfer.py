"""How a layer's rate follows what it sees."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.overlay import MARKERS, colour_of, head, line_of, needed
from bioae.analysis.plots.style import new_figure, styled

__all__ = ["transfer_curves"]


@styled
def transfer_curves(curves: Mapping[str, xr.Dataset], *, title: str = "") -> Figure:
    """Draw firing rate against the intensity of the input, a line for each result.

    The band holds one standard deviation of the rates on both sides of their mean, which is how
    different neurons and images are, and not how well the mean is known.

    Parameters
    ----------
    curves
        By result, the rates, as from `bioae.analysis.coding.transfer.transfer_curve`.

    Raises
    ------
    ResultError
        If there is no result.
    """
    needed(curves, "rates")
    figure = new_figure(4.6, 2.7 + 0.16 * len(curves))
    axes = figure.subplots()
    for index, (name, curve) in enumerate(curves.items()):
        seen = curve.isel(intensity=curve["pairs"].to_numpy() > 0)
        x, rate, spread = (seen[each].to_numpy() for each in ("intensity", "rate", "spread"))
        axes.fill_between(
            x, np.maximum(rate - spread, 0), rate + spread, color=colour_of(index), alpha=0.12, lw=0
        )
        axes.plot(
            x,
            rate,
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            label=name,
            **line_of(index),
        )
    axes.set_xlabel("mean intensity of the input (0 black, 1 white)")
    axes.set_ylabel("firing rate (Hz)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    head(axes, title)
    return figure
