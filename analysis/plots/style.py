"""Shared style of all figures: fonts, colours, lines, panels and legends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from textwrap import fill
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import (
    LogLocator,
    NullLocator,
    StrMethodFormatter,
)
from numpy.typing import NDArray

from bioae.analysis.plots.layout import GridLayout
from bioae.errors import ResultError

__all__ = [
    "COLOURS",
    "INK",
    "LINES",
    "MARKERS",
    "MOST_MARKERS",
    "STYLE",
    "colour_of",
    "drawable",
    "head",
    "layers_in",
    "line_of",
    "log_axis",
    "needed",
    "new_figure",
    "of_layer",
    "panels",
    "span",
    "styled",
]

P = ParamSpec("P")
T = TypeVar("T")

INK = "#222222"
# Okabe & Ito (2008), "Color universal design": distinguishable with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LONGEST = 42  # characters of a label next to half a figure
_LINE = 0.13  # inches
_LARGEST = 1e300
LINES = ("-", "--", "-.", ":")
#: More markers take less space and time as pixels than in a vector format.
MOST_MARKERS = 500
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

# Any, because matplotlib types the names as literals that differ between versions.
STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    # At a fixed height: titles of a row are aligned, and nothing is measured for them.
    "axes.titley": 1.0,
    "axes.titleweight": "bold",
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    # A fixed salt makes equal figures equal files.
    "svg.hashsalt": "bioae",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}

# `mpl.rcdefaults` would read the files of all styles.
_DEFAULTS: Any = {
    name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith("backend")
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw its figure in the shared style, independent of the user's settings."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context({**_DEFAULTS, **STYLE}):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, *, grid: bool = False) -> Figure:
    """Return an empty figure of a size in inches, with automatic layout.

    Parameters
    ----------
    grid
        Whether it is only a grid of panels, without colour bars and outer legends, whose layout
        takes less time.
    """
    return Figure(figsize=(width, height), layout=GridLayout() if grid else "constrained")


def panels(
    count: int, height: float, xlabel: str, *, grid: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels, two per row, each of a height in inches.

    Parameters
    ----------
    grid
        As in `new_figure`.
    """
    columns = min(2, count)
    rows = -(-count // columns)
    figure = new_figure(3.6 * columns, height * rows, grid=grid)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=True).flat)
    for unused in axes[count:]:
        unused.set_axis_off()
    for lowest in axes[max(0, count - columns) : count]:
        lowest.set_xlabel(xlabel)
        lowest.tick_params(labelbottom=True)
    return figure, axes[:count]


def log_axis(axes: Axes) -> None:
    """Make the horizontal axis of a panel with data, and of those that share it, logarithmic."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = np.log10(high / low)
    labelled = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=labelled))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def line_of(index: int) -> dict[str, Any]:
    """Return the colour and style of a result's line; each of them identifies the result."""
    return {"color": colour_of(index), "linestyle": LINES[index % len(LINES)]}


def colour_of(index: int) -> str:
    """Return the colour of a result."""
    return COLOURS[index % len(COLOURS)]


def drawable(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values that axes can hold: matplotlib fails on ranges near the largest number."""
    return np.asarray(values, float).clip(-_LARGEST, _LARGEST)


def span(values: Iterable[NDArray[Any]], *, margin: float = 0.05) -> tuple[float, float]:
    """Return the ends of an axis for all values: panels with it can be compared.

    Parameters
    ----------
    margin
        Space at both ends, as a fraction of the range.
    """
    finite = np.concatenate([np.zeros(0), *(each[np.isfinite(each)] for each in values)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    space = margin * ((high - low) or abs(low) or 1)
    return low - space, high + space


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


def needed(items: object, name: str) -> None:
    """Raise a `ResultError` if there is nothing to draw, or no mapping."""
    if not isinstance(items, Mapping):
        raise ResultError(
            f"the {name} do not fit", expected="a mapping by names", found=type(items).__name__
        )
    if not items:
        raise ResultError(f"there are no {name} to draw", expected="at least one result")


def head(axes: Axes, title: str, *, columns: int = 1, legend: bool = True) -> None:
    """Put the legend above a panel, where it cannot hide a line, and the title above the legend.

    Long labels are wrapped, and the figure grows by the lines that are added.

    Parameters
    ----------
    columns
        Of the legend.
    legend
        Whether there is one, if anything has a label.
    """
    handles, _ = axes.get_legend_handles_labels()
    if not handles or not legend:
        axes.set_title(title)
        return
    drawn = axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.2, ncols=columns)
    rows = -(-len(drawn.get_texts()) // columns)
    added = _wrap(drawn.get_texts()) if columns == 1 else 0
    axes.set_title(title, pad=8 + 12.5 * rows + 9.5 * added)
    spec, figure = axes.get_subplotspec(), axes.get_figure(root=True)
    if added and spec is not None and figure is not None:
        # Panels next to each other are mostly wrapped alike.
        beside = spec.get_gridspec().ncols
        figure.set_figheight(figure.get_figheight() + _LINE * added / beside)


def _wrap(texts: Iterable[Text]) -> int:
    """Wrap labels that are wider than a panel, and return the number of lines added."""
    added = 0
    for text in texts:
        text.set_text(
            fill(text.get_text(), _LONGEST, break_long_words=False, break_on_hyphens=False)
        )
        added += text.get_text().count("\n")
    return added
