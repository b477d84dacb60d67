"""The spikes of one example, layer above layer."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr
from matplotlib.figure import Figure

from bioae.analysis.plots.overlay import colour_of, draw_spikes
from bioae.analysis.plots.style import new_figure, styled
from bioae.analysis.results.layers import layer_names
from bioae.analysis.results.rasters import raster
from bioae.errors import ResultError

__all__ = ["rasters"]


@styled
def rasters(
    tree: xr.DataTree, *, example: int | None = None, layers: Sequence[str] | None = None
) -> Figure:
    """Draw a dot for every spike of one example, a panel for each layer.

    Parameters
    ----------
    example
        A value of the coordinate `example`; by default the first.
    layers
        Which layers, in which order; by default all.

    Raises
    ------
    ResultError
        If the result has no such example or layer.
    """
    known = tree["example"].to_numpy()
    chosen = int(known[0] if example is None else example)
    if chosen not in known:
        raise ResultError(
            "there is no such example",
            expected=f"one of the {known.size}, such as {known[0]}",
            found=str(chosen),
        )
    names = layer_names(tree) if layers is None else list(layers)
    figure = new_figure(7.2, 0.6 + 1.15 * len(names))
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    duration = tree.attrs["steps"] * tree.attrs["dt_ms"]
    for axes, name in zip(panels, names, strict=True):
        draw_spikes(axes, raster(tree, name, example=chosen), name, colour_of(0))
        axes.set_xlim(-0.01 * duration, duration)
    panels[-1].set_xlabel("time since the start of the presentation (ms)")
    figure.supylabel("neuron", fontsize=9)
    return figure
