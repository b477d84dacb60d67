"""Medians and quartiles, and the bars that mark them above the data of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from bioae.analysis.plots.style import colour_of

__all__ = ["Quartiles", "draw_quartiles", "quartiles_of", "weighted_quartiles"]

#: The lower quartile, the median, and the upper quartile.
Quartiles: TypeAlias = tuple[float, float, float]

_QUARTILES = (0.25, 0.5, 0.75)


def quartiles_of(values: NDArray[Any]) -> Quartiles:
    """Return the quartiles of what is defined, NaN of nothing."""
    defined = values[np.isfinite(values)]
    if not defined.size:
        return (np.nan, np.nan, np.nan)
    low, median, high = np.quantile(defined, _QUARTILES)
    return float(low), float(median), float(high)


def weighted_quartiles(values: NDArray[Any], fractions: NDArray[Any]) -> Quartiles:
    """Return the quartiles of values with fractions that sum to 1."""
    if not np.isfinite(fractions).any():
        return (np.nan, np.nan, np.nan)
    # A margin keeps rounding of sums from moving a quartile to the next value.
    places = np.searchsorted(fractions.cumsum() + 1e-12, _QUARTILES)
    low, median, high = values[np.minimum(places, values.size - 1)]
    return float(low), float(median), float(high)


def draw_quartiles(
    axes: Axes, rows: Sequence[tuple[int, tuple[float, float, float]]], *, results: int
) -> None:
    """Mark the median and the quartiles of each result above the data of a panel.

    Parameters
    ----------
    rows
        The place of each result among all, and its quartiles along the horizontal axis.
    results
        The number of all results.
    """
    transform = axes.get_xaxis_transform()
    for index, (low, median, high) in rows:
        if not np.isfinite(median):
            continue
        height = 1 - (index + 0.5) * 0.06
        style: dict[str, Any] = {"transform": transform, "color": colour_of(index), "zorder": 4}
        axes.plot([low, high], [height] * 2, linewidth=2, solid_capstyle="butt", **style)
        axes.plot([median], [height], marker="|", markersize=7, markeredgewidth=2, **style)
    low, high = axes.get_ylim()
    share = 1 - 0.06 * results - 0.02
    if axes.get_yscale() == "log":
        axes.set_ylim(low, low * (high / low) ** (1 / share))
    else:
        axes.set_ylim(low, low + (high - low) / share)
