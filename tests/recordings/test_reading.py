"""Recordings from tables, NWB, Neo and monitors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, TimedArray, prefs
from brian2.units import ms, mV, nA, pA
from refusals import refused

from bioae import Recording
from bioae.errors import DataError

CURRENT = np.arange(40.0).reshape(2, 20)  # pA, every 0.1 ms
POTENTIAL = CURRENT / 2 - 65  # mV
FIRED = [[15], [2, 10]]
SIGNALS = (("stimulus/presentation", CURRENT, "pA"), ("acquisition", POTENTIAL, "mV"))


def table(folder: Path, **options: Any) -> Recording:
    lines = ["trial; t [ms]; I_inj; V (mV); spikes"] + [
        f"{'ab'[k]}; {n / 10:.1f}; {CURRENT[k, n]}; {POTENTIAL[k, n]}; {int(n in FIRED[k])}"
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
    known = Recording(CURRENT * pA, dt=0.1 * ms, voltage=POTENTIAL * mV)
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
        (table, {"input": "V", "units": {"time": "mV"}}, "None"),
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
