"""Recorded spikes as a result: monitors of Brian2, and arrays of spike times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.analysis.results.arrays import whole_numbers
from bioae.checks import array, number, whole
from bioae.errors import ResultError, shortened
from bioae.simulation.results.root import MOST_STEPS, RECORDING
from bioae.unit_text import unit_name
from bioae.units import has_unit, in_ms

#: The name of a single population, and the length of a step without a clock.
_NAME, DT_S = "neurons", 1e-4
_FORMS = (
    "a SpikeMonitor that records, its spike_trains(), (i, t), (i, t, trial), or a list of each "
    "neuron's times"
)


class _Grid(NamedTuple):
    """Steps, and the numbers of the trials, each of the same number of steps."""

    dt_ms: float
    steps: int
    trials: NDArray[np.int64]


def from_monitors(
    spikes: Any,
    states: Any = None,
    *,
    duration: Any,
    trials: int | ArrayLike | None = None,
    dt: Any = None,
    neurons: int | Mapping[str, int] | None = None,
) -> xr.DataTree:
    """Return recorded spikes as a result, which all functions take as that of a simulation.

    Times are quantities, such as those of Brian2 and Neo, or numbers in seconds. They are rounded
    to the nearest step, at the end to the last one. The trials are the examples of the result, and
    the populations its layers.

    Parameters
    ----------
    spikes
        Of one population, which gets the name ``"neurons"``, or a mapping by population: a
        `SpikeMonitor` of Brian2; the neurons and times ``(i, t)`` of the spikes, or ``(i, t,
        trial)`` with times since the start of the trial; or a list of each neuron's spike times, or
        a mapping by neuron, as `SpikeMonitor.spike_trains` returns it.
    states
        The `StateMonitor` of the population, or a mapping by population, with a value in each step.
        Variables become `state_VAR`, which is NaN for neurons that are not recorded.
    duration
        The length of the recording, or of one trial: with trials=4, a quarter of the recording.
    trials
        The number of trials into which a continuous recording is cut; if spikes have trials, their
        number, from 0, or from 1 if the last one has this number, or an array of their numbers. By
        default one, or all from the first to the last with spikes.
    dt
        The length of a step; by default the shortest of the monitors' clocks, or 0.1 ms.
    neurons
        The number of neurons, perhaps by name; by default that of the source or the list, or up to
        the last that spikes.
    """
    # The format is defined once, by the writer.
    from bioae.simulation.results.chunk import LayerSpikes
    from bioae.simulation.results.tree import build_result

    several = isinstance(spikes, Mapping) and not _are_trains(spikes)
    named = spikes if several else {_NAME: spikes}
    sizes = neurons if isinstance(neurons, Mapping) else dict.fromkeys(named, neurons)
    traced = states if isinstance(states, Mapping) else {[*named, _NAME][0]: states}
    unknown = [name for name in (*sizes, *traced) if name not in named]
    if named and (unknown or (len(named) > 1 and states is not None and traced is not states)):
        expected, found = f"a mapping of {', '.join(map(repr, named))}", repr(unknown or states)
        raise ResultError("populations do not fit", expected=expected, found=shortened(found))
    known = {name: _spikes(str(name), each, sizes.get(name)) for name, each in named.items()}
    clocks = [float(np.asarray(s.clock.dt)) for s in named.values() if hasattr(s, "clock")]
    own = [trial for *_, trial in known.values() if trial is not None]
    if own and len(own) < len(known):
        raise ResultError("trials do not fit", expected="(i, t, trial) of all populations, or none")
    grid = _grid(duration, trials, min(clocks, default=DT_S) if dt is None else dt, own)
    layers = []
    for name, (size, neuron, time_ms, trial) in known.items():
        position, step = _placed(str(name), time_ms, trial, grid)
        monitor = traced.get(name)
        source = getattr(named[name], "source", None)
        traces = None if monitor is None else _traces(str(name), monitor, source, size, grid)
        layers.append(LayerSpikes.of(
            str(name), (size,), example=position, step=step, neuron=neuron,
            examples=grid.trials.size, steps=grid.steps, states=traces,
        ))  # fmt: skip
    return build_result(
        layers=layers, task=RECORDING, example=grid.trials, dt_ms=grid.dt_ms, steps=grid.steps
    )


def _are_trains(source: Any) -> bool:
    """Return whether these are spike times by the number of their neuron."""
    if not isinstance(source, Mapping) or not source or {*source} != {*range(len(source))}:
        return False
    # Numbers may also be names of populations.
    return not any(isinstance(each, tuple) or hasattr(each, "source") for each in source.values())


def _spikes(name: str, source: Any, size: int | None) -> tuple[Any, ...]:
    """Return the number of neurons, and neuron, time in ms and perhaps trial of each spike."""
    trial, own = None, None
    if _are_trains(source):
        source = [source[neuron] for neuron in range(len(source))]
    if all(hasattr(source, each) for each in ("i", "t", "source")):
        neuron, time_ms, own = source.i, np.asarray(source.t) * 1e3, len(source.source)
    elif isinstance(source, tuple) and len(source) in (2, 3):
        neuron, time_ms = source[0], _ms(source[1], name)
        trial = whole_numbers(source[2], f"{name}: trials") if len(source) == 3 else None
    elif isinstance(source, list):
        each = [_ms(times, name) for times in source]
        if any(times.ndim != 1 for times in each):
            found = f"times of the shape {next(t.shape for t in each if t.ndim != 1)}"
            raise ResultError("the spikes do not fit", where=name, expected=_FORMS, found=found)
        neuron, own = np.repeat(np.arange(len(each)), [*map(len, each)]), len(each)
        time_ms = np.concatenate([*each, np.zeros(0)])
    else:
        unrecorded = " with record=False" if hasattr(source, "record_variables") else ""
        found = shortened(type(source).__name__) + unrecorded
        raise ResultError("the spikes do not fit", where=name, expected=_FORMS, found=found)
    neuron = whole_numbers(neuron, f"{name}: neurons")
    shapes = {np.shape(each) for each in (neuron, time_ms, trial) if each is not None}
    if len(shapes) > 1 or neuron.ndim > 1:
        found = " and ".join(map(str, sorted(shapes)))
        raise ResultError("spikes do not fit", where=name, expected="arrays (spike,)", found=found)
    own = int(neuron.max(initial=0)) + 1 if own is None else own
    size = own if size is None else size
    return whole(size, f"{name}: neurons", least=1, error=ResultError), neuron, time_ms, trial


def _grid(duration: Any, trials: Any, dt: Any, own: list[NDArray[np.int64]]) -> _Grid:
    dt_ms, length = length_ms(dt, "dt"), length_ms(duration, "duration")
    steps = round(length / dt_ms)
    if not steps or abs(steps * dt_ms - length) > 1e-6 * length:
        expected = f"a multiple of the step, {dt_ms:g} ms"
        raise ResultError("duration does not fit", expected=expected, found=f"{length:g} ms")
    known = np.concatenate([*own, np.zeros(0, int)])
    first, last = (int(known.min()), int(known.max())) if known.size else (0, -1)
    if np.ndim(trials):
        numbers = np.unique(whole_numbers(trials, "trials"))
    elif own and trials is None:
        numbers = np.arange(first, last + 1)
    else:
        count = 1 if trials is None else whole(trials, "trials", least=1, error=ResultError)
        numbers = np.arange(count) + (last == count)
    if steps * max(1, len(numbers)) > MOST_STEPS:
        raise ResultError(
            "the recording is too long", expected=f"at most {MOST_STEPS:,} steps",
            found=f"{len(numbers)} x {steps:,} steps of {dt_ms:g} ms",
            hint="Times without a unit are in seconds; a longer dt makes fewer steps",
        )  # fmt: skip
    return _Grid(dt_ms, steps, numbers)


def _placed(
    name: str, time_ms: NDArray[np.float64], trial: NDArray[np.int64] | None, grid: _Grid
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the position of the trial and the step in it, of each spike."""
    end = grid.steps * (grid.trials.size if trial is None else 1)
    step = np.rint(time_ms / grid.dt_ms)
    step[step == end] -= 1
    inside = (step >= 0) & (step < end)
    known = np.full(step.shape, True) if trial is None else np.isin(trial, grid.trials)
    if not (inside & known).all():
        place = (inside & known).argmin()
        count, length = grid.trials.size, grid.steps * grid.dt_ms / 1e3
        raise ResultError(
            "a spike is outside the recording", where=name,
            expected=f"{count} {'trial' if count == 1 else 'trials'} of {length:g} s",
            found=f"{time_ms[place] / 1e3:g} s" if trial is None or known[place]
            else f"trial {trial[place]}",
            hint="Give the duration of a trial in seconds, and the number of trials",
        )  # fmt: skip
    position, step = np.divmod(step.astype(np.int64), grid.steps)
    return position if trial is None else np.searchsorted(grid.trials, trial), step


def _traces(name: str, monitor: Any, source: Any, size: int, grid: _Grid) -> dict[str, Any]:
    """Return the variables of a monitor, (trial, step, neuron), with their units."""
    total, traces = grid.trials.size * grid.steps, {}
    times = np.asarray(getattr(monitor, "t", ())) * 1e3
    every = np.array_equal(np.rint(times[:total] / grid.dt_ms), np.arange(total))
    if not hasattr(monitor, "record_variables") or not every:
        raise ResultError(
            "states are not recorded in each step", where=name,
            expected=f"a StateMonitor with {total:,} values, every {grid.dt_ms:g} ms from 0",
            found=f"{type(monitor).__name__} with {times.size:,}, to {times.max(initial=0):g} ms",
        )  # fmt: skip
    groups = [group for group in (monitor.source, source) if group is not None]
    record = np.asarray(monitor.record)
    same = len({(getattr(group, "start", 0), len(group)) for group in groups}) == 1
    if not same or record.max(initial=0) >= size:
        raise ResultError(
            "states are not of the neurons whose spikes are recorded", where=name,
            expected=f"a StateMonitor of the same {size} neurons",
            found=f"one of {len(monitor.source)}, neurons {shortened(str(record))}",
        )  # fmt: skip
    complete = np.unique(record).size == size
    for variable in monitor.record_variables:
        recorded = getattr(monitor, variable)
        kind = np.asarray(recorded).dtype if complete else float
        values = np.full((size, len(times)), 0 if complete else np.nan, kind)
        values[record] = recorded
        placed = values[:, :total].T.reshape(-1, grid.steps, size)
        traces[variable] = placed, unit_name(recorded)
    return traces


def length_ms(time: Any, name: str) -> float:
    """Return a length of time in ms; without a unit it is in seconds."""
    return number(_ms(time, name).tolist(), f"{name} in ms", above=0, error=ResultError)


def _ms(times: Any, name: str) -> NDArray[np.float64]:
    """Return times in ms, finite; those without a unit are in seconds."""
    known, what = has_unit(times, attributes=True), f"{name}: times do not fit"
    bare = array(in_ms(times, name) if known else times, what, error=ResultError)
    return bare if known else bare * 1e3
