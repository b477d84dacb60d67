"""Panels of figures: new ones or the user's axes, with titles and legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import fill
from typing import Any, TypeAlias, TypeVar

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import GridSpecBase
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bioae.analysis.plots.style import columns_for, line_of, marker_of, needed, new_figure
from bioae.analysis.results.layers import result_of
from bioae.errors import ResultError, shortened

__all__ = [
    "Places",
    "figure_of",
    "from_zero",
    "given_axes",
    "head",
    "layers_in",
    "of_layer",
    "panels",
    "results_of",
    "rows_of",
    "share_legend",
    "squares",
]

T = TypeVar("T")

#: Axes to draw into: one, several in the order of the panels, or some of them by name.
Places: TypeAlias = Axes | Sequence[Axes] | NDArray[Any] | Mapping[str, Axes]

_LETTER = 0.6  # mean width of a letter over its size
_NAMED = 6  # panels whose names an error lists


def given_axes(ax: Places, names: Sequence[str]) -> dict[str, Axes]:
    """Return the user's axes by the names of the panels that they are for.

    Raises
    ------
    ResultError
        If they are no axes, or not one for each panel, or not of one figure.
    """
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
        "the axes do not fit the panels",
        where="ax",
        expected=f"matplotlib axes of one figure, for {', '.join(names[:_NAMED])}"
        + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""),
        found=shortened(found),
        hint="Give axes for each panel, or for some by name: ax={name: axes}",
    )


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
    axes = _arranged(new_figure(width * columns, height * rows), names, columns, sharex=True)
    for lowest in [*axes.values()][-columns:]:
        lowest.set_xlabel(xlabel)
        lowest.tick_params(labelbottom=True)
    return axes


def rows_of(
    names: Sequence[str],
    size: tuple[float, float],
    *,
    ax: Places | None,
    pictures: bool = False,
    **options: Any,
) -> dict[str, Axes]:
    """Return a row per name, in a new figure of a size in inches or the user's axes.

    Parameters
    ----------
    pictures
        As for `new_figure`.
    options
        Of `Figure.subplots`.
    """
    if ax is not None:
        return given_axes(ax, names)
    return _arranged(new_figure(*size, pictures=pictures), names, 1, **options)


def squares(
    names: Sequence[str],
    size: tuple[float, float],
    margin: tuple[float, float] = (0, 0),
    *,
    ax: Places | None = None,
    most: int = 3,
    shared: bool = False,
) -> dict[str, Axes]:
    """Return a panel per name of about equal sides, in a new figure or the user's axes.

    Parameters
    ----------
    size, margin
        Width and height in inches on a screen: of a panel, and what the figure has in addition.
    ax, most
        As for `panels`.
    shared
        Whether panels of a new figure share both axes.
    """
    if ax is not None:
        return given_axes(ax, names)
    columns = columns_for(len(names), size[0], most)
    rows = -(-len(names) // columns)
    figure = new_figure(size[0] * columns + margin[0], size[1] * rows + margin[1], pictures=True)
    return _arranged(figure, names, columns, sharex=shared, sharey=shared)


def _arranged(
    figure: Figure, names: Sequence[str], columns: int, **options: Any
) -> dict[str, Axes]:
    """Return a panel per name in rows and columns of a figure; the others stay empty."""
    rows = -(-len(names) // columns)
    places = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for unused in places[len(names) :]:
        unused.set_axis_off()
    return dict(zip(names, places, strict=False))


def head(
    axes: Axes, title: str, values: Sequence[tuple[int, str]] = (), *, marks: bool = False
) -> None:
    """Set the title of a panel, and below it a note with a value of each result.

    Parameters
    ----------
    values
        The place of each result among all, which gives its line, and its value.
    marks
        Whether results have markers instead of lines.
    """
    title = fill(title, _letters(axes, "axes.titlesize"))
    if not values:
        axes.set_title(title)
        return
    keys = [
        Line2D([], [], **(marker_of(index) if marks else line_of(index) | {"linewidth": 1.5}))
        for index, _ in values
    ]
    longest = max(len(text) for _, text in values) + (4 if marks else 7)
    columns = min(len(values), max(1, _letters(axes, "legend.fontsize") // longest))
    note = Legend(
        axes, keys, [text for _, text in values], ncols=columns, loc="lower left",
        bbox_to_anchor=(0, 1), borderaxespad=0.2, borderpad=0, frameon=False,
        handlelength=1 if marks else 2, columnspacing=1, labelspacing=0.2,
    )  # fmt: skip
    axes.add_artist(note)
    rows, line = -(-len(values) // columns), 1.4 * _points("legend.fontsize")
    axes.set_title(title, pad=line * rows + 4)
    spec, figure = _grid_of(axes), figure_of([axes])
    if spec is not None:
        # The figure grows by the mean height of further lines in its rows of panels.
        figure.set_figheight(figure.get_figheight() + line * (rows - 1) / 72 / spec.ncols)


def _grid_of(axes: Axes) -> GridSpecBase | None:
    """Return the grid of a panel in a new figure."""
    spec = axes.get_subplotspec()
    if spec is None or figure_of([axes]).get_layout_engine() is None:
        return None
    return spec.get_gridspec()


def _letters(axes: Axes, size: Any) -> int:
    """Return the number of letters of a size, by its setting, that fit the width of a panel."""
    spec, width = _grid_of(axes), figure_of([axes]).get_figwidth()
    # The layout will leave less than a panel's part of a new figure.
    width = axes.get_position().width * width if spec is None else width / spec.ncols - 0.5
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

    Parameters
    ----------
    ax
        The user's axes, if there are any.
    more
        Further entries, with labels.
    loc
        The place in a new figure, which grows by the height of a legend above its panels.
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
    if loc != "outside upper left":
        figure.legend(list(handles.values()), list(handles), loc=loc, **style)
        return
    size = _points("legend.fontsize")
    letters = int(72 * figure.get_figwidth() / (_LETTER * size))
    labels = [fill(label, max(8, letters - 8)) for label in handles]
    longest = max(len(line) for label in labels for line in label.split("\n"))
    columns = max(1, min(len(labels), letters // (longest + 7)))
    figure.legend(list(handles.values()), labels, loc=loc, ncols=columns, **style)
    lines = max(label.count("\n") + 1 for label in labels) * -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + 1.4 * size * lines / 72)


def results_of(results: Mapping[str, xr.DataTree], name: str) -> dict[str, xr.DataTree]:
    """Return results to draw, checked; raise a `ResultError` if there is none."""
    needed(results, name)
    return {label: result_of(tree) for label, tree in results.items()}


def layers_in(results: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the layers that any result has, in their order.

    Raises
    ------
    ResultError
        If there is a result or a measure itself in place of the measures of its layers.
    """
    for layers in results.values():
        tree = isinstance(layers, xr.DataTree)
        if tree or isinstance(layers, xr.Dataset) or not isinstance(layers, Mapping):
            raise ResultError(
                "this figure draws a measure of layers",
                expected="a mapping by result and layer, such as {'mine': {'latent': measure}}",
                found="a result" if tree else type(layers).__name__,
                hint="Measure its layers first, as bioae.analysis.firing_rate(result, 'latent')"
                if tree
                else None,
            )
    return list(dict.fromkeys(str(layer) for layers in results.values() for layer in layers))


def of_layer(results: Mapping[str, Mapping[str, T]], layer: str) -> list[tuple[int, str, T]]:
    """Return index, label and data of the results that have a layer."""
    return [
        (index, label, layers[layer])
        for index, (label, layers) in enumerate(results.items())
        if layer in layers
    ]


def from_zero(panel: Axes) -> None:
    """Let the vertical axis start at 0, and end at 1 if nothing is above 0."""
    empty = not panel.dataLim.y1 > 0
    panel.set_ylim(0, 1 if empty else None)
