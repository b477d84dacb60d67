"""Figures of rows that several experiments share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bioae.experiments.runner.criteria import values_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["courses", "dots"]


def dots(
    rows: xr.Dataset,
    columns: Mapping[str, str],
    ranges: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> Figure:
    """Draw columns by condition: a panel per column, a dot per seed, a line at the mean.

    Parameters
    ----------
    rows
        The table of rows.
    columns
        The titles of the panels by column.
    ranges
        Ranges to compare with, by column, drawn in grey.
    """
    from bioae.analysis.plots.style import INK, colour_of, new_figure, styled

    names = [str(name) for name in rows["condition"].to_numpy()]

    @styled
    def draw() -> Figure:
        # Names of more than a few conditions have room only if they stand upright.
        upright = len("".join(names)) > 24
        width = max(2.4, 0.3 * len(names))
        figure = new_figure(width * len(columns), 3.4 if upright else 2.4)
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        for axes, (column, title) in zip(panels, columns.items(), strict=True):
            for place, name in enumerate(names):
                values = values_of(rows, column, name)
                values = values[~np.isnan(values)]
                if not len(values):  # an empty line upsets the layout
                    continue
                spread = place + np.linspace(-0.15, 0.15, len(values) + 2)[1:-1]
                dot = {"color": colour_of(place), "markersize": 5, "clip_on": False}
                axes.plot(spread, values, "o", zorder=3, **dot)
                mean = float(np.mean(values))
                axes.plot([place - 0.25, place + 0.25], [mean, mean], color=INK, linewidth=1)
            axes.set_xticks(range(len(names)), names, rotation=90 if upright else 0)
            axes.set_xlim(-0.5, len(names) - 0.5)
            if not (rows[column] < 0).any():
                axes.set_ylim(bottom=0)
            for low, high in (ranges or {}).get(column, ()):
                axes.axhspan(low, high, color="0.5", alpha=0.3, linewidth=2, zorder=0)
            axes.set_title(title)
        return figure

    return draw()


def courses(
    rows: xr.Dataset,
    column: str,
    panels: Mapping[str, Mapping[str, Mapping[float, str]]],
    title: str,
) -> Figure:
    """Draw a column against a number that conditions differ in: mean, and range over seeds.

    Parameters
    ----------
    rows
        The table of rows.
    column
        The column.
    panels
        By the name of the number, and by the name of a line: the conditions by number. Those that
        the table does not have are left out.
    title
        The name of the column on the first panel.
    """
    from bioae.analysis.plots.style import colour_of, new_figure, styled

    known = set(rows["condition"].to_numpy().tolist())

    @styled
    def draw() -> Figure:
        figure = new_figure(3.2 * len(panels), 2.6)
        places = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (number, lines) in zip(places, panels.items(), strict=True):
            for place, (name, conditions) in enumerate(lines.items()):
                found = {
                    at: values_of(rows, column, each)
                    for at, each in sorted(conditions.items())
                    if each in known
                }
                found = {at: values for at, values in found.items() if len(values)}
                means = np.array([each.mean() for each in found.values()])
                ends = [
                    [each.min() for each in found.values()],
                    [each.max() for each in found.values()],
                ]
                axes.errorbar(
                    list(found), means, np.abs(np.array(ends).reshape(2, -1) - means),
                    marker="o", markersize=4, color=colour_of(place), label=name,
                )  # fmt: skip
            axes.set_xlabel(number)
        places[0].set_ylabel(title)
        places[0].set_ylim(bottom=0)
        places[0].legend()
        return figure

    return draw()
