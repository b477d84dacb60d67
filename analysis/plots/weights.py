"""Weights: their course while a network learns, and their distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from bioae.analysis.plots.panels import Places, figure_of, panels
from bioae.analysis.plots.style import INK, needed, styled
from bioae.errors import ResultError

__all__ = ["weight_courses", "weight_histograms"]

_BINS, _HEIGHT = 60, 2.3


@styled
def weight_courses(courses: Mapping[str, xr.DataArray], *, ax: Places | None = None) -> Figure:
    """Draw the quantiles of weights while a network learned, one panel per array.

    The line is the median; the darker band holds the middle half of the weights, the lighter one
    all between the outermost quantiles.

    Parameters
    ----------
    courses
        By array, (presentation, quantile), with both as coordinates.
    ax
        Axes to draw into, by array: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there is no course.
    """
    needed(courses, "weights")
    axes = panels([*courses], _HEIGHT, "presentations", ax=ax)
    for name, panel in axes.items():
        course = courses[name].transpose("presentation", "quantile").sortby("quantile")
        time, values = course["presentation"].to_numpy(), course.to_numpy()
        pairs = values.shape[1] // 2
        for place in range(pairs):
            panel.fill_between(
                time, values[:, place], values[:, -1 - place], color=INK,
                alpha=0.18 + 0.22 * place, linewidth=0,
            )  # fmt: skip
        if values.shape[1] % 2:
            panel.plot(time, values[:, pairs], color=INK, marker="o", markersize=2.5)
        panel.set(title=name, ylabel="value")
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure_of(axes.values())


@styled
def weight_histograms(weights: Mapping[str, ArrayLike], *, ax: Places | None = None) -> Figure:
    """Draw the distribution of weights, one panel per array.

    Parameters
    ----------
    weights
        By array, in any shape.
    ax
        Axes to draw into, by array: one, a sequence, or a mapping; by default a new figure.

    Raises
    ------
    ResultError
        If there are no weights, or one is not finite.
    """
    needed(weights, "weights")
    values = {name: np.ravel(np.asarray(each, np.float64)) for name, each in weights.items()}
    for name, each in values.items():
        if not np.isfinite(each).all():
            raise ResultError("a weight is not finite", where=name)
    axes = panels([*values], _HEIGHT, "value", ax=ax)
    for name, panel in axes.items():
        panel.hist(values[name], bins=_BINS, color=INK)
        panel.set(title=name, ylabel="number")
    return figure_of(axes.values())
