"""Definitions of the numbers of a layer, and tables: plain text, HTML and CSV share them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from bioae.errors import ResultError


class Definition(NamedTuple):
    """Definition of a statistic of a layer.

    Attributes
    ----------
    label
        Its name in tables.
    units
        Its unit, "1" if it has none.
    text
        Its definition, with source.
    undefined
        Why it is undefined, if it is.
    """

    label: str
    units: str
    text: str
    undefined: str = ""


#: The numbers of a layer, by their names in files, in the order of the tables.
DEFINITIONS: dict[str, Definition] = {
    name: Definition(**fields)
    for name, fields in tomllib.loads(
        Path(__file__).resolve().with_name("definitions.toml").read_text(encoding="utf-8")
    ).items()
}


def anchor(name: str) -> str:
    """Return the HTML id of a number's definition."""
    return f"definition-{name.replace('_', '-')}"


Rows = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Table:
    """A caption, the headings of the columns, and rows of formatted cells.

    Attributes
    ----------
    anchors
        The HTML ids of definitions, by the headings of rows.
    notes
        Paragraphs below the table in a report.
    footnotes
        Sentences below it in a terminal, which shows no notes.
    texts
        The columns, other than the first, that hold words and not numbers.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    anchors: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    def transposed(self) -> Table:
        """Return the table with its columns as rows, under the cells of its first column."""
        (corner, *headings), *rows = zip(self.columns, *self.rows, strict=True)
        return Table(self.caption, (corner, *headings), tuple(rows))


def as_table(caption: str, data: Rows | xr.Dataset) -> Table:
    """Format rows, or a one-dimensional dataset, as a table.

    Parameters
    ----------
    data
        One mapping per row, from heading to value, where a missing value leaves the cell empty; or
        a dataset along one dimension, whose variables become columns under their long_name and
        units.
    """
    rows = _rows_of(data) if isinstance(data, xr.Dataset) else data
    columns = tuple(dict.fromkeys(heading for row in rows for heading in row))
    cells = tuple(
        tuple(format_value(row[column]) if column in row else "" for column in columns)
        for row in rows
    )
    return Table(caption, columns, cells)


def format_value(value: object) -> str:
    """Format a number to three digits, an integer in full, and an undefined value as a dash."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}"
    if not isinstance(value, (float, np.floating)):
        return "–" if value is None else str(value)
    number = float(value)
    if not math.isfinite(number):
        return "–" if math.isnan(number) else f"{number}"
    if number == 0:
        return "0"
    exponent = math.floor(math.log10(abs(number)))
    return f"{number:,.{max(0, 2 - exponent)}f}" if -4 <= exponent < 6 else f"{number:.2e}"


def _rows_of(data: xr.Dataset) -> Rows:
    if len(data.sizes) != 1:
        raise ResultError(
            "the dataset does not fit a table", expected="one dimension",
            found=f"({', '.join(map(str, data.sizes))})",
        )  # fmt: skip
    (dim,) = data.sizes
    columns = {}
    for array in data.data_vars.values():
        text, units = array.attrs.get("long_name", array.name), array.attrs.get("units", "1")
        columns[f"{text}" if units == "1" else f"{text} ({units})"] = array.to_numpy()
    return [
        {str(dim): str(label), **{heading: column[i] for heading, column in columns.items()}}
        for i, label in enumerate(data[dim].to_numpy())
    ]
