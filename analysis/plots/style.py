"""Shared style of all figures, on a screen and in print: fonts, colours, lines, axes and files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NamedTuple, ParamSpec
from weakref import WeakKeyDictionary

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from bioae.checks import instance
from bioae.errors import OutputError, ResultError
from bioae.files import atomic_output
from bioae.inputs import as_path

P = ParamSpec("P")

INK = "#222222"
# Okabe & Ito (2008), "Color universal design": distinguishable with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
#: More markers take less space and time as pixels than in a vector format.
MOST_MARKERS = 500
#: Values of more steps are drawn in bins, and times that span more decades on logarithmic axes.
MANY_STEPS, _WIDE = 1000, 1.5
#: Families of distributions, in patterns other than those of results.
FAMILY_LINES: Any = ("-", (0, (7, 1.5)), (0, (4, 1, 1, 1, 1, 1)))

# Any, because matplotlib types the names as literals that differ between versions.
_SCREEN: Any = {
    **{name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"},
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    # Text in PDF files stays text.
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    # A fixed salt makes equal figures equal files.
    "svg.hashsalt": "bioae",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
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

    settings: Any = _SCREEN
    width: float | None = None
    scale: float = 1.0


_current: ContextVar[_Style] = ContextVar("style", default=_Style())  # noqa: B039 - immutable
#: The styles in which figures were drawn, and are saved.
_styles: WeakKeyDictionary[Figure, _Style] = WeakKeyDictionary()


@contextmanager
def print_style(
    column: Literal["single", "double"] = "single", *, font: str = "DejaVu Sans"
) -> Iterator[None]:
    """Style of figures for print, in a ``with`` block: column width, 7 to 8 pt, text as text.

    Figures are 85 mm (``"single"``) or 175 mm (``"double"``) wide and keep the style when they are
    saved later. Axes that are made within the block, as by `matplotlib.pyplot.subplots`, have the
    same fonts and lines.

    Parameters
    ----------
    column
        The width of the figures: one column of a journal's page, or two.
    font
        The font family, one that is installed.
    """
    if column not in _COLUMNS:
        raise ResultError(
            "there is no such column", expected=" or ".join(_COLUMNS), found=repr(column)
        )
    settings = {**_SCREEN, **_PRINT, "font.family": font}
    token = _current.set(_Style(settings, _COLUMNS[column], 0.8))
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _current.reset(token)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw its figure in the shared style, independent of the user's settings.

    In axes of the user, its argument `ax`, the user's settings hold.
    """

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        if kwargs.get("ax") is not None:
            return draw(*args, **kwargs)
        with mpl.rc_context(_current.get().settings):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float, *, pictures: bool = False, texts: float = 0) -> Figure:
    """Return an empty figure of a size in inches on a screen, with automatic layout.

    `pictures`: whether the height follows the width, because panels have a fixed aspect; `texts`:
    the part of the height that texts take, which does not follow the width.
    """
    style = _current.get()
    if style.width is not None:
        scale = style.width / width if pictures else style.scale
        height = scale * (height - texts) + texts
        width = style.width
    figure = Figure(figsize=(width, height), layout="constrained")
    _styles[figure] = style
    return figure


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of a format, by its suffix; equal figures give equal bytes."""
    instance(figure, "the figure", Figure, error=OutputError)
    buffer = io.BytesIO()
    # A date would make equal figures differ.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with mpl.rc_context(_styles.get(figure, _current.get()).settings):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def save_figure(figure: Figure, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a figure in the format that the suffix of `path` names.

    Raises
    ------
    OutputError
        If the format is unknown, `path` exists and `overwrite` is false, or cannot be written.
    """
    kind = as_path(path, OutputError, "figure").suffix.lstrip(".").lower()
    instance(figure, "the figure", Figure, error=OutputError)
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise OutputError(
            "the format of a figure is not known", where=str(path),
            expected=", ".join(f".{name}" for name in sorted(known)), found=repr(Path(path).suffix),
        )  # fmt: skip
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(render(figure, kind))


def to_svg(figure: Figure, *, decimals: int | None = None) -> str:
    """Return a figure as the text of an SVG file; equal figures give equal text.

    Parameters
    ----------
    figure
        The figure.
    decimals
        The decimals of coordinates in points, for smaller files; those of matplotlib by default.
    """
    svg = render(figure, "svg").decode("utf-8")
    if decimals is None:
        return svg
    more = re.compile(rf"(\.\d{{{decimals}}})\d+")
    return re.sub(r' d="[^"]*"', lambda path: more.sub(r"\1", path[0]), svg)


def columns_for(count: int, width: float, most: int) -> int:
    """Return the number of panels per row, of a width in inches on a screen."""
    style = _current.get()
    if style.width is not None:
        most = min(most, max(1, int(style.width / (style.scale * width))))
    most = max(1, min(count, most))
    # Rows of about equal length: four panels are two rows of two, not of three and one.
    return -(-count // -(-count // most)) if count else 1


def log_axis(axes: Axes, *, vertical: bool = False) -> None:
    """Make the horizontal or the vertical axis of a panel with data logarithmic."""
    axis = axes.yaxis if vertical else axes.xaxis
    (axes.set_yscale if vertical else axes.set_xscale)("log")
    low, high = axes.get_ylim() if vertical else axes.get_xlim()
    decades = np.log10(high / low)
    labelled = range(1, 10) if decades < 1 else (1, 2, 5) if decades < 2.5 else (1,)
    axis.set_major_locator(LogLocator(subs=labelled))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def is_wide(values: NDArray[Any]) -> bool:
    """Return whether values are positive and span so much that their axis is logarithmic."""
    finite = values[np.isfinite(values)]
    return bool(finite.size and 0 < finite.min() < finite.max() / 10**_WIDE)


def colour_of(index: int) -> str:
    """Return the colour of a result."""
    return COLOURS[index % len(COLOURS)]


def line_of(index: int) -> dict[str, Any]:
    """Return the colour and style of a result's line; each of them identifies the result."""
    return {"color": colour_of(index), "linestyle": LINES[index % len(LINES)]}


def marker_of(index: int) -> dict[str, Any]:
    """Return the marker of a result among others in one panel: filled for the first one only."""
    return {
        "linestyle": "none",
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 3.5,
        "markerfacecolor": "none" if index else colour_of(index),
        "markeredgecolor": colour_of(index),
        "markeredgewidth": 0.7,
    }


def span(values: Iterable[NDArray[Any]], *, margin: float = 0.05) -> tuple[float, float]:
    """Return the ends of an axis for all values, with a margin as a fraction of their range."""
    finite = np.concatenate([np.zeros(0), *(each[np.isfinite(each)] for each in values)])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    space = margin * ((high - low) or abs(low) or 1)
    return low - space, high + space
