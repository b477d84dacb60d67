"""Figures of rows that several experiments share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.runner.criteria import Rows, values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dots(
    rows: Rows,
    columns: Mapping[str, str],
    ranges: Mapping[str, Sequence[tuple[float, float, bool]]] | None = None,
    *,
    conditions: Iterable[str] | None = None,
    log: Collection[str] = (),
    same: bool = False,
) -> Figure:
    """Draw columns by condition: a panel per column, a dot per seed, a line at the mean.

    A panel has the conditions that have numbers in its column.

    `rows`: the numbers of the rows.
    `columns`: the titles of the panels by column.
    `ranges`: ranges to compare with, by column, drawn in grey: their ends, and whether they are
        known for certain; the others are hatched.
    `conditions`: the conditions to draw, of those that the form has; all by default.
    `log`: the columns with a logarithmic axis.
    `same`: whether all panels have the same axis.
    """
    from bioae.analysis.plots.style import INK, colour_of, log_axis, new_figure

    every = [name for name in conditions or rows if name in rows] or [next(iter(rows))]
    numbers = {column: _numbers(rows, column, every) for column in columns}

    # Names of more than a few conditions have room only if they stand upright.
    upright = any(len("".join(found)) > 24 for found in numbers.values())
    widths = [max(2.4, 0.3 * len(found)) for found in numbers.values()]
    figure = new_figure(sum(widths), 3.4 if upright else 2.4)
    panels = figure.subplots(1, len(columns), squeeze=False, sharey=same, width_ratios=widths)[0]
    for axes, (column, title) in zip(panels, columns.items(), strict=True):
        names = [*numbers[column]]
        for place, (name, values) in enumerate(numbers[column].items()):
            spread = place + np.linspace(-0.15, 0.15, len(values) + 2)[1:-1]
            dot = {"color": colour_of(every.index(name)), "markersize": 5, "clip_on": False}
            if len(values):  # an empty line upsets the layout
                axes.plot(spread, values, "o", zorder=3, **dot)
                mean = float(np.mean(values))
                axes.plot([place - 0.25, place + 0.25], [mean, mean], color=INK, linewidth=1)
        axes.set_xticks(range(len(names)), names, rotation=90 if upright else 0)
        axes.set_xlim(-0.5, len(names) - 0.5)
        for low, high, certain in (ranges or {}).get(column, ()):
            fill = {"facecolor": "0.5"} if certain else {"facecolor": "none", "hatch": "////"}
            axes.axhspan(low, high, edgecolor="0.5", alpha=0.3, linewidth=2, zorder=0, **fill)
        if column in log and any((each > 0).any() for each in numbers[column].values()):
            log_axis(axes, vertical=True)
        axes.set_title(title)
    # Once all panels are full: the first limit of a shared axis ends its growth.
    for axes, column in zip(panels, columns, strict=True):
        negative = any((each < 0).any() for each in numbers[column].values())
        if column not in log and not negative:
            axes.set_ylim(bottom=0)
    return figure


def draw_accuracy(rows: Rows) -> Figure:
    """Accuracy on the test split: seeds and their mean."""
    return dots(rows, {"accuracy": "accuracy"})


def _numbers(rows: Rows, column: str, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the numbers of a column by condition, of those that have some, or of the first."""
    found = {name: values_of(rows, column, name) for name in names}
    found = {name: values[~np.isnan(values)] for name, values in found.items()}
    return {name: values for name, values in found.items() if len(values)} or {
        names[0]: np.empty(0)
    }


def courses(
    rows: Rows,
    column: str,
    panels: Mapping[str, Mapping[str, Mapping[float, str]]],
    title: str,
) -> Figure:
    """Draw a column against a number that conditions differ in: mean, and range over seeds.

    `rows`: the table of rows.
    `panels`: by the name of the number, and by the name of a line: the conditions by number. A line
        ends where a condition has no rows. Those that the table does not have are left out, and
        panels without any row.
    `title`: the name of the column on the first panel.
    """
    from bioae.analysis.plots.style import colour_of, new_figure

    measured = {
        number: {line: _measured(rows, column, places) for line, places in lines.items()}
        for number, lines in panels.items()
    }
    shown = {n: lines for n, lines in measured.items() if any(lines.values())} or measured

    figure = new_figure(3.2 * len(shown), 2.6)
    places = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, (number, lines) in zip(places, shown.items(), strict=True):
        for place, (name, found) in enumerate(lines.items()):
            spans = [(each.min(), each.mean(), each.max()) for each in found.values()]
            low, means, high = np.reshape(spans, (-1, 3)).T
            axes.errorbar(
                list(found), means, np.array([means - low, high - means]),
                marker="o", markersize=4, color=colour_of(place), label=name,
            )  # fmt: skip
        axes.set_xlabel(number)
    places[0].set_ylabel(title)
    places[0].set_ylim(bottom=0)
    places[0].legend()
    return figure


def _measured(
    rows: Rows, column: str, conditions: Mapping[float, str]
) -> dict[float, NDArray[np.float64]]:
    """Return numbers by what conditions differ in, in its order: NaN where there is no row."""
    have = [(at, each) for at, each in sorted(conditions.items()) if each in rows]
    found = {at: values_of(rows, column, each) for at, each in have}
    if not any(len(values) for values in found.values()):
        return {}
    return {at: values if len(values) else np.array([np.nan]) for at, values in found.items()}
