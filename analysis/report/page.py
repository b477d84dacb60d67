"""The report as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from bioae.analysis.measures.definitions import DEFINITIONS, Table, anchor, as_table
from bioae.analysis.report.illustrations import Picture
from bioae.analysis.report.measures import Measures
from bioae.analysis.results.outputs import neurons_of

__all__ = ["render_page"]

_REM_PER_INCH = 7.5


def render_page(
    results: Mapping[str, xr.DataTree],
    measures: Measures,
    pictures: Sequence[Picture],
    *,
    title: str,
    tables: Sequence[Table],
    first_tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return the HTML of a report: the first tables, the pictures, the tables of all measures."""
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
        first_tables=first_tables,
        tables=tables,
        definitions={anchor(name): each for name, each in DEFINITIONS.items()},
        pictures=[_embedded(picture) for picture in pictures],
        origins=_origins(measures.attributes),
        models={name: neurons_of(tree) for name, tree in results.items()},
    )


def _embedded(picture: Picture) -> dict[str, Any]:
    # As images, drawings cannot share identifiers; inline, these would collide.
    data = base64.b64encode(picture.svg.encode()).decode("ascii")
    return {
        "heading": picture.heading,
        "caption": picture.caption,
        "source": f"data:image/svg+xml;base64,{data}",
        # Letters have the same size in all pictures, if the page is wide enough.
        "width": _REM_PER_INCH * picture.width,
    }


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
