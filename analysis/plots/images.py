"""Inputs above their reconstructions."""

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
from bioae.analysis.plots.style import new_figure, styled
from bioae.analysis.results.layers import images_of
from bioae.errors import ResultError

__all__ = ["reconstructions"]


@styled
def reconstructions(results: Mapping[str, xr.DataTree], *, images: int = 10) -> Figure:
    """Draw the first inputs in a row, and below them what each result made of them.

    Under each reconstruction stands its squared error, summed over pixels. Results whose inputs
    are others than the first one's get a row of inputs of their own.

    Parameters
    ----------
    results
        The results by the names that head their rows.
    images
        How many examples to show.

    Raises
    ------
    ResultError
        If there is no result, or `images` is not positive.
    """
    if not results or images < 1:
        raise ResultError("there are no images to draw", expected="a result and an image at least")
    rows = _rows(results, images)
    columns = max(pictures.shape[0] for _, pictures, _ in rows)
    figure = new_figure(1.1 + 0.8 * columns, 0.15 + 0.95 * len(rows))
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, (name, pictures, errors) in zip(grid, rows, strict=True):
        for column, axes in enumerate(axes_row):
            if column < len(pictures):
                _draw(axes, pictures[column], errors[column] if errors is not None else None)
            else:
                axes.set_axis_off()
        axes_row[0].set_ylabel(fill(name, 14), rotation=0, ha="right", va="center", labelpad=6)
    return figure


Row = tuple[str, NDArray[Any], NDArray[Any] | None]


def _rows(results: Mapping[str, xr.DataTree], images: int) -> list[Row]:
    rows: list[Row] = []
    shown: NDArray[Any] | None = None
    for name, tree in results.items():
        head = {"example": slice(images)}
        inputs = _pictures(images_of(tree, "input").isel(head))
        if shown is None or not np.array_equal(shown, inputs):
            rows.append(("input" if shown is None else f"input of {name}", inputs, None))
            shown = inputs
        errors = sum_squared_error(tree).isel(head).to_numpy()
        rows.append((name, _pictures(images_of(tree, "reconstruction").isel(head)), errors))
    return rows


def _pictures(images: xr.DataArray) -> NDArray[Any]:
    """Return what `imshow` takes: (example, y, x), or (example, y, x, 3) where in colour."""
    if "channel" in images.dims:
        images = images.transpose("example", "y", "x", "channel")
        if images.sizes["channel"] != 3:
            images = images.mean("channel")
    return images.to_numpy().clip(0, 1)


def _draw(axes: Axes, picture: NDArray[Any], error: float | None) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    if error is not None:
        axes.set_xlabel(format_value(error), fontsize=7.5, labelpad=2)
