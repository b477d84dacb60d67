"""The report: one self-contained HTML file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.measures.definitions import DEFINITIONS, anchor
from bioae.analysis.measures.tables import Rows, Table, as_table
from bioae.analysis.report.illustrations import illustrate
from bioae.analysis.report.measures import Measures, measure
from bioae.analysis.report.pictures import Picture
from bioae.analysis.report.tables import measure_tables
from bioae.analysis.results.outputs import neurons_of
from bioae.files import check_output, write_text

__all__ = ["render_report", "write_report"]

_REM_PER_INCH = 7.5


class _Embedded(NamedTuple):
    heading: str
    caption: str
    source: str
    width: float


def write_report(
    path: Path | str,
    results: Mapping[str, xr.DataTree],
    *,
    title: str,
    tables: Sequence[tuple[str, Rows | xr.Dataset]] = (),
    metrics: Mapping[str, Path | str] | None = None,
    metrics_keys: Sequence[str] | None = None,
    compare: Sequence[tuple[str, str]] | None = None,
    notes: Sequence[str] = (),
    training_images: NDArray[Any] | None = None,
    images: int = 10,
    overwrite: bool = False,
) -> None:
    """Measure results, draw them, and write both as one self-contained HTML file.

    The caller's tables come first, then the figures, then all measures. The spikes of the first
    result are compared with those of each other one that has the same examples and layers.

    Parameters
    ----------
    path
        The file to write.
    results
        The results by the names in tables and figures.
    title
        The heading.
    tables
        Further tables, shown before the figures: a caption, and rows or a one-dimensional dataset
        (`bioae.analysis.as_table`).
    metrics
        Files of training metrics, one JSON object per line, by the names of the runs.
    metrics_keys
        The metrics to draw; by default all that change.
    compare
        Pairs of results to compare instead.
    notes
        Paragraphs of plain text below the title.
    training_images
        For the baseline of the mean image (`bioae.analysis.mean_image`).
    images
        The number of images to draw.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    ResultError
        If there is no result, or an argument does not fit.
    """
    check_output(path, overwrite=overwrite, kind="file")
    measures = measure(results, training_images=training_images, compare=compare)
    illustrations = illustrate(
        results, measures.statistics, metrics, metrics_keys=metrics_keys, images=images
    )
    html = render_report(
        results,
        measures,
        [each.picture() for each in illustrations],
        title=title,
        tables=[as_table(caption, data) for caption, data in tables],
        notes=notes,
    )
    write_text(path, html, overwrite=overwrite)


def render_report(
    results: Mapping[str, xr.DataTree],
    measures: Measures,
    pictures: Sequence[Picture],
    *,
    title: str,
    tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return the HTML of a report from measures and pictures; see `write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bioae.analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        title=title,
        bursting_threshold=measures.bursting_threshold,
        notes=[*notes, *measures.left_out(), *measures.not_compared()],
        first_tables=tables,
        tables=measure_tables(measures),
        definitions={anchor(name): each for name, each in DEFINITIONS.items()},
        pictures=[_embedded(picture) for picture in pictures],
        origins=_origins(measures.attributes),
        models={name: neurons_of(tree) for name, tree in results.items()},
    )


def _embedded(picture: Picture) -> _Embedded:
    # As images, drawings cannot share identifiers; inline, these would collide.
    data = base64.b64encode(picture.svg.encode()).decode("ascii")
    source = f"data:image/svg+xml;base64,{data}"
    # Letters have the same size in all pictures, if the page is wide enough.
    return _Embedded(picture.heading, picture.caption, source, _REM_PER_INCH * picture.width)


def _origins(attributes: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        {
            "result": name,
            "target": attrs["target"],
            "examples": attrs["examples"],
            "steps": attrs["steps"],
            "dt (ms)": attrs["dt_ms"],
            "seed": str(attrs["seed"]),
            "network": str(attrs["network_sha256"])[:12],
            **{
                package: str(attrs.get(f"{package}_version", "unknown"))
                for package in ("bioae", "brian2", "numpy")
            },
        }
        for name, attrs in attributes.items()
    ]
    return as_table("Origin of the results", rows)
