"""What figures share that show several results, or spikes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.style import COLOURS, LINES
from bioae.errors import ResultError

__all__ = ["MARKERS", "colour_of", "draw_spikes", "head", "layers_in", "line_of", "needed"]

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")


def line_of(index: int) -> dict[str, Any]:
    """Return the colour and style of the line of a result: either alone tells it apart."""
    return {"color": colour_of(index), "linestyle": LINES[index % len(LINES)]}


def colour_of(index: int) -> str:
    """Return the colour of a result."""
    return COLOURS[index % len(COLOURS)]


def layers_in(results: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the layers that any result has, in their order."""
    return list(dict.fromkeys(str(layer) for layers in results.values() for layer in layers))


def needed(items: object, what: str) -> None:
    """Refuse to draw nothing.

    Raises
    ------
    ResultError
        Saying what there is none of.
    """
    if not items:
        raise ResultError(f"there are no {what} to draw", expected="at least one result")


def draw_spikes(axes: Axes, spikes: xr.DataArray, name: str, colour: str) -> None:
    """Draw a dot for each spike of a raster (neuron, time), and say how many there are."""
    step, neuron = np.nonzero(spikes.to_numpy().T)
    neurons = spikes.sizes["neuron"]
    few = neurons <= 60
    # In a vector format thousands of dots would weigh more than a picture of them.
    axes.plot(
        spikes["time"].to_numpy()[step],
        neuron,
        linestyle="none",
        marker="|" if few else ".",
        markersize=5 if few else 3,
        markeredgewidth=1 if few else 0,
        color=colour,
        rasterized=True,
    )
    axes.set_title(f"{name}: {neuron.size:,} {'spike' if neuron.size == 1 else 'spikes'}")
    margin = max(0.5, 0.02 * neurons)
    axes.set_ylim(-margin, neurons - 1 + margin)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, prune="upper"))


def head(axes: Axes, title: str, *, columns: int = 1) -> None:
    """Put the legend above a panel, where it cannot hide a line, and the title above it."""
    handles, _ = axes.get_legend_handles_labels()
    if not handles:
        axes.set_title(title)
        return
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.2, ncols=columns
    )
    rows = -(-len(legend.get_texts()) // columns)
    axes.set_title(title, pad=8 + 12.5 * rows)
