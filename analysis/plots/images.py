"""Pictures: reconstructions of images, and filters of neurons."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bioae.analysis.coding.reconstruction import sum_squared_error
from bioae.analysis.measures.tables import format_value
from bioae.analysis.plots.style import INK, needed, new_figure, styled
from bioae.analysis.results.layers import images_of
from bioae.checks import whole
from bioae.errors import ResultError

__all__ = ["filter_grid", "reconstructions"]


@styled
def reconstructions(results: Mapping[str, xr.DataTree], *, images: int = 10) -> Figure:
    """Draw the first inputs in a row, and each result's reconstructions in a row below.

    The number under each reconstruction is its squared error, summed over pixels. A result with
    inputs that differ from those above has its own row of inputs.

    Parameters
    ----------
    results
        The results by the names of their rows.
    images
        Number of examples.

    Raises
    ------
    ResultError
        If there is no result, or `images` is not positive.
    """
    needed(results, "images")
    whole(images, "images", least=1, error=ResultError)
    rows = _rows(results, images)
    columns = max(pictures.shape[0] for _, pictures, _ in rows)
    needed(dict.fromkeys(range(columns)), "images")
    figure = new_figure(1.1 + 0.8 * columns, 0.15 + 0.95 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, pictures, errors) in zip(grid, rows, strict=True):
        for column, axes in enumerate(axes_row):
            if column < len(pictures):
                axes.imshow(pictures[column], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                if errors is not None:
                    axes.set_xlabel(format_value(errors[column]), fontsize=7.5, labelpad=2)
            else:
                axes.set_axis_off()
        axes_row[0].set_ylabel(fill(name, 14), rotation=0, ha="right", va="center", labelpad=6)
    return figure


# The name, the pictures, and their errors.
_Row = tuple[str, NDArray[Any], NDArray[Any] | None]


def _rows(results: Mapping[str, xr.DataTree], images: int) -> list[_Row]:
    rows: list[_Row] = []
    current: NDArray[Any] | None = None
    for name, tree in results.items():
        first = {"example": slice(images)}
        inputs = _pictures(images_of(tree, "input").isel(first))
        if current is None or not np.array_equal(current, inputs):
            rows.append(("input" if current is None else f"input of {name}", inputs, None))
            current = inputs
        errors = sum_squared_error(tree).isel(first).to_numpy()
        rows.append((name, _pictures(images_of(tree, "reconstruction").isel(first)), errors))
    return rows


def _pictures(images: xr.DataArray) -> NDArray[Any]:
    """Return pictures for `imshow`, (example, y, x) or in colour (example, y, x, 3)."""
    if "channel" in images.dims:
        images = images.transpose("example", "y", "x", "channel")
        if images.sizes["channel"] != 3:
            images = images.mean("channel")
    return images.to_numpy().clip(0, 1)


@styled
def filter_grid(
    filters: Mapping[str, xr.DataArray], *, columns: int = 10, most: int = 40
) -> Figure:
    """Draw filters or spike-triggered averages: light where positive, dark where negative.

    Each picture has a separate scale, symmetric around zero (middle grey): shapes are comparable,
    strengths are not. The number below is the neuron; a cross marks one that never spiked.

    Parameters
    ----------
    filters
        By result, (neuron, [channel,] y, x): a layer's kernels, or the `average` of
        `bioae.analysis.spike_triggered_average`. Channels are averaged.
    columns, most
        Pictures per row, and the number of pictures per result, from the first.

    Raises
    ------
    ResultError
        If there is no result, or none has a filter.
    """
    needed(filters, "filters")
    columns = whole(columns, "columns", least=1, error=ResultError)
    most = whole(most, "most", least=1, error=ResultError)
    drawn = {name: _filters(array, most) for name, array in filters.items() if array.size}
    needed(drawn, "filters")
    rows = [-(-len(pictures) // columns) for _, pictures in drawn.values()]
    heights = [0.35 + 0.85 * row for row in rows]
    figure = new_figure(0.2 + 0.68 * columns, sum(heights))
    parts = figure.subfigures(len(drawn), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, row, (name, (neurons, pictures)) in zip(parts, rows, drawn.items(), strict=True):
        part.suptitle(name, fontsize=9, fontweight="bold", x=0.01, ha="left")
        for index, axes in enumerate(part.subplots(row, columns, squeeze=False).flat):
            if index < len(pictures):
                _draw_filter(axes, pictures[index], str(neurons[index]))
            else:
                axes.set_axis_off()
    return figure


def _filters(array: xr.DataArray, most: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if "channel" in array.dims and "neuron" in array.dims:
        array = array.mean("channel")
    (first,) = (dim for dim in array.dims if dim not in ("y", "x"))
    array = array.transpose(first, "y", "x").isel({first: slice(most)})
    numbers = array[first].to_numpy() if first in array.coords else np.arange(array.sizes[first])
    return numbers, np.asarray(array.to_numpy(), float)


def _draw_filter(axes: Axes, picture: NDArray[np.float64], name: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(name, fontsize=7, labelpad=1.5)
    axes.spines[:].set(visible=True, color=INK, linewidth=0.4)
    if not np.isfinite(picture).any():
        axes.plot([0, 1], [0, 1], [0, 1], [1, 0], color=INK, linewidth=0.6)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        return
    most = float(np.nanmax(np.abs(picture))) or 1.0
    axes.imshow(picture, cmap="gray", vmin=-most, vmax=most, interpolation="nearest")
