"""Command ``bioae analyze``: measure results, and write the report."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Any

from bioae.cli.options import Json, Positive, Several, check_effect


def analyze(
    results: list[Path],
    /,
    *,
    out: Path,
    layers: Several = (),
    start: float | None = None,
    stop: float | None = None,
    duration: float | None = None,
    dt: float | None = None,
    neurons: Positive | None = None,
    trials: Positive | None = None,
    json: Json = False,
    overwrite: bool = False,
) -> int:
    """Measure firing and reconstruction in one or more results, and write a report.

    Writes report.html, statistics.nc, statistics.json, tables/ and figures/ into a folder. The
    first result is compared with each other one, spike by spike and neuron by neuron.

    Parameters
    ----------
    results
        Results of `bioae simulate`, or tables of spikes (.csv): a first line with neuron, time (in
        seconds) or time_ms, and perhaps trial and population.
    layers
        The layers or populations to measure, such as latent,output; all by default.
    start
        The time in each presentation or trial from which on to measure, in seconds, to leave out
        the onset of responses.
    stop
        The time up to which to measure, in seconds.
    duration
        Of tables of spikes: length of the recording, or of one trial, in seconds; by default up to
        the last spike.
    dt
        Of tables of spikes: length of a step in seconds, 0.0001 by default.
    neurons
        Of tables of spikes: number of neurons of each population; by default up to the last one
        that spikes.
    trials
        Of tables of spikes: number of trials, into which a recording without any is cut.
    out
        The folder to write to.
    overwrite
        Replace an earlier analysis.
    """
    from rich.console import Console

    from bioae.analysis.report.pipeline import analyze_results
    from bioae.analysis.report.sources import is_table, named_sources
    from bioae.analysis.report.tables import measure_tables
    from bioae.analysis.results.spike_tables import read_spikes
    from bioae.analysis.results.windows import time_slice
    from bioae.cli.tables import print_table

    options: dict[str, Any] = {"duration": duration, "dt": dt, "neurons": neurons, "trials": trials}
    if not any(map(is_table, results)):
        check_effect("no result is a table of spikes", **options)
    sources = named_sources(results)
    sources |= {n: read_spikes(each, **options) for n, each in sources.items() if is_table(each)}
    if start is not None or stop is not None:
        window = (start or 0.0) * 1000, None if stop is None else stop * 1000
        sources = {name: time_slice(each, *window) for name, each in sources.items()}
    measures, numbers = analyze_results(sources, out, layers=layers, overwrite=overwrite)
    if json:
        print(json_format.dumps(numbers, allow_nan=False))
        return 0
    console = Console()
    for table in measure_tables(measures):
        print_table(table, console)
    for line in measures.notes():
        console.print(line, markup=False)
    # A path stays on one line, so that it can be copied.
    console.print(f"Report: {numbers['report']}", markup=False, soft_wrap=True)
    return 0
