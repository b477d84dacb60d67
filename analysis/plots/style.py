"""Shared style of all figures, on a screen and in print: fonts, colours, lines and sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Literal, NamedTuple, ParamSpec
from weakref import WeakKeyDictionary

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
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
    "columns_for",
    "current_style",
    "drawable",
    "line_of",
    "log_axis",
    "marker_of",
    "needed",
    "new_figure",
    "print_style",
    "span",
    "style_of",
    "styled",
]

P = ParamSpec("P")

INK = "#222222"
# Okabe & Ito (2008), "Color universal design": distinguishable with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LARGEST = 1e300
_PAD = 0.06  # inches around panels
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
    # Text in PDF files stays text.
    "pdf.fonttype": 42,
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


#: Changes of the style in print. SVG files keep text as text, which editors of journals can change.
_PRINT: Any = {
    "axes.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.titlesize": 8,
    "font.size": 7,
    "legend.fontsize": 7,
    "lines.linewidth": 1.0,
    "savefig.dpi": 600,
    "svg.fonttype": "none",
    "xtick.labelsize": 7,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.labelsize": 7,
    "ytick.major.size": 2.5,
    "ytick.major.width": 0.6,
}
#: The widths of figures in print, in inches.
_COLUMNS = {"single": 85 / 25.4, "double": 175 / 25.4}


class _Style(NamedTuple):
    """Settings of matplotlib, the width in inches (the figure's choice if None), and a scale."""

    settings: Any
    width: float | None = None
    scale: float = 1.0


_SCREEN = _Style(STYLE)
_current: ContextVar[_Style] = ContextVar("style", default=_SCREEN)
#: The styles in which figures were drawn, and are saved.
_styles: WeakKeyDictionary[Figure, _Style] = WeakKeyDictionary()


@contextmanager
def print_style(
    column: Literal["single", "double"] = "single", *, font: str = "DejaVu Sans"
) -> Iterator[None]:
    """Draw the figures in a ``with`` block for print: column width, 7 to 8 pt, text as text.

    Figures are 85 mm (``"single"``) or 175 mm (``"double"``) wide and keep the style when they are
    saved later. Axes that are made within the block, as by `matplotlib.pyplot.subplots`, have the
    same fonts and lines.

    Parameters
    ----------
    column
        The width of the figures: one column of a journal's page, or two.
    font
        The font family, one that is installed.

    Raises
    ------
    ResultError
        If there is no such column.
    """
    if column not in _COLUMNS:
        raise ResultError(
            "there is no such column", expected=" or ".join(_COLUMNS), found=repr(column)
        )
    settings = {**STYLE, **_PRINT, "font.family": font}
    token = _current.set(_Style(settings, _COLUMNS[column], 0.8))
    try:
        with mpl.rc_context({**_DEFAULTS, **settings}):
            yield
    finally:
        _current.reset(token)


def current_style() -> Any:
    """Return the settings of matplotlib in which figures are drawn now."""
    return _current.get().settings


def style_of(figure: Figure) -> Any:
    """Return the settings of matplotlib in which a figure was drawn."""
    return _styles.get(figure, _current.get()).settings


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw its figure in the shared style, independent of the user's settings.

    In axes of the user, its argument `ax`, the user's settings hold.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        if kwargs.get("ax") is not None:
            return draw(*args, **kwargs)
        with mpl.rc_context({**_DEFAULTS, **current_style()}):
            return draw(*args, **kwargs)

    return drawn


def new_figure(
    width: float, height: float, *, grid: bool = False, pictures: bool = False
) -> Figure:
    """Return an empty figure of a size in inches on a screen, with automatic layout.

    Parameters
    ----------
    grid
        Whether it is only a grid of panels below a legend, without colour bars, whose layout takes
        less time.
    pictures
        Whether the height follows the width, because panels have a fixed aspect.
    """
    style = _current.get()
    if style.width is not None:
        height *= style.width / width if pictures else style.scale
        width = style.width
    layout = GridLayout() if grid else ConstrainedLayoutEngine(h_pad=_PAD, w_pad=_PAD)
    figure = Figure(figsize=(width, height), layout=layout)
    _styles[figure] = style
    return figure


def columns_for(count: int, width: float, most: int) -> int:
    """Return the number of panels per row, of a width in inches on a screen."""
    style = _current.get()
    if style.width is not None:
        most = min(most, max(1, int(style.width / (style.scale * width))))
    most = max(1, min(count, most))
    # Rows of about equal length: four panels are two rows of two, not of three and one.
    return -(-count // -(-count // most)) if count else 1


def log_axis(axes: Axes, *, vertical: bool = False) -> None:
    """Make an axis of a panel with data, and of those that share it, logarithmic.

    Parameters
    ----------
    axes
        The panel.
    vertical
        Whether it is the vertical axis.
    """
    axis = axes.yaxis if vertical else axes.xaxis
    (axes.set_yscale if vertical else axes.set_xscale)("log")
    low, high = axes.get_ylim() if vertical else axes.get_xlim()
    decades = np.log10(high / low)
    labelled = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    axis.set_major_locator(LogLocator(subs=labelled))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def line_of(index: int) -> dict[str, Any]:
    """Return the colour and style of a result's line; each of them identifies the result."""
    return {"color": colour_of(index), "linestyle": LINES[index % len(LINES)]}


def marker_of(index: int) -> dict[str, Any]:
    """Return the marker of a result among others in one panel: filled for the first one only."""
    return {
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 3.5,
        "markerfacecolor": "none" if index else colour_of(index),
        "markeredgecolor": colour_of(index),
        "markeredgewidth": 0.7,
    }


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


def needed(items: object, name: str) -> None:
    """Raise a `ResultError` if there is nothing to draw, or no mapping by names."""
    if not isinstance(items, Mapping) or isinstance(items, xr.DataTree):
        raise ResultError(
            f"the {name} do not fit", expected="a mapping by names", found=type(items).__name__
        )
    if not items:
        raise ResultError(f"there are no {name} to draw", expected="at least one result")
