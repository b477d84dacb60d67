"""Command ``bioae analyze``: measure results, and write the report."""

from __future__ import annotations

import json as json_format
from pathlib import Path

from bioae.cli.options import Json


def analyze(
    results: list[Path], /, *, out: Path, json: Json = False, overwrite: bool = False
) -> int:
    """Measure firing and reconstruction in one or more results, and write a report.

    Writes report.html, statistics.nc, statistics.json, tables/ and figures/ into a folder. The
    first result is compared with each other one, spike by spike and neuron by neuron.

    Parameters
    ----------
    results
        Results of `bioae simulate`.
    out
        The folder to write to.
    overwrite
        Replace an earlier analysis.
    """
    from rich.console import Console

    from bioae.analysis.report.pipeline import analyze_results
    from bioae.analysis.report.tables import measure_tables
    from bioae.cli.tables import print_table

    measures, numbers = analyze_results(results, out, overwrite=overwrite)
    if json:
        print(json_format.dumps(numbers, allow_nan=False))
        return 0
    console = Console()
    for table in measure_tables(measures):
        print_table(table, console)
    for line in (*measures.left_out(), *measures.not_compared()):
        console.print(line, markup=False)
    # A path stays on one line, so that it can be copied.
    console.print(f"Report: {numbers['report']}", markup=False, soft_wrap=True)
    return 0
