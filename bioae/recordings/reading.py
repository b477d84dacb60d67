"""Readers of recordings, each of which returns the arguments of `bioae.Recording`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from brian2 import TimedArray, amp, have_same_dimensions, second, volt
from brian2.units.fundamentalunits import Quantity
from numpy.typing import NDArray

from bioae.checks import one_of
from bioae.equations.quantities import evaluate, time_in_seconds
from bioae.errors import DataError, shortened
from bioae.extras import needs

Arguments = dict[str, Any]
Names = str | Sequence[str] | None

#: Names of the columns of a table, in lower case and without units.
_COLUMNS = {
    "time": ("time", "t"), "input": ("input", "current", "stimulus", "i"), "trial": ("trial",),
    "voltage": ("voltage", "potential", "v"), "spikes": ("spikes", "spike"),
}  # fmt: skip
#: Names of units in files that Brian2 does not have.
_UNITS = {
    "": "1", "dimensionless": "1", "A": "amp", "amperes": "amp", "V": "volt", "volts": "volt",
    "S": "siemens", "s": "second", "seconds": "second",
}  # fmt: skip
#: Suffixes of files that Neo reads without executing anything in them.
_NEO = (".abf", ".axgd", ".axgx", ".ibw", ".nix", ".pxp", ".smr", ".smrx", ".wcp")


class Series(NamedTuple):
    """Samples (time) of one channel in a unit; their start and time step are in seconds."""

    name: str
    samples: Any
    unit: str
    start: float
    dt: float
    factor: float = 1.0
    offset: float = 0.0

    def is_in(self, unit: Quantity) -> bool:
        """Return whether this is a known unit of the same dimensions."""
        try:
            return bool(have_same_dimensions(_unit(self.unit, self.name), unit))
        except DataError:
            return False

    def values(self) -> Quantity:
        """Read the samples."""
        numbers = np.asarray(self.samples, np.float64) * self.factor + self.offset
        return numbers * _unit(self.unit, self.name)


def from_table(
    path: Path, *, dt: Any = None, units: Mapping[str, str] | None = None, **columns: str
) -> Arguments:
    """Read a table with a row per time step; `columns` and `units` are by part of a recording."""
    import pandas as pd  # type: ignore[import-untyped, unused-ignore]

    units = units or {}
    for part in (*columns, *units):
        one_of(part, "the name of a part", [*_COLUMNS], error=DataError)
    try:
        with path.open(encoding="utf-8-sig") as file:
            separator = max(",;\t", key=file.readline().count)
        table = pd.read_csv(path, sep=separator, skipinitialspace=True, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    parts = {}
    for part, known in _COLUMNS.items():
        column, unit = _column([*map(str, table)], columns.get(part), known)
        if column is not None and part == "trial":
            parts[part] = pd.factorize(table[column])[0]
        elif column is not None:
            values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
            parts[part] = values * _unit(units.get(part, unit), f"{path}, {column}")
        elif columns.get(part) or part == "input":
            raise DataError(
                f"there is no column of {part}", where=str(path),
                expected=columns.get(part) or " or ".join(known),
                found=shortened(", ".join(map(str, table))),
            )  # fmt: skip
    trial = parts.get("trial", np.zeros(len(table)))
    rows = [np.flatnonzero(trial == each) for each in np.unique(trial)]
    if len({*map(len, rows)}) != 1:
        raise DataError("trials differ in length", where=str(path), found=str([*map(len, rows)]))
    cut = {part: values[np.stack(rows)] for part, values in parts.items()}
    where, fired = f"{path}, dt", cut.get("spikes")
    step = _step(cut.get("time"), path) if dt is None else time_in_seconds(dt, where=where)
    spikes = None if fired is None else [np.flatnonzero(row) * step for row in fired > 0]
    return {
        "input": cut["input"], "voltage": cut.get("voltage"), "spikes": spikes, "dt": step * second
    }  # fmt: skip


def _column(names: Sequence[str], wanted: str | None, known: Sequence[str]) -> tuple[Any, str]:
    """Return the column that is wanted or known, and the unit in brackets after its name."""
    for column in names:
        name, unit = re.fullmatch(r"(.*?)\s*(?:[(\[](.*)[)\]])?\s*", column).groups()  # type: ignore[union-attr]
        if wanted in (column, name) or (wanted is None and name.lower() in known):
            return column, unit or ""
    return None, ""


def _step(times: Quantity | None, path: Path) -> float:
    """Return the step of times (trial, time) in seconds; digits in a table have rounded them."""
    steps = np.diff(np.asarray([[0.0]] if times is None else times))
    mean = steps.mean() if steps.size else 0.0
    if times is None or not have_same_dimensions(times, second) or not mean > 0:
        raise DataError(
            "the time step is not known", where=str(path), expected="a column such as 'time (ms)'",
            found="no column of times" if times is None else "times without a unit of time",
            hint="Give dt, such as dt='0.1*ms', or the unit of times, such as ms",
        )  # fmt: skip
    usual = float(np.median(steps))
    if (wrong := np.abs(steps - usual) > 0.1 * usual).any():
        place = tuple(np.argwhere(wrong)[0])
        raise DataError(
            "the time steps differ", where=f"{path}, row {place[-1] + 2}", expected=f"{usual:g} s",
            found=f"{steps[place]:g} s",
            hint="A column 'trial' numbers trials" if steps[place] < 0 else None,
        )  # fmt: skip
    return float(f"{mean:.6g}")


def from_neo(source: Any, input: Names, voltage: Names, spikes: str | None) -> Arguments:  # noqa: A002
    """Return the segments of a block of Neo as trials, or one segment."""
    inputs, voltages, trains = [], [], []
    for segment in getattr(source, "segments", [source]):
        series = [each for signal in segment.analogsignals for each in _channels(signal)]
        inputs += _chosen(series, input, amp)
        voltages += _chosen(series, voltage, volt)
        own = [each for each in segment.spiketrains if spikes in (None, each.name)]
        if len(own) > 1:
            names = ", ".join(str(each.name) for each in own)
            raise DataError("there are several spike trains", where="spikes", found=names)
        trains.append(np.concatenate([np.zeros(0), *(each.rescale("s").magnitude for each in own)]))
    return _trials(inputs, voltages, trains if any(map(len, trains)) else [])


def read_neo(path: Path) -> Any:
    """Read the block of a file in a format of intracellular recordings that Neo reads."""
    if path.suffix.lower() not in _NEO:
        raise DataError(
            "the format is not known", where=str(path), found=path.suffix or "no suffix",
            expected=f".csv, .tsv, .txt, .nwb or {', '.join(_NEO)}",
            hint="Read it with Neo, and give the block to bioae.Recording.from_neo",
        )  # fmt: skip
    neo = needs("neo", "neo")
    try:
        return neo.io.get_io(str(path)).read_block()
    except Exception as error:  # of any of its many readers
        raise _unreadable(path, error) from error


def _channels(signal: Any) -> Iterator[Series]:
    """Yield the channels of an analog signal of Neo; of several, with their numbers."""
    start, dt = (float(each.rescale("s")) for each in (signal.t_start, signal.sampling_period))
    for channel, samples in enumerate(np.asarray(signal.magnitude).T):
        number = f"[{channel}]" if signal.shape[1] > 1 else ""
        unit = signal.dimensionality.string
        yield Series(f"{signal.name}{number}", samples, unit, start, dt)


def from_nwb(
    path: Path, input: Names = None, voltage: Names = None, spikes: int | None = None  # noqa: A002
) -> Arguments:  # fmt: skip
    """Read pairs of stimulus and response of an NWB file as trials, in the order of time."""
    try:
        with h5py.File(path) as file:
            stimuli = _chosen(_series(file, "stimulus/presentation"), input, amp)
            responses = _chosen(_series(file, "acquisition"), voltage, volt)
            times = _times(file, spikes) if "units" in file else None
            bounds = [(each.start, each.start + len(each.samples) * each.dt) for each in stimuli]
            cut = [] if times is None else [times[(times >= a) & (times < b)] for a, b in bounds]
            return _trials(stimuli, responses, cut)
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise _unreadable(path, error) from error


def _times(file: h5py.File, row: int | None) -> NDArray[np.float64]:
    """Return the spike times of a row of the table of units, by default of the only one."""
    ends = file["units/spike_times_index"][()]
    if len(ends) > 1 and row is None:
        raise DataError(
            "there are several units", where=f"{file.filename}, spikes",
            found=f"{len(ends)}, from 0", hint="Choose one, as in spikes=0",
        )  # fmt: skip
    return np.asarray(np.split(file["units/spike_times"][()], ends[:-1])[row or 0], np.float64)


def _series(file: h5py.File, group: str) -> list[Series]:
    """Return the time series of one channel in a group, in the order of time; nothing is read."""
    found = []
    for name, item in file.get(group, {}).items():
        external = isinstance(file[group].get(name, getlink=True), h5py.ExternalLink)
        if external or not isinstance(item, h5py.Group) or "data" not in item:
            continue
        data, known = item["data"], item["data"].attrs
        if "starting_time" in item:
            start, dt = item["starting_time"][()], 1 / item["starting_time"].attrs["rate"]
        else:
            start, last = item["timestamps"][0], item["timestamps"][-1]
            dt = (last - start) / max(len(data) - 1, 1)
        scale = float(known.get("conversion", 1.0)), float(known.get("offset", 0.0))
        if data.ndim == 1:
            unit = str(known.get("unit", ""))
            found.append(Series(name, data, unit, float(start), float(dt), *scale))
    return sorted(found, key=lambda series: series.start)


def _chosen(series: Sequence[Series], names: Names, unit: Quantity) -> list[Series]:
    """Return the series of some names; by default those with a unit."""
    if names is None:
        return [each for each in series if each.is_in(unit)]
    wanted = [names] if isinstance(names, str) else names
    missing = {*wanted} - {each.name for each in series}
    if missing:
        known = ", ".join(each.name for each in series)
        raise DataError("there is no such series", expected=f"one of {known}", found=min(missing))
    return [each for each in series if each.name in wanted]


def _trials(inputs: list[Series], voltages: list[Series], trains: list[NDArray[Any]]) -> Arguments:
    """Return pairs of input and potential, and spike trains in a session's time, as trials."""
    for part, found in (("input", inputs), ("voltage", voltages)):
        kinds = {(len(each.samples), each.dt) for each in found}
        pairs = list(zip(inputs, found, strict=False))
        apart = any(abs(a.start - b.start) > a.dt * (1 + 1e-9) for a, b in pairs)
        if not inputs or len(kinds) > 1 or apart or (found and len(found) != len(inputs)):
            names = ", ".join(f"{each.name} ({len(each.samples)})" for each in found)
            raise DataError(
                f"the series of {part} do not fit", where=part, hint=f"Choose {part} by name",
                expected="one per trial, of one length and step, that begin with the input",
                found=shortened(names, 200) or "none",
            )  # fmt: skip
    return {
        "input": [each.values() for each in inputs], "dt": inputs[0].dt * second,
        "voltage": [each.values() for each in voltages] or None,
        "voltage_dt": voltages[0].dt * second if voltages else None,
        "spikes": [t - each.start for t, each in zip(trains, inputs, strict=False)] or None,
    }  # fmt: skip


def from_monitors(input: Any, states: Any, spikes: Any, voltage: str | None) -> Arguments:  # noqa: A002
    """Return what monitors of Brian2 recorded; each neuron is a trial."""
    monitor = spikes if states is None else states
    if monitor is None:
        raise DataError("there is no monitor", expected="states, spikes or both")
    step, variables = float(monitor.clock.dt), getattr(states, "record_variables", ())
    for name in (input, voltage):
        if isinstance(name, str):
            one_of(name, "the variable", [*variables], error=DataError)
    neurons = np.arange(len(spikes.source)) if states is None else np.asarray(states.record)
    start = 0 * second if states is None else states.t[0]
    if isinstance(input, str):
        input = getattr(states, input)  # noqa: A001
    elif isinstance(input, TimedArray):
        own = len(input.values) * float(input.dt) / step
        times = start + np.arange(round(own) if states is None else len(states.t)) * step * second
        input = input(times) if np.ndim(input.values) == 1 else input(times[:, None], neurons).T  # noqa: A001
    voltage = voltage or ("v" if "v" in variables else None)
    trains = None if spikes is None else [spikes.spike_trains()[neuron] for neuron in neurons]
    return {
        "input": input, "dt": step * second,
        "voltage": None if voltage is None else getattr(states, voltage),
        "spikes": None if trains is None else [(t - start)[t >= start] for t in trains],
    }  # fmt: skip


def _unit(text: str, where: str) -> Quantity:
    text = text.strip().replace("µ", "u")
    return evaluate(f"1*({_UNITS.get(text, text)})", where=where, error=DataError)


def _unreadable(path: Path, error: Exception) -> DataError:
    found = getattr(error, "strerror", None) or str(error)
    return DataError("the recording cannot be read", where=str(path), found=found)
