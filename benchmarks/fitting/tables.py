"""Tables of the page: medians over the seeds, with the lowest and the highest value."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.stored import DOCS_RESULTS
from bioae.files import write_text

Row = Mapping[str, Any]

#: The target of the traces, in mV²: 1 % above the best error of any method.
TARGET = 1.005
_NEAR = 1.01


def write_tables(rows: Sequence[Row]) -> None:
    """Write the tables of potentials, of the cortical cell and of the receptor."""
    for name, table in (("traces", _traces), ("cortical", _spikes), ("receptor", _spikes)):
        own = [row for row in rows if row["case"].startswith(name)]
        if own:
            write_text(DOCS_RESULTS / f"fitting_{name}-table.inc", table(own), overwrite=True)


def _traces(rows: Sequence[Row]) -> str:
    return _table(
        rows,
        {
            "error in mV²": lambda row: row["error"],
            "starts within 1 %": _ends,
            "processor s": lambda row: round(row["processor_seconds"], 2),
            f"s to {TARGET} mV²": lambda row: round(seconds_to(row, TARGET), 2),
            "compilation, s": lambda row: round(row["compile_processor_seconds"], 1),
        },
    )


def _spikes(rows: Sequence[Row]) -> str:
    names = sorted({name for row in rows for name in _scores(row)})
    columns = {name.replace("gamma", "Γ"): partial(_score, name=name) for name in names}
    columns["processor s"] = lambda row: round(row["processor_seconds"], 2)
    columns["compilation, s"] = lambda row: round(row["compile_processor_seconds"], 1)
    return _table(rows, columns)


def _scores(row: Row) -> dict[str, float]:
    return {**row["scores"], **row.get("held_out", {})}


def _score(row: Row, name: str) -> float:
    return round(_scores(row).get(name, math.nan), 3)


def seconds_to(row: Row, target: float) -> float:
    """Return the processor time until the error reached a target; infinite if it did not."""
    return next((seconds for seconds, error in row["curve"] if error <= target), math.inf)


def _ends(row: Row) -> float:
    ends = row.get("ends", ())
    return sum(end <= _NEAR * row["error"] for end in ends) if ends else math.nan


def _table(rows: Iterable[Row], columns: Mapping[str, Callable[[Row], float]]) -> str:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["case"], row["method"]), []).append(row)
    lines = [
        f"| case | method | seeds | {' | '.join(columns)} |",
        "| --- | --- |" + " ---: |" * (len(columns) + 1),
    ]
    for (case, method), own in sorted(groups.items()):
        cells = [_cell([column(row) for row in own]) for column in columns.values()]
        lines.append(f"| {case} | {method} | {len(own)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return ""
    middle, low, high = (f"{f(known):.5g}" for f in (statistics.median, min, max))
    text = middle if low == high else f"{middle} ({low} to {high})"
    return text.replace("inf", "never")
