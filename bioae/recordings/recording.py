"""A recording of a neuron: its input, its potential and its spikes, in one or several trials."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import second
from brian2.units.fundamentalunits import Quantity
from numpy.typing import ArrayLike, NDArray

from bioae.checks import any_array
from bioae.equations.quantities import time_in_seconds
from bioae.errors import DataError, shortened
from bioae.inputs import as_path
from bioae.recordings.reading import from_monitors, from_neo, from_nwb, from_table, read_neo
from bioae.recordings.signals import (
    Signal,
    checked_train,
    held,
    interpolated,
    signal,
    spike_steps,
)
from bioae.showing import Shown, Summary
from bioae.spike_times import spike_trains
from bioae.unit_text import readable, unit_name

_LOGGER = logging.getLogger("bioae")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Recording(Shown):
    """A recording of a neuron: input, and perhaps potential and spikes, in one or several trials.

    Fits take it, and predictions are compared with it. It cannot be changed; arrays are copied.
    ``recording[2]``, a slice, positions or a mask select trials.

    Parameters
    ----------
    input
        An injected current or any other input, (time) or (trial, time): a quantity of Brian2, or
        numbers without a unit. The value of a step acts from its beginning to its end. An input of
        one trial is that of all trials.
    dt
        The time step of the input, such as ``0.1*ms`` or ``"0.1*ms"``.
    voltage
        The potential at the beginning of each step, (time) or (trial, time), with any unit; NaN
        where it is not known.
    spikes
        The spike times since the start of the trial: one array, or a list of one per trial, or a
        mapping by its number, as from `SpikeMonitor.spike_trains`. They are quantities, such as
        those of Brian2 and Neo, or numbers in seconds.
    voltage_dt
        The time step of the potential, if it is another one: values are interpolated, and unknown
        between those of a longer step.
    name
        The name of the recording in errors and reports.

    Attributes
    ----------
    input, voltage
        (trial, time) Numbers in base units; `voltage` may be None.
    input_unit, voltage_unit
        The base units, as quantities of value 1: ``recording.input * recording.input_unit``.
    spikes
        The sorted spike times of each trial in seconds, or None.
    dt
        The time step, a quantity.

    Raises
    ------
    DataError
        If shapes, units or lengths do not fit, a value is not finite, or a spike is outside the
        recording or shares its step with another one.
    """

    input: NDArray[np.float64]
    input_unit: Quantity
    voltage: NDArray[np.float64] | None
    voltage_unit: Quantity | None
    spikes: tuple[NDArray[np.float64], ...] | None
    dt: Quantity
    name: str

    def __init__(
        self,
        input: Any,  # noqa: A002 - as its attribute
        *,
        dt: Quantity | str,
        voltage: Any = None,
        spikes: Any = None,
        voltage_dt: Quantity | str | None = None,
        name: str = "recording",
    ) -> None:
        step = time_in_seconds(dt, where=f"{name}, dt", error=DataError)
        current, input_unit = signal(input, f"{name}, input")
        steps, trials = current.shape[1], {"input": len(current)}
        potential, voltage_unit, times = None, None, None
        if voltage is not None:
            potential, voltage_unit = signal(voltage, f"{name}, voltage", gaps=True)
            where = f"{name}, voltage_dt"
            own = time_in_seconds(voltage_dt or dt, where=where, error=DataError)
            potential = _resampled(potential, own, step, steps, name)
            trials["voltage"] = len(potential)
        if spikes is not None:
            times = tuple(
                checked_train(train, step, steps, f"{name}, spikes of trial {trial}")
                for trial, train in enumerate(spike_trains(spikes, f"{name}, spikes"))
            )
            trials["spikes"] = len(times)
        if len(current) == 1:
            current = np.broadcast_to(current, (max(trials.values()), steps))
            trials["input"] = len(current)
        if len(set(trials.values())) > 1:
            raise DataError(
                "the numbers of trials differ", where=name, expected="(time) or (trial, time)",
                found=", ".join(f"{count} of {part}" for part, count in trials.items()),
            )  # fmt: skip
        for each in (current, *([] if potential is None else [potential]), *(times or ())):
            each.setflags(write=False)
        self.__dict__.update(
            input=current, input_unit=input_unit, voltage=potential, voltage_unit=voltage_unit,
            spikes=times, dt=step * second, name=name,
        )  # fmt: skip

    @classmethod
    def from_neo(
        cls,
        source: Any,
        *,
        input: str | None = None,  # noqa: A002 - as its attribute
        voltage: str | None = None,
        spikes: str | None = None,
        name: str = "recording",
    ) -> Recording:
        """Return a `neo.Block`, whose segments are trials, or one segment, as a recording.

        `input`, `voltage` and `spikes` are names of signals and spike trains; by default the signal
        with a unit of current, that of potential, and the only spike train of each segment.
        """
        return cls(**from_neo(source, input, voltage, spikes), name=name)

    @classmethod
    def from_monitors(
        cls,
        input: Any,  # noqa: A002 - as its attribute
        states: Any = None,
        spikes: Any = None,
        *,
        voltage: str | None = None,
        name: str = "recording",
    ) -> Recording:
        """Return what monitors of Brian2 recorded; each neuron is a trial.

        `input` is the `brian2.TimedArray` of the neurons' input, a variable of the `StateMonitor`
        `states`, or an array (time) or (neuron, time). `voltage` is a variable of `states`, by
        default ``v``, and `spikes` a `SpikeMonitor`. Times are since the first of `states`.
        """
        return cls(**from_monitors(input, states, spikes, voltage), name=name)

    @classmethod
    def open(cls, path: Path | str, **options: Any) -> Recording:
        """Read a table, a file of Neurodata Without Borders, or one that Neo reads, by its suffix.

        A table (``.csv``, ``.tsv``, ``.txt``) has a row per time step and names of columns such as
        ``input (pA)``: ``input`` and perhaps ``time``, ``voltage``, ``spikes`` (1 in each step with
        a spike) and ``trial``. Options name other columns, as in ``input="I_inj"``; the mapping
        `units` has the units, by these words, that the names of columns lack; `dt` is by default
        that of ``time``.

        Of ``.nwb``, pairs of stimulus and response are trials. The options `input` and `voltage`
        are names of series in ``stimulus/presentation`` and ``acquisition``; by default all that
        have units of current and potential, in the order of time. `spikes` is the row of the table
        of units, if there are several.

        Options of other files, such as ``.abf``, are those of `from_neo`.
        """
        path = as_path(path, DataError, "recording")
        match path.suffix.lower():
            case ".csv" | ".tsv" | ".txt":
                return cls(**from_table(path, **options), name=path.name)
            case ".nwb":
                return cls(**from_nwb(path, **options), name=path.name)
        return cls.from_neo(read_neo(path), **options, name=path.name)

    @property
    def trials(self) -> int:
        """The number of trials."""
        return len(self.input)

    @property
    def steps(self) -> int:
        """The number of time steps of a trial."""
        return int(self.input.shape[1])

    @property
    def duration(self) -> Quantity:
        """The length of a trial."""
        return self.steps * self.dt

    def spike_steps(self) -> NDArray[np.bool_]:
        """Return the steps in which the neuron fires, (trial, time).

        A spike is in the step in which its time is. One at the very end is in the last step.
        """
        if self.spikes is None:
            raise DataError("the recording has no spikes", where=self.name)
        fired = np.zeros(self.input.shape, bool)
        for row, train in zip(fired, self.spikes, strict=True):
            row[spike_steps(train, float(self.dt), self.steps)] = True
        return fired

    def with_spikes(self, spikes: Any) -> Recording:
        """Return the recording with other spike times."""
        return self._with(self.input, self.voltage, spikes, float(self.dt))

    def resampled(self, dt: Quantity | str) -> Recording:
        """Return the recording at another time step.

        A longer step has the mean of its input, a shorter one the value in which it begins;
        potentials are interpolated, and NaN after the last one. Spikes keep their times. A
        remainder at the end that is shorter than a step is left out.
        """
        where = f"{self.name}, dt"
        old, new = float(self.dt), time_in_seconds(dt, where=where, error=DataError)
        steps = int(self.steps * old / new + 1e-6)
        if not steps:
            raise DataError(
                "the step is longer than a trial", where=where, found=f"{new:g} s",
                expected=f"at most {self.steps * old:g} s",
            )  # fmt: skip
        voltage = None if self.voltage is None else interpolated(self.voltage, old, new, steps)
        until = steps * new
        spikes = self.spikes and [train[train <= until * (1 + 1e-9)] for train in self.spikes]
        return self._with(held(self.input, old, new, steps), voltage, spikes, new)

    def split(self, time: Quantity | str) -> tuple[Recording, Recording]:
        """Return the recording before and after a time, such as data to fit and to test.

        The time is rounded to whole steps. Times of the second part are since its start.
        """
        where, dt = f"{self.name}, split", float(self.dt)
        cut = round(time_in_seconds(time, where=where, error=DataError) / dt)
        if not 0 < cut < self.steps:
            raise DataError(
                "a part would be empty", where=where, found=str(time),
                expected=f"a time within the {self.steps * dt:g} s of a trial",
            )  # fmt: skip
        parts = []
        for begin, end in ((0, cut), (cut, self.steps)):
            inside = slice(begin, end)
            voltage = None if self.voltage is None else self.voltage[:, inside]
            spikes = self.spikes and [
                np.maximum(train[(step >= begin) & (step < end)] - begin * dt, 0)
                for train in self.spikes
                for step in [spike_steps(train, dt, self.steps)]
            ]
            parts.append(self._with(self.input[:, inside], voltage, spikes, dt))
        return parts[0], parts[1]

    def __len__(self) -> int:
        return self.trials

    def __iter__(self) -> Iterator[Recording]:
        """Yield the trials."""
        return (self[trial] for trial in range(self.trials))

    def __getitem__(self, which: int | slice | Sequence[int] | NDArray[Any]) -> Recording:
        """Return the trial at a position, or those of a slice, of positions or of a mask."""
        try:
            chosen = np.arange(self.trials)[which if isinstance(which, slice) else any_array(which)]
        except IndexError:
            chosen = np.arange(0)
        if not chosen.size:
            raise DataError(
                "there is no such trial", where=f"{self.name}[{shortened(repr(which))}]",
                expected=f"some of 0 to {self.trials - 1}",
            )  # fmt: skip
        chosen = np.atleast_1d(chosen)
        voltage = None if self.voltage is None else self.voltage[chosen]
        spikes = self.spikes and [self.spikes[trial] for trial in chosen]
        return self._with(self.input[chosen], voltage, spikes, float(self.dt))

    def _with(self, current: Signal, voltage: Signal | None, spikes: Any, dt: float) -> Recording:
        unit = self.voltage_unit
        if voltage is not None and np.isnan(voltage).all():
            voltage = None
        return Recording(
            _quantity(current, self.input_unit), dt=dt * second, spikes=spikes, name=self.name,
            voltage=None if voltage is None else _quantity(voltage, unit),
        )  # fmt: skip

    def _summary(self) -> Summary:
        rows = [("input", _range(self.input, self.input_unit))]
        if self.voltage is not None:
            gaps = np.isnan(self.voltage).mean()
            unknown = f", {gaps:.3%} unknown" if gaps else ""
            rows.append(("voltage", _range(self.voltage, self.voltage_unit) + unknown))
        if self.spikes is not None:
            count = sum(map(len, self.spikes))
            rate = count / (self.trials * float(self.duration))
            rows.append(("spikes", f"{count:,}, {rate:.3g} Hz"))
        plural = "trial" if self.trials == 1 else "trials"
        return Summary(
            f"Recording {self.name!r}: {self.trials} {plural} of {float(self.duration):g} s, "
            f"{self.steps:,} steps of {readable(self.dt)}",
            [("part", "values"), *rows],
        )


def _resampled(voltage: Signal, own: float, dt: float, steps: int, name: str) -> Signal:
    """Return potentials at the input's step, after a warning; those of equal steps unchanged."""
    equal = bool(np.isclose(own, dt, rtol=1e-9, atol=0))
    excess = abs(voltage.shape[1] * own - steps * dt)
    if (voltage.shape[1] != steps) if equal else (excess > max(own, dt) * (1 + 1e-9)):
        raise DataError(
            "the potential has another length than the input", where=f"{name}, voltage",
            expected=f"{steps} samples of {dt * 1e3:g} ms",
            found=f"{voltage.shape[1]} of {own * 1e3:g} ms",
            hint="Give voltage_dt if it has another time step; arrays are (trial, time)",
        )  # fmt: skip
    if equal:
        return voltage
    _LOGGER.warning(
        "bioae: %s: the voltage, every %g ms, is %s the step of the input, %g ms",
        name, own * 1e3, "interpolated to" if own < dt else "unknown in most steps of", dt * 1e3,
    )  # fmt: skip
    return interpolated(voltage, own, dt, steps)


def _quantity(values: ArrayLike, unit: Quantity | None) -> Quantity:
    return Quantity(values, dim=None if unit is None else unit.dim, copy=False)


def _range(values: Signal, unit: Quantity | None) -> str:
    """Return the smallest and the largest value with their unit."""
    ends = _quantity([np.nanmin(values), np.nanmax(values)], unit)
    if unit is None or unit_name(unit) == "1":
        return "{:.4g} to {:.4g}".format(*ends)
    return " to ".join(each.in_best_unit(precision=4) for each in ends)
