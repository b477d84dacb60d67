"""Titles, notes and legends of panels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker, TextArea, VPacker
from matplotlib.transforms import ScaledTranslation

from bioae.analysis.plots.layout import GridLayout
from bioae.analysis.plots.panels import Places, figure_of
from bioae.analysis.plots.style import INK, line_of, marker_of

__all__ = ["head", "share_legend"]

_SPACE = 4.0  # points between a panel, its note and its title
_LEADING = 1.3  # height of a line over the size of its letters
_LETTER = 0.54  # mean width of a letter over its size
_KEY = 16.0  # points of a line in a note


def head(
    axes: Axes,
    title: str,
    note: str = "",
    values: Sequence[tuple[int, str]] = (),
    *,
    marks: bool = False,
) -> None:
    """Set the title of a panel, and below it a note with a value of each result.

    Parameters
    ----------
    note
        The text before the values, or alone.
    values
        The place of each result among all, which gives its line, and its value.
    marks
        Whether results have markers instead of lines.
    """
    if not note and not values:
        axes.set_title(title)
        return
    size = _small()
    rows = _note_rows(note, values, size, _width(axes))
    letters = {"size": size, "color": INK}
    drawn: list[Artist] = []
    scale = figure_of([axes]).dpi_scale_trans
    for row in rows:
        parts: list[Artist] = []
        for index, text in row:
            if index is not None:
                parts.append(_key(index, 0.6 * size, marks=marks))
            if text:
                parts.append(TextArea(text, textprops=letters))
        drawn.append(HPacker(children=parts, pad=0, sep=0.5 * size, align="center"))
    box = AnchoredOffsetbox(
        "lower left",
        child=VPacker(children=drawn, pad=0, sep=0.3 * size),
        pad=0,
        borderpad=0,
        frameon=False,
        bbox_to_anchor=(0, 1),
        bbox_transform=axes.transAxes + ScaledTranslation(0, _SPACE / 72, scale),
    )
    axes.add_artist(box)
    axes.set_title(title, pad=2 * _SPACE + _LEADING * size * len(rows))


def _key(index: int, height: float, *, marks: bool) -> Artist:
    """Return the line, or the marker, of a result, for a text of a height in points."""
    key = DrawingArea(0.5 * _KEY if marks else _KEY, height)
    if marks:
        drawn = Line2D([0.25 * _KEY], [0.5 * height], linestyle="none", **marker_of(index))
    else:
        drawn = Line2D([0, _KEY], [0.5 * height] * 2, linewidth=1.5, **line_of(index))
    key.add_artist(drawn)
    return key


def _width(axes: Axes) -> float:
    """Return the width of a panel in points, in a new figure as the layout will make it."""
    spec, figure = axes.get_subplotspec(), figure_of([axes])
    if spec is None or figure.get_layout_engine() is None:
        return axes.get_position().width * figure.get_figwidth() * 72
    return 72 * (figure.get_figwidth() / spec.get_gridspec().ncols - 0.6)


def _small() -> float:
    """Return the size of small letters in points, whether the settings have a number or a name."""
    size = FontProperties(size=mpl.rcParams["legend.fontsize"]).get_size_in_points()
    return float(size)


def _note_rows(
    note: str, values: Sequence[tuple[int, str]], size: float, width: float
) -> list[list[tuple[int | None, str]]]:
    """Divide a note into rows of a width in points."""
    longest = int(width / (_LETTER * size))
    lines = [line for part in note.split("\n") for line in fill(part, longest).split("\n")]
    first, *others = lines[::-1]
    rows: list[list[tuple[int | None, str]]] = [[(None, line)] for line in reversed(others)]
    rows.append([(None, first)])
    free = width - _LETTER * size * len(first)
    for index, text in values:
        needed = _LETTER * size * len(text) + _KEY + size
        if needed > free and len(rows[-1]) > 1:
            rows.append([])
            free = width
        rows[-1].append((index, text))
        free -= needed
    return rows


def share_legend(
    axes: Iterable[Axes],
    *,
    ax: Places | None,
    more: Sequence[Artist] = (),
    side: Literal["top", "right"] = "top",
    **style: Any,
) -> None:
    """Make one legend of all panels: outside a new figure's panels, or in the user's first axes.

    Parameters
    ----------
    ax
        The user's axes, if there are any.
    more
        Further entries, with labels.
    side
        The place in a new figure: above the panels, where the figure grows by its height, or to
        their right.
    style
        Settings of the legend.
    """
    several = list(axes)
    handles: dict[str, Artist] = {}
    for panel in several:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    handles |= {str(entry.get_label()): entry for entry in more}
    if not handles:
        return
    if ax is not None:
        several[0].legend(list(handles.values()), list(handles), **style)
        return
    figure = figure_of(several)
    if side == "right":
        figure.legend(list(handles.values()), list(handles), loc="outside right upper", **style)
        return
    size = _small()
    width = figure.get_figwidth() * 72
    texts = [fill(label, int(width / (_LETTER * size)) - 6) for label in handles]
    longest = max(len(line) for text in texts for line in text.split("\n"))
    columns = max(1, min(len(texts), int(width / (_LETTER * size * longest + 4.5 * size))))
    grid = isinstance(figure.get_layout_engine(), GridLayout)
    figure.legend(
        list(handles.values()), texts, loc="upper left" if grid else "outside upper left",
        ncols=columns, borderaxespad=0.3, **style,
    )  # fmt: skip
    lines = [text.count("\n") + 1 for text in texts]
    rows = -(-len(texts) // columns)
    extra = sum(max(lines[row::rows]) for row in range(rows))
    figure.set_figheight(figure.get_figheight() + (_LEADING * size * extra + size) / 72)
