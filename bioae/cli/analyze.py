"""``bioae analyze``: measure results, and write the report."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from bioae.analysis.tables import Table

__all__ = ["analyze"]


def analyze(
    results: list[Path], /, *, out: Path, json: bool = False, overwrite: bool = False
) -> int:
    """Measure how the networks of one or more results fire, and how well they reconstruct.

    Writes report.html, summary.json and figures/ into a folder. The spikes of the first result
    are compared with those of each other one.

    Parameters
    ----------
    results
        Results of `bioae simulate`.
    out
        The folder to write to.
    json
        Print the numbers as one JSON object.
    overwrite
        Replace an earlier report, summary and figures.
    """
    from rich.console import Console

    from bioae.analysis.pipeline import analyze_files

    with Console(stderr=True).status("Analysing"):
        measures, numbers = analyze_files(results, out, overwrite=overwrite)
    if json:
        print(json_format.dumps(numbers, allow_nan=False))
        return 0
    console = Console()
    for table in measures.tables():
        console.print(_rich(table, console), crop=False)
    for line in measures.not_compared():
        console.print(line, markup=False)
    # Paths are printed whole, for people copy them.
    console.print(f"Report: {numbers['report']}", markup=False, soft_wrap=True)
    return 0


def _rich(table: Table, console: Console) -> RichTable:
    """Return a table as wide as it is, for in a narrow terminal a cut number would be a lie."""
    from rich.box import SIMPLE_HEAD
    from rich.measure import Measurement
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.caption, title_justify="left", box=SIMPLE_HEAD)
    for place, heading in enumerate(table.columns):
        lines = Text(fill(heading, 12))
        drawn.add_column(lines, justify="right" if place else "left", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    unlimited = console.options.update(max_width=10_000)
    drawn.width = Measurement.get(console, unlimited, drawn).maximum
    return drawn
