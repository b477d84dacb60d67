"""Pages of tables and figures: one self-contained HTML file each."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from bioae.analysis.measures.definitions import Rows, as_table
from bioae.analysis.plots.style import to_svg
from bioae.files import check_output, write_text

_REM_PER_INCH = 7.5


class Picture(NamedTuple):
    """A stored illustration: its figure's width in inches, and the figure as files.

    `png` is empty unless requested.
    """

    name: str
    heading: str
    caption: str
    width: float
    svg: str
    png: bytes


def write_page(
    path: Path | str,
    *,
    title: str,
    notes: Sequence[str] = (),
    tables: Sequence[tuple[str, Rows | xr.Dataset]] = (),
    figures: Sequence[tuple[str, str, Figure]] = (),
    models: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write tables and figures as one self-contained HTML file, which looks like the report.

    Parameters
    ----------
    path
        The file to write.
    title
        The heading.
    notes
        Paragraphs of plain text below the title.
    tables
        A caption, and rows or a one-dimensional dataset (`bioae.analysis.as_table`).
    figures
        A heading, a caption, and a figure.
    models
        Texts of neuron models by name, which are folded.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    check_output(path, overwrite=overwrite, kind="file")
    pictures = [
        Picture("", heading, caption, figure.get_figwidth(), to_svg(figure), b"")
        for heading, caption, figure in figures
    ]
    html = rendered(
        pictures, title=title, notes=notes, models=models or {}, tables=(),
        first_tables=[as_table(caption, data) for caption, data in tables],
    )  # fmt: skip
    write_text(path, html, overwrite=overwrite)


def rendered(pictures: Sequence[Picture], **values: Any) -> str:
    """Return the HTML of a page, with its pictures embedded."""
    environment = Environment(
        loader=PackageLoader("bioae.analysis.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    embedded = [
        {
            "heading": picture.heading,
            "caption": picture.caption,
            # As images, drawings cannot share identifiers; inline, these would collide.
            "source": "data:image/svg+xml;base64,"
            + base64.b64encode(picture.svg.encode()).decode("ascii"),
            # Letters have the same size in all pictures, if the page is wide enough.
            "width": _REM_PER_INCH * picture.width,
        }
        for picture in pictures
    ]
    return environment.get_template("report.html").render(pictures=embedded, **values)
