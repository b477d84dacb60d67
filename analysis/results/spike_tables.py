"""Tables of spike times as results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import xarray as xr

from bioae.analysis.results.layers import duration_s
from bioae.analysis.results.monitors import from_monitors
from bioae.errors import ResultError, shortened
from bioae.inputs import check_input

#: The suffixes of files that are tables.
SUFFIXES = (".csv", ".tsv")
_EXPECTED = "a first line with neuron, time (in seconds), and perhaps trial and population"


def read_spikes(
    path: Path | str,
    *,
    duration: Any = None,
    trials: int | None = None,
    dt: Any = None,
    neurons: int | Mapping[str, int] | None = None,
) -> xr.DataTree:
    """Read a table with a row per spike, separated by commas, semicolons or tabs, as a result.

    Its first line names the columns: ``neuron``, from 0; ``time`` in seconds, or ``time_ms``, since
    the start of the recording or of the trial; and perhaps ``trial`` and ``population``.

    Parameters
    ----------
    duration
        As for `from_monitors`; by default up to the last spike, in whole milliseconds. The
        attribute `source` of the result has it.
    trials, dt, neurons
        As for `from_monitors`.
    """
    path = check_input(path, ResultError, "table of spikes")
    table = _read(path)
    numbers = _numbers(table, path)
    end = max(numbers["time"].max(), 0) / (1 if "trial" in numbers else trials or 1)
    length = (np.floor(end * 1e3 + 1e-6) + 1) / 1e3 if duration is None else duration
    population = table.get("population", pd.Series("neurons", table.index)).fillna("").astype(str)
    groups = numbers.groupby(population, sort=False)
    spikes = {name: tuple(rows[each].to_numpy() for each in rows) for name, rows in groups}
    try:
        tree = from_monitors(spikes, duration=length, trials=trials, dt=dt, neurons=neurons)
    except ResultError as error:
        where = f"{path}, {error.where}" if error.where else str(path)
        parts = {"expected": error.expected, "found": error.found, "hint": error.hint}
        raise ResultError(error.what, where=where, **parts) from None
    until = " (up to the last spike)" if duration is None else ""
    tree.attrs["source"] = (
        f"{path.name}: {len(table):,} spikes; trials: {tree.sizes['example']}, of "
        f"{duration_s(tree):g} s{until}; steps: {tree.attrs['dt_ms']:g} ms"
    )
    return tree


def _read(path: Path) -> pd.DataFrame:
    """Return a table with the names of its columns, in small letters."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            separator = max(",;\t", key=file.readline().count)
        with catch_warnings(action="error"):  # of rows that are longer than the first line
            table = pd.read_csv(path, sep=separator, index_col=False, low_memory=False)
    except (OSError, ValueError, Warning) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise ResultError(
            "the table cannot be read", where=str(path), expected=_EXPECTED, found=found
        ) from None
    table.columns = [str(name).strip().lower() for name in table]
    if "time_ms" in table:
        table["time"] = 1e-3 * pd.to_numeric(table.pop("time_ms"), errors="coerce")
    return table.rename(columns={"example": "trial", "layer": "population"})


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return neuron, time in seconds and perhaps trial of each spike."""
    columns = [name for name in ("neuron", "time", "trial") if name in table]
    if columns[:2] != ["neuron", "time"] or table.empty or table.columns.has_duplicates:
        found = shortened(", ".join(table)) if len(table) else "no row below it"
        raise ResultError("not a table of spikes", where=str(path), expected=_EXPECTED, found=found)
    numbers = table[columns].apply(pd.to_numeric, errors="coerce")
    whole = numbers.columns != "time"
    wrong = np.argwhere(~np.isfinite(numbers.to_numpy(float)) | (whole & (numbers % 1 != 0)))
    if wrong.size:
        row, column = wrong[0]
        raise ResultError(
            f"the {columns[column]} does not fit", where=f"{path}, row {row + 1}",
            expected="a whole number" if whole[column] else "a number",
            found=str(table[columns].iloc[row, column]),
        )  # fmt: skip
    return numbers.astype(dict.fromkeys(numbers.columns[whole], np.int64))
