"""What neurons respond to, as pictures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bioae.analysis.plots.overlay import needed
from bioae.analysis.plots.style import INK, new_figure, styled

__all__ = ["filter_grid"]


@styled
def filter_grid(
    filters: Mapping[str, xr.DataArray], *, columns: int = 10, most: int = 40
) -> Figure:
    """Draw filters or spike-triggered averages: light where positive, dark where negative.

    Each picture has its own scale, the same on both sides of zero, which is the grey of the
    middle: they compare in shape and not in strength. Under each stands the neuron. A crossed-out
    square is a neuron that has none, because it never spiked.

    Parameters
    ----------
    filters
        By result, (neuron, [channel,] y, x): a layer's kernels, or the `average` of
        `bioae.analysis.coding.receptive_fields.spike_triggered_average`. Channels are averaged.
    columns, most
        How many stand in a row, and how many of each result are drawn: the first.

    Raises
    ------
    ResultError
        If there is no result, or none has a filter.
    """
    shown = {name: _pictures(array, most) for name, array in filters.items() if array.size}
    needed(shown, "filters")
    rows = {name: -(-len(pictures) // columns) for name, (_, pictures) in shown.items()}
    figure = new_figure(0.2 + 0.68 * columns, sum(0.35 + 0.85 * row for row in rows.values()))
    parts = figure.subfigures(
        len(shown), 1, squeeze=False, height_ratios=[0.35 + 0.85 * row for row in rows.values()]
    )[:, 0]
    for part, (name, (neurons, pictures)) in zip(parts, shown.items(), strict=True):
        part.suptitle(name, fontsize=9, fontweight="bold", x=0.01, ha="left")
        grid = part.subplots(rows[name], columns, squeeze=False).flat
        for index, axes in enumerate(grid):
            if index < len(pictures):
                _draw(axes, pictures[index], str(neurons[index]))
            else:
                axes.set_axis_off()
    return figure


def _pictures(array: xr.DataArray, most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if "channel" in array.dims and "neuron" in array.dims:
        array = array.mean("channel")
    (first,) = (dim for dim in array.dims if dim not in ("y", "x"))
    array = array.transpose(first, "y", "x").isel({first: slice(most)})
    numbers = array[first].to_numpy() if first in array.coords else np.arange(array.sizes[first])
    return numbers, np.asarray(array.to_numpy(), float)


def _draw(axes: Axes, picture: NDArray[np.float64], name: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(name, fontsize=7, labelpad=1.5)
    axes.spines[:].set(visible=True, color=INK, linewidth=0.4)
    if not np.isfinite(picture).any():
        axes.plot([0, 1], [0, 1], [0, 1], [1, 0], color=INK, linewidth=0.6)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        return
    most = float(np.nanmax(np.abs(picture))) or 1.0
    axes.imshow(picture, cmap="gray", vmin=-most, vmax=most, interpolation="nearest")
