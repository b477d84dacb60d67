"""Finished figures: laid out once, and stored as files."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.backends import backend_agg, backend_svg  # noqa: F401 - matplotlib would later
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator

from bioae.analysis.plots.layout import GridLayout
from bioae.analysis.plots.style import style_of
from bioae.errors import OutputError
from bioae.files import atomic_output

__all__ = ["lay_out", "render", "save_figure", "to_svg"]

_COORDINATES = re.compile(r' d="[^"]*"')

#: Options of formats: compressing a picture better takes longer than drawing it.
_FASTER: Any = {"png": {"pil_kwargs": {"compress_level": 3}}}


def lay_out(figure: Figure) -> None:
    """Lay out a finished figure once; each format would otherwise do so again, twice."""
    engine = figure.get_layout_engine()
    if engine is None:
        return
    for axes in figure.axes:
        # Their labels reach further, and measuring a spine places all ticks again.
        for spine in axes.spines.values():
            spine.set_in_layout(False)
    with mpl.rc_context(style_of(figure)):
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
    return _COORDINATES.sub(lambda path: more.sub(r"\1", path[0]), svg)


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of a format, by its suffix; equal figures give equal bytes."""
    buffer = io.BytesIO()
    # A date would make equal figures differ.
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with mpl.rc_context(style_of(figure)):
        figure.savefig(buffer, format=kind, metadata=metadata, **_FASTER.get(kind, {}))
    return buffer.getvalue()
