"""Panels of figures: new ones or the user's axes, with titles and legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpecBase
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bioae.analysis.plots.style import columns_for, line_of, marker_of, new_figure
from bioae.errors import ResultError, shortened

#: Axes to draw into: one, several in the order of the panels, or some of them by name.
Places: TypeAlias = Axes | Sequence[Axes] | NDArray[Any] | Mapping[str, Axes]

_LETTER = 0.6  # mean width of a letter over its size


def panels(
    names: Sequence[str],
    size: tuple[float, float],
    xlabel: str = "",
    *,
    ax: Places | None,
    most: int = 1,
    margin: tuple[float, float] = (0, 0),
    pictures: bool = False,
    texts: float = 0,
    **options: Any,
) -> dict[str, Axes]:
    """Return a panel per name, in rows of a new figure or the user's axes.

    `size`, `margin`: width and height in inches on a screen: of a panel, and what the figure has in
        addition.
    `xlabel`: the label of the horizontal axis, which panels of a new figure then share.
    `most`: the largest number of panels per row.
    `pictures`, `texts`: as for `new_figure`; texts are those of a panel.
    `options`: of `Figure.subplots`.
    """
    if ax is not None:
        axes, lowest = _of_user(ax, names), len(names)
    else:
        lowest = columns_for(len(names), size[0], most)
        rows = -(-len(names) // lowest)
        width, height = size[0] * lowest + margin[0], size[1] * rows + margin[1]
        figure = new_figure(width, height, pictures=pictures, texts=texts * rows)
        options = {"sharex": bool(xlabel), "squeeze": False} | options
        places = list(figure.subplots(rows, lowest, **options).flat)
        for unused in places[len(names) :]:
            unused.set_axis_off()
        axes = dict(zip(names, places, strict=False))
    # With a gap in the last row, the lowest panels are at two heights.
    for panel in [*axes.values()] if xlabel and len(names) % lowest else ():
        panel.tick_params(labelbottom=True)
    for panel in [*axes.values()][-lowest:] if xlabel else ():
        panel.set_xlabel(xlabel)
    return axes


def _of_user(ax: Places, names: Sequence[str]) -> dict[str, Axes]:
    """Return the user's axes, of one figure, by the names of the panels that they are for."""
    chosen: dict[str, Any] = {}
    if isinstance(ax, Mapping):
        found, chosen = f"axes for {', '.join(ax) or 'none'}", dict(ax)
    else:
        several = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, object)))
        found = f"{len(several)} axes"
        if len(several) == len(names):
            chosen = dict(zip(names, several, strict=True))
    wrong = next((each for each in chosen.values() if not isinstance(each, Axes)), None)
    if wrong is not None:
        found = type(wrong).__name__
    elif len({figure_of([each]) for each in chosen.values()}) == 1 and {*chosen} <= {*names}:
        return {name: chosen[name] for name in names if name in chosen}
    raise ResultError(
        "the axes do not fit the panels", where="ax",
        expected=f"matplotlib axes of one figure, for {shortened(', '.join(names))}",
        found=shortened(found),
        hint="Give axes for each panel, or for some by name: ax={name: axes}",
    )  # fmt: skip


def figure_of(axes: Iterable[Axes]) -> Figure:
    """Return the figure of axes."""
    figure = next(iter(axes)).get_figure(root=True)
    assert figure is not None
    return figure


def head(
    axes: Axes, title: str, values: Sequence[tuple[int, str]] = (), *, marks: bool = False
) -> None:
    """Set the title of a panel, and below it a note with a value of each result.

    `values`: the place of each result among all, which gives its line, and its value; `marks`:
    whether results have markers instead of lines.
    """
    grid, figure = _grid_of(axes), figure_of([axes])
    width = figure.get_figwidth()
    # The layout will leave less than a panel's part of a new figure.
    width = axes.get_position().width * width if grid is None else width / grid.ncols - 0.5
    title = fill(title, _letters(width, "axes.titlesize"))
    if not values:
        axes.set_title(title)
        return
    alone = len(values) == 1 and values[0][0] == 0  # its line would look like that of a fit
    keys = [
        Line2D([], [], **(marker_of(index) if marks else line_of(index) | {"linewidth": 1.5}))
        for index, _ in values
    ]
    texts = [text for _, text in values]
    longest = max(map(len, texts)) + (4 if marks else 7)
    columns = min(len(values), max(1, _letters(width, "legend.fontsize") // longest))
    note = Legend(
        axes, keys, texts, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1),
        borderaxespad=0.2, borderpad=0, frameon=False, columnspacing=1, labelspacing=0.2,
        handlelength=0 if alone else 1 if marks else 2, handletextpad=0 if alone else None,
    )  # fmt: skip
    for key in note.get_lines() if alone else ():
        key.set_visible(False)
    axes.add_artist(note)
    rows, line = -(-len(values) // columns), 1.4 * _points("legend.fontsize")
    axes.set_title(title, pad=line * rows + 4)
    if grid is not None:
        # The figure grows by the mean height of further lines in its rows of panels.
        figure.set_figheight(figure.get_figheight() + line * (rows - 1) / 72 / grid.ncols)


def _grid_of(axes: Axes) -> GridSpecBase | None:
    """Return the grid of a panel in a new figure."""
    spec = axes.get_subplotspec()
    if spec is None or figure_of([axes]).get_layout_engine() is None:
        return None
    return spec.get_gridspec()


def _letters(width: float, size: Any) -> int:
    """Return the number of letters of a size, by its setting, in a line of a width in inches."""
    return max(8, int(72 * width / (_LETTER * _points(size))))


def _points(size: Any) -> float:
    """Return a size of letters in points, whether its setting is a number or a name."""
    return float(FontProperties(size=mpl.rcParams[size]).get_size_in_points())


def share_legend(
    axes: Iterable[Axes],
    *,
    ax: Places | None,
    more: Sequence[Artist] = (),
    loc: Any = "outside upper left",
    **style: Any,
) -> None:
    """Make one legend of all panels: outside a new figure's panels, or in the user's first axes.

    `ax`: the user's axes, if there are any.
    `more`: further entries, with labels.
    `loc`: the place in a new figure, which grows by the height of a legend above its panels.
    `style`: settings of the legend.
    """
    several = list(axes)
    handles: dict[str, Artist] = {}
    for panel in several:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    handles |= {str(entry.get_label()): entry for entry in more}
    labels, figure = [*handles], figure_of(several)
    if not labels:
        return
    if ax is not None:
        several[0].legend([*handles.values()], labels, **style)
        return
    if loc == "outside upper left":
        letters = _letters(figure.get_figwidth(), "legend.fontsize")
        labels = [fill(label, max(8, letters - 8)) for label in labels]
        longest = max(len(line) for label in labels for line in label.split("\n"))
        columns = max(1, min(len(labels), letters // (longest + 7)))
        lines = max(label.count("\n") + 1 for label in labels) * -(-len(labels) // columns)
        height = 1.4 * _points("legend.fontsize") * lines / 72
        figure.set_figheight(figure.get_figheight() + height)
        style |= {"ncols": columns}
    figure.legend([*handles.values()], labels, loc=loc, **style)


def from_zero(panel: Axes) -> None:
    """Let the vertical axis start at 0, and end at 1 if nothing is above 0."""
    empty = not panel.dataLim.y1 > 0
    panel.set_ylim(0, 1 if empty else None)
