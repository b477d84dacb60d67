"""Pictures: reconstructions of images, and filters of neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bioae.analysis.coding.receptive_fields import spike_triggered_average
from bioae.analysis.coding.reconstruction import sum_squared_error
from bioae.analysis.measures.definitions import format_value
from bioae.analysis.plots.panels import Places, figure_of, head, panels
from bioae.analysis.plots.sources import (
    Layers,
    Measure,
    Measured,
    Results,
    joined,
    needed,
    results_of,
)
from bioae.analysis.plots.style import INK, styled
from bioae.analysis.results.outputs import images_of, still_images_of
from bioae.checks import whole
from bioae.errors import ResultError

#: The space between pictures in a row, in widths of a picture.
_GAP = 0.12


def _average(tree: xr.DataTree, layer: str) -> xr.DataArray:
    return spike_triggered_average(tree, layer)["average"]


_FILTERS = Measure("filters", _average, xr.DataArray, ("y", "x"))


@styled
def reconstructions(results: Results, *, images: int = 10, ax: Places | None = None) -> Figure:
    """Draw the first inputs in a row, and each result's reconstructions in a row below.

    The number under each reconstruction is its squared error, summed over pixels. A result with
    inputs that differ from those above has its own row of inputs.

    Parameters
    ----------
    results
        A result, or several by the names of their rows.
    images
        Number of examples.
    ax
        Axes to draw into, by row, from the top: one, a sequence, or a mapping from ``"input"`` and
        the names of results.
    """
    trees = {name or "reconstruction": tree for name, tree in results_of(results, "images").items()}
    whole(images, "images", least=1, error=ResultError)
    rows = _rows(trees, images)
    columns = max(pictures.shape[0] for _, pictures, _ in rows)
    needed(dict.fromkeys(range(columns)), "images")
    size = 1.1 + 0.8 * columns, 0.95 + 0.15 / len(rows)
    grid = panels([name for name, *_ in rows], size, ax=ax, pictures=True, texts=0.3)
    for name, pictures, errors in rows:
        if name not in grid:
            continue
        axes = grid[name]
        below = [] if errors is None else [format_value(error) for error in errors]
        _draw_row(axes, pictures, below, columns)
        axes.set_ylabel(fill(name, 14), rotation=0, ha="right", va="center", labelpad=6)
    return figure_of(grid.values())


def _draw_row(
    axes: Axes, pictures: NDArray[Any], below: Sequence[str], columns: int
) -> NDArray[np.int64]:
    """Draw pictures as one image, and return their left edges; one image each would take longer.

    `pictures`: (picture, y, x), or with colours (picture, y, x, 3), from 0 to 1. NaN is white.
    `below`: a text below each picture, or nothing.
    `columns`: the pictures for which there is space.
    """
    count, height, width, *colours = pictures.shape
    left = np.arange(columns) * (width + max(1, round(_GAP * width)))
    row = np.full((height, left[-1] + width, *colours), np.nan)
    for place, picture in zip(left, pictures, strict=False):
        row[:, place : place + width] = picture
    if colours:
        # What is not defined in colour is black.
        row = np.nan_to_num(row, nan=1.0)
    axes.imshow(
        row, cmap="gray", vmin=0, vmax=1, interpolation="nearest",
        extent=(0, row.shape[1], height, 0),
    )  # fmt: skip
    axes.set_xticks(left[: len(below)] + width / 2, below)
    axes.set_yticks([])
    letters = max(map(len, below), default=0) * 0.6 * 7.5 / 72
    narrow = letters > (figure_of([axes]).get_figwidth() - 1) / columns
    axes.tick_params(length=0, pad=2, labelsize=7.5, labelrotation=90 * narrow)
    axes.spines[:].set_visible(False)
    return np.asarray(left[:count])


def _rows(
    results: Mapping[str, xr.DataTree], images: int
) -> list[tuple[str, NDArray[Any], NDArray[Any] | None]]:
    """Return the name, the pictures and their errors of each row."""
    rows: list[tuple[str, NDArray[Any], NDArray[Any] | None]] = []
    current: NDArray[Any] | None = None
    for name, tree in results.items():
        first = {"example": slice(images)}
        guess = images_of(tree, "reconstruction").isel(first)
        inputs = _pictures(still_images_of(tree, "a reconstruction").isel(first))
        if current is None or not np.array_equal(current, inputs):
            rows.append(("input" if current is None else f"input of {name}", inputs, None))
            current = inputs
        errors = sum_squared_error(tree.isel(first, missing_dims="ignore"), guess)
        rows.append((name, _pictures(guess), errors.to_numpy()))
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
    filters: Measured[xr.DataArray],
    *,
    layers: Layers = None,
    columns: int = 10,
    most: int = 40,
    ax: Places | None = None,
) -> Figure:
    """Draw filters or spike-triggered averages: light where positive, dark where negative.

    Each picture has a separate scale, symmetric around zero (middle grey): shapes are comparable,
    strengths are not. The number below is the neuron; a cross marks one that never spiked.

    Parameters
    ----------
    filters
        A result, or several by name, whose spike-triggered averages are drawn
        (`bioae.analysis.spike_triggered_average`); or by name (neuron, [channel,] y, x), such as
        a layer's kernels. Channels are averaged.
    layers
        The layers to draw, by default all that can fire.
    columns, most
        Pictures per row, and the number of pictures per result, from the first.
    ax
        Axes to draw into, by row, from the top: one, a sequence, or a mapping from the names of
        results, ``"NAME, row 2"`` and so on.
    """
    columns = whole(columns, "columns", least=1, error=ResultError)
    most = whole(most, "most", least=1, error=ResultError)
    measured = _FILTERS.by_panel(filters, layers)
    drawn = {name: _filters(array, name) for name, array in measured.items() if array.size}
    needed(drawn, "filters")
    rows = {
        f"{name}, row {place // columns + 1}" if place else name: each[place:most][:columns]
        for name, each in drawn.items()
        for place in range(0, min(len(each), most), columns)
    }
    size = 0.2 + 0.68 * columns, 0.85 + 0.35 * len(drawn) / len(rows)
    grid = panels([*rows], size, ax=ax, pictures=True, texts=0.3)
    for name, axes in grid.items():
        row = rows[name]
        numbers = [str(number) for number in row[row.dims[0]].to_numpy()]
        _draw_filters(axes, np.asarray(row.to_numpy(), float), numbers, columns)
        size_of = len(drawn.get(name, ()))
        part = f"the first {most} of {size_of:,} neurons" if size_of > most else ""
        head(axes, joined(name, part) if name in drawn else "")
    return figure_of(grid.values())


def _filters(array: xr.DataArray, name: str) -> xr.DataArray:
    """Return filters as (neuron, y, x)."""
    if "channel" in array.dims and "neuron" in array.dims:
        array = array.mean("channel")
    first = [dim for dim in array.dims if dim not in ("y", "x")]
    if len(first) != 1:
        expected, found = "(neuron, [channel,] y, x)", ", ".join(map(str, array.dims))
        raise ResultError("the filters do not fit", where=name, expected=expected, found=found)
    return array.transpose(*first, "y", "x").assign_coords({first[0]: array[first[0]]})


def _draw_filters(
    axes: Axes, pictures: NDArray[np.float64], below: Sequence[str], columns: int
) -> None:
    """Draw a row of filters, each with an outline, and crosses of those that are undefined."""
    most = np.array([np.nanmax(np.abs(picture), initial=0) or 1.0 for picture in pictures])
    grey = (pictures / most[:, None, None] + 1) / 2
    height, width = pictures.shape[1:]
    lines = []
    for left, picture in zip(_draw_row(axes, grey, below, columns), pictures, strict=True):
        right = left + width
        corners = [(left, 0), (left, height), (right, height), (right, 0)]
        lines.append([*corners, corners[0]])
        if not np.isfinite(picture).any():
            lines += [corners[::2], corners[1::2]]
    axes.add_collection(
        LineCollection(lines, colors=INK, linewidths=0.5, clip_on=False, capstyle="projecting")
    )
