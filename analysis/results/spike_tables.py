"""Tables of spike times as results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from warnings import catch_warnings

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import duration_s
from bioae.analysis.results.monitors import DT_S, from_monitors, length_ms
from bioae.checks import whole
from bioae.errors import ResultError, shortened
from bioae.inputs import as_path

#: Other names of columns.
_NAMES = {
    "unit": "neuron", "unit_id": "neuron", "cell": "neuron", "spike_time": "time", "time_s": "time",
    "spike_time_s": "time", "time (s)": "time", "time (ms)": "time_ms", "layer": "population",
}  # fmt: skip

#: Mean rates below this are doubted.
_LEAST_HZ = 0.02
_EXPECTED = "a first line with neuron, time (in s) or time_ms, and perhaps trial and population"


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
    the start of the recording or of the trial; and perhaps ``trial`` and ``population``. A column
    ``example`` in place of ``trial`` has numbers with gaps, as `to_csv` writes them; an
    ``examples.csv`` in the same folder has those without spikes.

    Parameters
    ----------
    duration
        As for `from_monitors`; by default up to the last spike, in whole milliseconds and
        whole steps. The attribute `source` of the result has it.
    trials, dt, neurons
        As for `from_monitors`.
    """
    path = as_path(path, ResultError, "table of spikes")
    table = _read(path)
    examples = "example" in table and "trial" not in table
    table = table.rename(columns={"example": "trial"}) if examples else table
    numbers = _numbers(table, path)
    count = 1 if trials is None else whole(trials, "trials", least=1, error=ResultError)
    own = _examples(path, numbers["trial"]) if examples else ()
    known = own if len(own) and trials in (None, len(own)) else trials
    until = " (up to the last spike)" if duration is None else ""
    if duration is None:
        end = max(float(numbers["time"].max()), 0) / (1 if "trial" in numbers else count)
        step = length_ms(DT_S if dt is None else dt, "dt")
        steps = np.ceil((np.floor(end * 1e3 + 1e-6) + 1) / step - 1e-6)
        duration = float(steps * step) / 1e3
    population = table.get("population", pd.Series("neurons", table.index)).astype(str)
    groups = numbers.groupby(population, sort=False)
    spikes = {name: tuple(rows[each].to_numpy() for each in rows) for name, rows in groups}
    try:
        tree = from_monitors(spikes, duration=duration, trials=known, dt=dt, neurons=neurons)
    except ResultError as error:
        raise error.at(f"{path}, {error.where}" if error.where else str(path)) from None
    layers = tree["layers"].children.values()
    sizes = ", ".join(f"{node.sizes['neuron']} {name}" for name, node in tree["layers"].items())
    neurons_in_all = sum(node.sizes["neuron"] for node in layers)
    trials = tree.sizes["example"]
    rate = len(table) / (duration_s(tree) * trials * neurons_in_all)
    doubt = "time" in table and rate < _LEAST_HZ
    tree.attrs["source"] = (
        f"{path.name}: {len(table):,} spikes of {sizes}; trials: {trials}, "
        f"of {duration_s(tree):g} s{until}"
        + (f"; {rate:.2g} Hz: are times in ms (time_ms)?" if doubt else "")
    )
    return tree


def _examples(path: Path, numbers: pd.Series) -> NDArray[np.int64]:
    """Return the numbers of examples: those of their own table, or those with spikes."""
    others, own = path.with_name("examples.csv"), np.unique(numbers.to_numpy())
    table = _read(others) if others.is_file() else pd.DataFrame()
    every = pd.to_numeric(table.get("example", pd.Series(dtype=float)), errors="coerce")
    belongs = np.isin(own, every).all() and (every % 1 == 0).all()
    return np.unique(every.to_numpy(np.int64)) if belongs else own


def _read(path: Path) -> pd.DataFrame:
    """Return a table with the names of its columns in lower case."""
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
    return table.rename(columns=_NAMES)


def _numbers(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return neuron, time in seconds and perhaps trial of each spike."""
    columns = [name for name in ("neuron", "time", "time_ms", "trial") if name in table]
    times = [name for name in columns if name.startswith("time")]
    fits = "neuron" in columns and len(times) == 1 and not table.columns.has_duplicates
    if not fits or table.empty:
        found = shortened(", ".join(table)) if len(table) else "no row below it"
        raise ResultError("not a table of spikes", where=str(path), expected=_EXPECTED, found=found)
    numbers = table[columns].apply(pd.to_numeric, errors="coerce")
    values, integers = numbers.to_numpy(float), ~numbers.columns.isin(times)
    fraction = (values != np.rint(values)) | (abs(values) > 2**53)
    unnamed = table.get("population", pd.Series("", table.index)).isna()
    wrong = np.argwhere(np.column_stack([~np.isfinite(values) | (integers & fraction), unnamed]))
    if wrong.size:
        row, name = wrong[0][0], [*columns, "population"][wrong[0][1]]
        raise ResultError(
            f"the {name} does not fit", where=f"{path}, row {row + 1}",
            expected={"population": "a name", times[0]: "a number"}.get(name, "a whole number"),
            found=str(table[name].iloc[row]),
        )  # fmt: skip
    if times == ["time_ms"]:
        numbers["time_ms"] = 1e-3 * numbers["time_ms"]
    names = dict.fromkeys(numbers.columns[integers], np.int64)
    return numbers.astype(names).rename(columns={"time_ms": "time"})
