"""Recordings: shapes and units, parts, other time steps, files and monitors, and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import (
    Network,
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    TimedArray,
    amp,
    have_same_dimensions,
    ms,
    mV,
    nA,
    pA,
    prefs,
    second,
    volt,
)
from refusals import refused

from bioae import Recording
from bioae.errors import DataError

CURRENT = np.arange(200.0).reshape(2, 100) * nA
SPIKES = [[7.25 * ms, 1 * ms], np.array([0.0033, 0.01])]
RECORDING = Recording(CURRENT, dt=0.1 * ms, voltage=CURRENT / nA * mV, spikes=SPIKES)
POTENTIAL, TRAINS = np.asarray(RECORDING.voltage), RECORDING.spikes or ()


def test_values_are_numbers_in_base_units() -> None:
    assert np.array_equal(RECORDING.input, np.asarray(CURRENT))
    assert have_same_dimensions(RECORDING.input_unit, amp)
    assert have_same_dimensions(RECORDING.voltage_unit, volt)
    assert (float(RECORDING.dt), float(RECORDING.duration)) == (1e-4, 0.01)
    assert (RECORDING.trials, RECORDING.steps, len(RECORDING)) == (2, 100, 2)
    assert [train.tolist() for train in TRAINS] == [[0.001, 0.00725], [0.0033, 0.01]]
    # A spike is in the step that holds its time; 0.0033 / 0.0001 is below 33.
    assert np.argwhere(RECORDING.spike_steps()).tolist() == [[0, 10], [0, 72], [1, 33], [1, 99]]
    with pytest.raises(ValueError, match="read-only"):
        RECORDING.input[0] = 0
    assert "0. A to 199. nA" in repr(deepcopy(RECORDING))
    assert "200 Hz" in RECORDING._repr_html_()


def test_an_input_is_repeated_in_each_trial() -> None:
    recording = Recording(np.ones(100), dt="1*ms", spikes=[[], [0.01], [0.02]])
    assert recording.input.shape == (3, 100)
    assert recording[1:].spike_steps().sum(1).tolist() == [1, 1]
    assert Recording(np.ones(100), dt=1 * ms, spikes=[0.01, 0.02]).trials == 1
    assert Recording(np.ones(100), dt=1 * ms, spikes=[]).spike_steps().sum() == 0


def test_parts_have_their_own_times() -> None:
    parts = RECORDING.split("3.3*ms")
    assert [part.steps for part in parts] == [33, 67]
    for name in ("input", "voltage", "spike_steps"):
        values = [getattr(each, name) for each in (*parts, RECORDING)]
        first, last, whole = (each() if callable(each) else each for each in values)
        assert np.array_equal(np.concatenate([first, last], 1), whole)
    np.testing.assert_allclose((parts[1].spikes or ())[1], [0, 0.0067], atol=1e-15)
    assert np.array_equal(RECORDING[-1].input, RECORDING.input[1:])
    assert np.array_equal((RECORDING[-1].spikes or ())[0], TRAINS[1])


@pytest.mark.parametrize("dt", [0.05, 0.1, 0.25, 0.3, 1.0])
def test_another_step_keeps_charge_potential_and_spikes(dt: float) -> None:
    other = RECORDING.resampled(dt * ms)
    times = np.arange(int(round(10 / dt, 6))) * dt
    # Held input has a piecewise linear integral.
    fine = np.pad(np.cumsum(np.repeat(RECORDING.input, 100, 1), 1), ((0, 0), (1, 0)))
    edges = np.rint(np.append(times, times[-1] + dt) * 1e3).astype(int)
    np.testing.assert_allclose(other.input, np.diff(fine[:, edges]) / (dt * 1e3), atol=1e-20)
    known = (times <= 9.9) & ((dt > 0.1) | (np.rint(times * 1e3) % 100 == 0))
    expected = np.where(known, POTENTIAL[:, :1] + times * 0.01, np.nan)
    np.testing.assert_allclose(np.asarray(other.voltage), expected)
    assert (other.spikes or ())[0].tolist() == TRAINS[0].tolist()


def test_a_potential_of_another_step_is_interpolated_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    voltage = np.where(np.arange(20) == 6, np.nan, np.arange(20.0))
    recording = Recording(np.ones(10), dt=1 * ms, voltage=voltage * mV, voltage_dt=0.5 * ms)
    np.testing.assert_array_equal(recording.voltage, [voltage[::2] * 1e-3])
    assert "0.5 ms" in caplog.text
    slower = Recording(np.ones(10), dt=1 * ms, voltage=[0, 1, 2, 3] * mV, voltage_dt=2.5 * ms)
    assert np.flatnonzero(np.isfinite(np.asarray(slower.voltage)[0])).tolist() == [0, 2, 5, 7]


@pytest.mark.parametrize(
    ("changed", "where", "found"),
    [
        ({"input": [1, np.nan]}, "input", "nan in step 1"),
        ({"input": [1, np.inf] * nA}, "input", "inf in step 1"),
        ({"input": []}, "input", "shape (0,)"),
        ({"dt": 1}, "dt", "1"),
        ({"dt": 1 * mV}, "dt", "volt"),
        ({"voltage": np.ones(21)}, "voltage", "21 of 1 ms"),
        ({"voltage": np.full(20, np.nan)}, "voltage", "nan in step 0"),
        ({"voltage": [1, 2], "voltage_dt": 1.5 * ms}, "voltage", "2 of 1.5 ms"),
        ({"spikes": [0.03]}, "spikes of trial 0", "0.03 s"),
        ({"spikes": [-0.001]}, "spikes of trial 0", "-0.001 s"),
        ({"spikes": [1] * mV}, "spikes", "V"),
        ({"spikes": [[], [0.003, 0.0035]]}, "spikes of trial 1", "spikes at 0.003 s and 0.0035 s"),
        (
            {"voltage": np.ones((2, 20)), "spikes": [[]] * 3}, "",
            "3 of input, 2 of voltage, 3 of spikes",
        ),
    ],
)  # fmt: skip
def test_wrong_recordings_are_refused(changed: dict[str, Any], where: str, found: str) -> None:
    with refused(DataError, where=f"recording, {where}".rstrip(", "), found=found):
        Recording(**{"input": np.ones(20), "dt": 1 * ms, **changed})


def test_wrong_parts_are_refused() -> None:
    with refused(DataError, hint="A dt of at most 0.2997 ms separates them"):
        Recording(np.ones(20), dt=1 * ms, spikes=[0.0032, 0.0035])
    with refused(DataError, where="recording, split"):
        RECORDING.split("1*second")
    for which in (5, slice(5, None), "x", [2]):
        with refused(DataError, expected="some of 0 to 1"):
            RECORDING[which]  # type: ignore[index]
    with refused(DataError, where="recording, dt", found="1 s"):
        RECORDING.resampled(1 * second)


INJECTED = np.arange(40.0).reshape(2, 20)  # pA, every 0.1 ms
MEASURED = INJECTED / 2 - 65  # mV
FIRED = [[15], [2, 10]]
SIGNALS = (("stimulus/presentation", INJECTED, "pA"), ("acquisition", MEASURED, "mV"))


def table(folder: Path, **options: Any) -> Recording:
    lines = ["trial; t [ms]; I_inj; V (mV); spikes"] + [
        f"{'ab'[k]}; {n / 10:.1f}; {INJECTED[k, n]}; {MEASURED[k, n]}; {int(n in FIRED[k])}"
        for k in (0, 1)
        for n in range(20)
    ]
    (folder / "a.csv").write_text("\n".join(lines))
    return Recording.open(folder / "a.csv", **options)


def nwb(folder: Path, **options: Any) -> Recording:
    with h5py.File(folder / "a.nwb", "w") as file:
        for group, values, unit in SIGNALS:
            for trial in (1, 0):
                series = file.create_group(f"{group}/{9 - trial}")
                series["data"], series["starting_time"] = values[trial], 5.0 * trial
                series["starting_time"].attrs["rate"] = 10_000.0
                base = {"pA": "amperes", "mV": "volts"}[unit]
                conversion = {"pA": 1e-12, "mV": 1e-3}[unit]
                series["data"].attrs.update({"unit": base, "conversion": conversion})
        file["acquisition/light/data"] = [1.0]
        file["acquisition/light/data"].attrs["unit"] = "lux"
        file["acquisition/light/timestamps"] = [0.0]
        file["units/spike_times"], file["units/spike_times_index"] = [0.0015, 5.0002, 5.001], [3]
    return Recording.open(folder / "a.nwb", **options)


def block(_: Path, **options: Any) -> Recording:
    made = neo.Block()
    for trial in (0, 1):
        segment, start = neo.Segment(), 5 * trial * pq.s
        for name, values, unit in SIGNALS:
            samples = pq.Quantity(values[trial][:, None], unit)
            signal = neo.AnalogSignal(samples, sampling_rate=10 * pq.kHz, t_start=start, name=name)
            segment.analogsignals.append(signal)
        times = np.array(FIRED[trial]) * 0.1 * pq.ms + start
        segment.spiketrains.append(neo.SpikeTrain(times, t_stop=6 * pq.s))
        made.segments.append(segment)
    return Recording.from_neo(made, **options)


@pytest.mark.parametrize(
    ("read", "options"),
    [(table, {"input": "I_inj", "units": {"input": "pA"}, "dt": "0.1*ms"}), (nwb, {}), (block, {})],
)
def test_trials_are_read_with_their_units(
    read: Callable[..., Recording], options: dict[str, Any], tmp_path: Path
) -> None:
    recording = read(tmp_path, **options)
    known = Recording(INJECTED * pA, dt=0.1 * ms, voltage=MEASURED * mV)
    assert float(recording.dt) == pytest.approx(1e-4)
    assert recording.input_unit == known.input_unit
    np.testing.assert_allclose(recording.input, known.input)
    np.testing.assert_allclose(np.asarray(recording.voltage), np.asarray(known.voltage))
    assert [np.flatnonzero(row).tolist() for row in recording.spike_steps()] == FIRED


def test_monitors_of_recorded_neurons_are_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    current = TimedArray(np.random.default_rng(0).random((20, 3)) * nA, dt=1 * ms)
    group = NeuronGroup(
        3, "dv/dt = -v/(10*ms) + I/(1*nF) : volt\nI = current(t, i) : amp", method="euler",
        threshold="v > 2*mV", reset="v = 0*mV", namespace={"current": current},
    )  # fmt: skip
    states, spikes = StateMonitor(group, ["v", "I"], record=[0, 2]), SpikeMonitor(group)
    late = StateMonitor(group, "I", record=[1], when="end")
    late.active = False
    network = Network(group, states, spikes, late)
    network.run(5 * ms)
    late.active = True
    network.run(15 * ms)
    recording = Recording.from_monitors(current, states, spikes)
    assert np.array_equal(recording.input, Recording.from_monitors("I", states, spikes).input)
    assert np.array_equal(np.asarray(recording.voltage), np.asarray(states.v))
    assert recording.spike_steps().sum(1).tolist() == spikes.count[[0, 2]].tolist()
    part = Recording.from_monitors(current, late, spikes)
    whole = Recording.from_monitors(current, None, spikes)
    assert part.voltage is None
    assert np.array_equal(part.input[0], whole.input[1, 50:])
    assert np.array_equal(part.spike_steps()[0], whole.spike_steps()[1, 50:])
    assert whole.spike_steps().sum() > 5


@pytest.mark.parametrize(
    ("read", "options", "field"),
    [
        (table, {}, "t [ms], I_inj"),
        (table, {"input": "V", "units": {"time": "mV"}}, "times without a unit"),
        (table, {"inputs": "V"}, "'inputs'"),
        (nwb, {"input": "9"}, "9 (20), 8 (20)"),
        (nwb, {"input": "9", "voltage": "8"}, "8 (20)"),
        (block, {"voltage": "W"}, "W"),
        (lambda folder: Recording.open(folder / "a.pkl"), {}, ".pkl"),
        (lambda folder: Recording.open(folder / "a.nwb"), {}, "No such file"),
    ],
)
def test_unfit_files_are_refused(
    read: Callable[..., Any], options: dict[str, Any], field: str, tmp_path: Path
) -> None:
    with refused(DataError) as caught:
        read(tmp_path, **options)
    assert re.search(re.escape(field), str(caught.value.found))
