"""Weights: their course while a network learns, and their distribution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from bioae.analysis.plots.style import INK, needed, new_figure, styled

__all__ = ["weight_courses"]

_BINS = 60


@styled
def weight_courses(
    courses: Mapping[str, xr.DataArray], weights: Mapping[str, ArrayLike] | None = None
) -> Figure:
    """Draw the quantiles of weights while a network learned, and their distribution in the end.

    The line is the median; the darker band holds the middle half of the weights, the lighter one
    all between the outermost quantiles.

    Parameters
    ----------
    courses
        By array, (presentation, quantile).
    weights
        The weights in the end, by array.

    Raises
    ------
    ResultError
        If there is no course.
    """
    needed(courses, "weights")
    figure = new_figure(6.4, 0.4 + 2.2 * len(courses))
    grid = figure.subplots(len(courses), 2, squeeze=False, width_ratios=(2, 1))
    for (name, given), (left, right) in zip(courses.items(), grid, strict=True):
        course = given.transpose("presentation", "quantile").sortby("quantile")
        time, values = course["presentation"].to_numpy(), course.to_numpy()
        pairs = values.shape[1] // 2
        for place in range(pairs):
            alpha = 0.18 + 0.22 * place
            left.fill_between(
                time, values[:, place], values[:, -1 - place], color=INK, alpha=alpha, linewidth=0
            )
        if values.shape[1] % 2:
            left.plot(time, values[:, pairs], color=INK, marker="o", markersize=2.5)
        left.set(xlabel="presentations", ylabel=name)
        left.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if weights is not None:
            right.hist(np.ravel(np.asarray(weights[name])), bins=_BINS, color=INK)
        right.set(xlabel=name, ylabel="number")
    return figure
