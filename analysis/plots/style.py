"""What all figures share: fonts, colours, line styles, and how they are saved."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioae.errors import OutputError
from bioae.files import atomic_output

__all__ = ["COLOURS", "INK", "LINES", "new_figure", "panels", "save_figure", "styled", "to_svg"]

P = ParamSpec("P")

INK = "#222222"
# Okabe & Ito (2008), "Color universal design": told apart with every kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")

# matplotlib types the names of these as literals, which differ from version to version.
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
    "axes.titleweight": "bold",
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


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a function that draws a figure use the shared style, and nothing of the user's."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, laid out without overlap."""
    return Figure(figsize=(width, height), layout="constrained")


def panels(count: int, height: float, xlabel: str) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels, two in a row, each of a height in inches."""
    columns = min(2, count)
    rows = -(-count // columns)
    figure = new_figure(3.6 * columns, height * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=True).flat)
    for unused in axes[count:]:
        unused.set_axis_off()
    for lowest in axes[max(0, count - columns) : count]:
        lowest.set_xlabel(xlabel)
        lowest.tick_params(labelbottom=True)
    return figure, axes[:count]


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
        temporary.write_bytes(_render(figure, kind))


def to_svg(figure: Figure) -> str:
    """Return a figure as the text of an SVG file, the same for the same figure."""
    return _render(figure, "svg").decode("utf-8")


def _render(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Dates would make equal figures differ.
    metadata = {"Date": None} if kind == "svg" else None
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
