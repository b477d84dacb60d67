"""Panels of figures: new ones or the user's axes, their titles, notes, and the shared legend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any, Literal, TypeAlias, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, HPacker, TextArea, VPacker
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from bioae.analysis.plots.layout import GridLayout
from bioae.analysis.plots.style import INK, colour_of, columns_for, line_of, marker_of, new_figure
from bioae.errors import ResultError, shortened

__all__ = [
    "Places",
    "figure_of",
    "given_axes",
    "head",
    "layers_in",
    "of_layer",
    "panels",
    "quartiles",
    "share_legend",
    "squares",
]

T = TypeVar("T")

#: Axes to draw into: one, several in the order of the panels, or some of them by name.
Places: TypeAlias = Axes | Sequence[Axes] | NDArray[Any] | Mapping[str, Axes]

_SPACE = 4.0  # points between a panel, its note and its title
_LEADING = 1.3  # height of a line over the size of its letters
_LETTER = 0.54  # mean width of a letter over its size
_KEY = 16.0  # points of a line in a note
_NAMED = 6  # panels whose names an error lists


def given_axes(ax: Places, names: Sequence[str]) -> dict[str, Axes]:
    """Return the user's axes by the names of the panels that they are for.

    Raises
    ------
    ResultError
        If they are no axes, or not one for each panel, or not of one figure.
    """
    listed = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    if isinstance(ax, Mapping):
        unknown = [name for name in ax if name not in names]
        if unknown:
            raise ResultError(
                "there is no such panel", where="ax", expected=listed, found=repr(unknown[0])
            )
        chosen: dict[str, Any] = {name: ax[name] for name in names if name in ax}
    else:
        several = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, object)))
        if len(several) != len(names):
            one = len(names) == 1
            raise ResultError(
                "the axes do not fit the panels",
                where="ax",
                expected=f"axes for {'one panel' if one else f'{len(names)} panels'}: {listed}",
                found=f"{len(several)} axes",
                mend=None if one else "Or draw some panels: ax={name: axes}",
            )
        chosen = dict(zip(names, several, strict=True))
    several = [*chosen.values()]
    wrong = next((each for each in several if not isinstance(each, Axes)), None)
    if wrong is not None:
        raise ResultError(
            "these are no axes",
            where="ax",
            expected="matplotlib axes, a sequence of them, or a mapping by panel",
            found=shortened(type(wrong).__name__),
        )
    if len({figure_of([each]) for each in chosen.values()}) != 1:
        raise ResultError(
            "the axes do not fit", where="ax", expected="one or more axes of one figure"
        )
    return chosen


def figure_of(axes: Iterable[Axes]) -> Figure:
    """Return the figure of axes."""
    figure = next(iter(axes)).get_figure(root=True)
    assert figure is not None
    return figure


def panels(
    names: Sequence[str],
    height: float,
    xlabel: str,
    *,
    ax: Places | None = None,
    most: int = 2,
    width: float = 3.6,
) -> dict[str, Axes]:
    """Return a panel per name, in a new figure with a shared horizontal axis, or the user's axes.

    Parameters
    ----------
    height, width
        Of a panel of a new figure, in inches on a screen.
    xlabel
        The label of the horizontal axis.
    ax
        The user's axes.
    most
        The largest number of panels per row.
    """
    if ax is not None:
        axes = given_axes(ax, names)
        for panel in axes.values():
            panel.set_xlabel(xlabel)
        return axes
    columns = columns_for(len(names), width, most)
    rows = -(-len(names) // columns)
    figure = new_figure(width * columns, height * rows, grid=True)
    axes = _arranged(figure, names, (rows, columns), sharex=True)
    for lowest in [*axes.values()][-columns:]:
        lowest.set_xlabel(xlabel)
        lowest.tick_params(labelbottom=True)
    return axes


def squares(
    names: Sequence[str],
    size: tuple[float, float],
    margin: tuple[float, float] = (0, 0),
    *,
    ax: Places | None = None,
    most: int = 3,
    grid: bool = False,
    shared: bool = False,
) -> dict[str, Axes]:
    """Return a panel per name of about equal sides, in a new figure or the user's axes.

    Parameters
    ----------
    size, margin
        Width and height in inches on a screen: of a panel, and what the figure has in addition.
    ax, most
        As for `panels`.
    grid
        As for `new_figure`.
    shared
        Whether panels of a new figure share both axes.
    """
    if ax is not None:
        return given_axes(ax, names)
    columns = columns_for(len(names), size[0], most)
    rows = -(-len(names) // columns)
    figure = new_figure(
        size[0] * columns + margin[0], size[1] * rows + margin[1], grid=grid, pictures=True
    )
    return _arranged(figure, names, (rows, columns), sharex=shared, sharey=shared)


def _arranged(
    figure: Figure,
    names: Sequence[str],
    size: tuple[int, int],
    *,
    sharex: bool,
    sharey: bool = False,
) -> dict[str, Axes]:
    """Return a panel per name in rows and columns of a figure; the others stay empty."""
    places = list(figure.subplots(*size, squeeze=False, sharex=sharex, sharey=sharey).flat)
    for unused in places[len(names) :]:
        unused.set_axis_off()
    return dict(zip(names, places, strict=False))


def layers_in(results: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the layers that any result has, in their order."""
    return list(dict.fromkeys(str(layer) for layers in results.values() for layer in layers))


def of_layer(results: Mapping[str, Mapping[str, T]], layer: str) -> list[tuple[int, str, T]]:
    """Return index, label and data of the results that have a layer."""
    return [
        (index, label, layers[layer])
        for index, (label, layers) in enumerate(results.items())
        if layer in layers
    ]


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


def quartiles(
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
