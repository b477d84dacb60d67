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
from bioae.equations.quantities import evaluate
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
    """Samples (time) of one channel; the time of the first and the time step are in seconds."""

    name: str
    values: Quantity
    start: float
    dt: float


def from_table(
    path: Path, dt: Any, columns: Mapping[str, Any], units: Mapping[str, str]
) -> Arguments:
    """Read a table with a row per time step; `columns` and `units` are by part of a recording."""
    import pandas as pd  # type: ignore[import-untyped, unused-ignore]

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
        if column is not None:
            values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
            parts[part] = values * _unit(units.get(part, unit), f"{path}, {column}")
        elif columns.get(part) or part == "input":
            raise DataError(
                f"there is no column of {part}", where=str(path),
                expected=columns.get(part) or " or ".join(known),
                found=shortened(", ".join(map(str, table))),
            )  # fmt: skip
    trial = np.asarray(parts.get("trial", np.zeros(len(table))))
    rows = [np.flatnonzero(trial == each) for each in np.unique(trial)]
    if len({*map(len, rows)}) != 1:
        raise DataError("trials differ in length", where=str(path), found=str([*map(len, rows)]))
    cut = {part: values[np.stack(rows)] for part, values in parts.items()}
    dt = _step(cut.get("time"), path) if dt is None else dt
    fired = cut.get("spikes")
    spikes = None if fired is None else [np.flatnonzero(row > 0) * dt for row in np.asarray(fired)]
    return {"input": cut["input"], "voltage": cut.get("voltage"), "spikes": spikes, "dt": dt}


def _column(names: Sequence[str], wanted: str | None, known: Sequence[str]) -> tuple[Any, str]:
    """Return the column that is wanted or known, and the unit in brackets after its name."""
    for column in names:
        name, unit = re.fullmatch(r"(.*?)\s*(?:[(\[](.*)[)\]])?\s*", column).groups()  # type: ignore[union-attr]
        if wanted in (column, name) or (wanted is None and name.lower() in known):
            return column, unit or ""
    return None, ""


def _step(times: Quantity | None, path: Path) -> Quantity:
    """Return the step of times (trial, time), which digits in a table have rounded."""
    steps = np.diff(np.asarray([[0.0]] if times is None else times))
    mean = steps.mean() if steps.size else 0.0
    if times is None or not have_same_dimensions(times, second) or not mean > 0:
        raise DataError(
            "the time step is not known", where=str(path), expected="a column such as 'time (ms)'",
            hint="Give dt, such as dt='0.1*ms'",
        )  # fmt: skip
    if np.abs(steps - mean).max() > 0.1 * mean:
        raise DataError("the time steps differ", where=str(path), expected=f"{mean:g} s")
    return float(f"{mean:.6g}") * second


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
        trains.append(np.asarray(own[0].rescale("s").magnitude) if own else None)
    known = any(train is not None for train in trains)
    silent = np.zeros(0)
    return _trials(inputs, voltages, [silent if t is None else t for t in trains] if known else [])


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
    unit = _unit(signal.dimensionality.string, "neo")
    start, dt = (float(each.rescale("s")) for each in (signal.t_start, signal.sampling_period))
    for channel, values in enumerate(np.asarray(signal.magnitude, float).T):
        number = f"[{channel}]" if signal.shape[1] > 1 else ""
        yield Series(f"{signal.name}{number}", values * unit, start, dt)


def from_nwb(path: Path, input: Names, voltage: Names, spikes: int | None) -> Arguments:  # noqa: A002
    """Read pairs of stimulus and response of an NWB file as trials, in the order of time."""
    try:
        with h5py.File(path) as file:
            stimuli = _chosen([*_series(file, "stimulus/presentation")], input, amp)
            responses = _chosen([*_series(file, "acquisition")], voltage, volt)
            trains = []
            if "units" in file:
                ends = file["units/spike_times_index"][()]
                if len(ends) > 1 and spikes is None:
                    found = f"units 0 to {len(ends) - 1}"
                    raise DataError("there are several units", where=f"{path}, spikes", found=found)
                times = np.split(file["units/spike_times"][()], ends[:-1])[spikes or 0]
                bounds = [(s.start, s.start + len(s.values) * s.dt) for s in stimuli]
                trains = [times[(times >= a) & (times < b)] for a, b in bounds]
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise _unreadable(path, error) from error
    return _trials(stimuli, responses, trains)


def _series(file: h5py.File, group: str) -> Iterator[Series]:
    """Yield the time series of one channel in a group, in the order of time."""
    found = []
    for name, item in file.get(group, {}).items():
        external = isinstance(file[group].get(name, getlink=True), h5py.ExternalLink)
        if external or "data" not in item or item["data"].ndim != 1:
            continue
        data, attributes = item["data"], item["data"].attrs
        if "starting_time" in item:
            start, dt = item["starting_time"][()], 1 / item["starting_time"].attrs["rate"]
        else:
            start, dt = item["timestamps"][0], np.diff(item["timestamps"][()]).mean()
        numbers = data[()] * attributes.get("conversion", 1.0) + attributes.get("offset", 0.0)
        unit = _unit(str(attributes.get("unit", "")), f"{file.filename}, {name}")
        found.append(Series(name, numbers * unit, float(start), float(dt)))
    yield from sorted(found, key=lambda series: series.start)


def _chosen(series: Sequence[Series], names: Names, unit: Quantity) -> list[Series]:
    """Return the series of some names; by default those with a unit."""
    if names is None:
        return [each for each in series if have_same_dimensions(each.values, unit)]
    wanted = [names] if isinstance(names, str) else names
    missing = {*wanted} - {each.name for each in series}
    if missing:
        known = ", ".join(each.name for each in series)
        raise DataError("there is no such series", expected=f"one of {known}", found=min(missing))
    return [each for each in series if each.name in wanted]


def _trials(inputs: list[Series], voltages: list[Series], trains: list[NDArray[Any]]) -> Arguments:
    """Return pairs of input and potential, and spike trains in a session's time, as trials."""
    for part, found in (("input", inputs), ("voltage", voltages)):
        kinds = {(len(each.values), each.dt) for each in found}
        names = shortened(", ".join(f"{each.name} ({len(each.values)})" for each in found), 200)
        counts = {len(inputs)} if part == "input" else {0, len(inputs)}
        if len(found) not in counts or len(kinds) > 1 or not inputs:
            raise DataError(
                f"the series of {part} do not fit", where=part, found=names or "none",
                expected="one per trial, of equal lengths", hint=f"Choose {part} by name",
            )  # fmt: skip
    zipped = zip(trains, inputs, strict=len(trains) > 0)
    return {
        "input": _stacked(inputs), "dt": inputs[0].dt * second,
        "voltage": _stacked(voltages) if voltages else None,
        "voltage_dt": voltages[0].dt * second if voltages else None,
        "spikes": [train - each.start for train, each in zipped] if trains else None,
    }  # fmt: skip


def _stacked(series: Sequence[Series]) -> Quantity:
    return Quantity([np.asarray(each.values) for each in series], dim=series[0].values.dim)


def from_monitors(input: Any, states: Any, spikes: Any, voltage: str) -> Arguments:  # noqa: A002
    """Return what monitors of Brian2 recorded; each neuron is a trial."""
    monitor = spikes if states is None else states
    if monitor is None:
        raise DataError("there is no monitor", expected="states, spikes or both")
    step = float(monitor.clock.dt)
    neurons = np.arange(len(spikes.source)) if states is None else np.asarray(states.record)
    if isinstance(input, str):
        input = getattr(states, input)  # noqa: A001
    elif isinstance(input, TimedArray):
        own = len(input.values) * float(input.dt) / step
        times = np.arange(round(own) if states is None else len(states.t)) * step * second
        input = input(times) if np.ndim(input.values) == 1 else input(times[:, None], neurons).T  # noqa: A001
    trains = None if spikes is None else spikes.spike_trains()
    return {
        "input": input, "dt": step * second,
        "voltage": None if states is None else getattr(states, voltage),
        "spikes": None if trains is None else [trains[neuron] for neuron in neurons],
    }  # fmt: skip


def _unit(text: str, where: str) -> Quantity:
    text = text.strip().replace("µ", "u")
    return evaluate(f"1*({_UNITS.get(text, text)})", where=where, error=DataError)


def _unreadable(path: Path, error: Exception) -> DataError:
    found = getattr(error, "strerror", None) or str(error)
    return DataError("the recording cannot be read", where=str(path), found=found)
