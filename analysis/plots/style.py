"""Shared style of all figures: fonts, colours, lines, panels and legends; saving figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends import backend_agg, backend_svg  # noqa: F401 - matplotlib would later
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    LogLocator,
    NullLocator,
    StrMethodFormatter,
)
from numpy.typing import NDArray

from bioae.analysis.plots.layout import GridLayout
from bioae.errors import OutputError, ResultError
from bioae.files import atomic_output

__all__ = [
    "COLOURS",
    "INK",
    "LINES",
    "MARKERS",
    "MOST_MARKERS",
    "colour_of",
    "drawable",
    "head",
    "lay_out",
    "layers_in",
    "line_of",
    "log_axis",
    "needed",
    "new_figure",
    "of_layer",
    "panels",
    "render",
    "save_figure",
    "span",
    "styled",
    "to_svg",
]

P = ParamSpec("P")
T = TypeVar("T")

INK = "#222222"
# Okabe & Ito (2008), "Color universal design": distinguishable with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LARGEST = 1e300
LINES = ("-", "--", "-.", ":")
#: More markers take less space and time as pixels than in a vector format.
MOST_MARKERS = 500
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

# Any, because matplotlib types the names as literals that differ between versions.
_STYLE: Any = {
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


#: Options of formats: compressing a picture better takes longer than drawing it.
_FASTER: Any = {"png": {"pil_kwargs": {"compress_level": 3}}}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function draw its figure in the shared style, independent of the user's settings."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context({**_DEFAULTS, **_STYLE}):
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


def lay_out(figure: Figure) -> None:
    """Lay out a finished figure once; each format would otherwise do so again, twice."""
    engine = figure.get_layout_engine()
    if engine is None:
        return
    for axes in figure.axes:
        # Their labels reach further, and measuring a spine places all ticks again.
        for spine in axes.spines.values():
            spine.set_in_layout(False)
    with mpl.rc_context(_STYLE):
        engine.execute(figure)
    figure.set_layout_engine(None)
    if isinstance(engine, GridLayout):
        engine.hold_labels()
    for axes in figure.axes:
        _hold_ticks(axes.xaxis)
        _hold_ticks(axes.yaxis)


def _hold_ticks(axis: Axis) -> None:
    """Keep the ticks and their labels, which each format would choose again."""
    places = axis.get_majorticklocs()
    formatter = axis.get_major_formatter()
    held = FixedFormatter(formatter.format_ticks(places.tolist()))
    held.set_offset_string(formatter.get_offset())
    axis.set_major_locator(FixedLocator(places.tolist()))
    axis.set_major_formatter(held)


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
    axes.set_title(title, pad=8 + 12.5 * rows)


def save_figure(figure: Figure, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a figure in the format that the suffix of `path` names.

    Raises
    ------
    OutputError
        If the format is unknown, `path` exists and `overwrite` is false, or cannot be written.
    """
    kind = Path(path).suffix.lstrip(".").lower()
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise OutputError(
            "the format of a figure is not known",
            where=str(path),
            expected=", ".join(f".{name}" for name in sorted(known)),
            found=repr(Path(path).suffix),
        )
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(render(figure, kind))


def to_svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file; equal figures give equal text."""
    return render(figure, "svg").decode("utf-8")


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of a format, by its suffix; equal figures give equal bytes."""
    buffer = io.BytesIO()
    # A date would make equal figures differ.
    metadata = {"Date": None} if kind == "svg" else None
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format=kind, metadata=metadata, **_FASTER.get(kind, {}))
    return buffer.getvalue()
