"""Recordings from tables, NWB, Neo and monitors, all of the same two trials."""

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

CURRENT = np.arange(40.0).reshape(2, 20)  # pA
POTENTIAL = CURRENT / 2 - 65  # mV
SPIKES = [[1.5], [0.25, 1.0]]  # ms, every 0.1 ms


def table(folder: Path) -> Path:
    lines = ["trial; t [ms]; I_inj; V (mV); spikes"]
    for trial in (0, 1):
        fired = [int(time / 0.1 + 1e-9) for time in SPIKES[trial]]
        lines += [
            f"{trial}; {n / 10:.1f}; {CURRENT[trial, n]}; {POTENTIAL[trial, n]}; {int(n in fired)}"
            for n in range(20)
        ]
    (folder / "a.csv").write_text("\n".join(lines))
    return folder / "a.csv"


def nwb(folder: Path) -> Path:
    with h5py.File(folder / "a.nwb", "w") as file:
        for group, values, unit in (
            ("stimulus/presentation", CURRENT, "amperes"), ("acquisition", POTENTIAL, "volts"),
        ):  # fmt: skip
            for trial in (1, 0):
                series = file.create_group(f"{group}/{9 - trial}")
                data = series.create_dataset("data", data=values[trial])
                factor = 1e-12 if unit == "amperes" else 1e-3
                data.attrs.update({"unit": unit, "conversion": factor})
                series["starting_time"] = 5.0 * trial
                series["starting_time"].attrs["rate"] = 10_000.0
        times = [trial * 5 + time / 1e3 for trial in (0, 1) for time in SPIKES[trial]]
        file["units/spike_times"], file["units/spike_times_index"] = times, [len(times)]
    return folder / "a.nwb"


def block(_: Path) -> Any:
    made = neo.Block()
    for trial in (0, 1):
        start = 5 * trial * pq.s
        segment = neo.Segment()
        for name, values, unit in (("I", CURRENT, "pA"), ("V", POTENTIAL, "mV")):
            segment.analogsignals.append(neo.AnalogSignal(
                values[trial][:, None], units=unit, sampling_rate=10 * pq.kHz, t_start=start,
                name=name,
            ))  # fmt: skip
        times = np.array(SPIKES[trial]) * pq.ms + start
        segment.spiketrains.append(neo.SpikeTrain(times, t_stop=6 * pq.s))
        made.segments.append(segment)
    return made


READ: dict[str, Callable[[Path], Recording]] = {
    "csv": lambda f: Recording.open(table(f), input="I_inj", units={"input": "pA"}),
    "nwb": lambda f: Recording.open(nwb(f)),
    "neo": lambda f: Recording.from_neo(block(f)),
}


@pytest.mark.parametrize("form", READ)
def test_trials_are_read_with_their_units(form: str, tmp_path: Path) -> None:
    recording = READ[form](tmp_path)
    known = Recording(CURRENT * pA, dt=0.1 * ms, voltage=POTENTIAL * mV, spikes=[
        np.array(train) * ms for train in SPIKES
    ])  # fmt: skip
    assert float(recording.dt) == pytest.approx(1e-4)
    assert recording.input_unit == known.input_unit
    np.testing.assert_allclose(recording.input, known.input)
    np.testing.assert_allclose(np.asarray(recording.voltage), np.asarray(known.voltage))
    assert np.array_equal(recording.spike_steps(), known.spike_steps())


@pytest.mark.medium
def test_monitors_of_recorded_neurons_are_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    current = TimedArray(np.random.default_rng(0).random((20, 3)) * nA, dt=1 * ms)
    group = NeuronGroup(
        3, "dv/dt = -v/(10*ms) + I/(1*nF) : volt\nI = current(t, i) : amp", method="euler",
        threshold="v > 2*mV", reset="v = 0*mV", namespace={"current": current},
    )  # fmt: skip
    states, spikes = StateMonitor(group, ["v", "I"], record=[0, 2]), SpikeMonitor(group)
    Network(group, states, spikes).run(20 * ms)
    recording = Recording.from_monitors(current, states, spikes)
    assert np.array_equal(recording.input, Recording.from_monitors("I", states, spikes).input)
    assert np.array_equal(np.asarray(recording.voltage), np.asarray(states.v))
    assert recording.spike_steps().sum(1).tolist() == spikes.count[[0, 2]].tolist()
    assert spikes.num_spikes > 5
    assert Recording.from_monitors(current, None, spikes).input.shape == (3, 200)


@pytest.mark.parametrize(
    ("read", "fields"),
    [
        (lambda f: Recording.open(table(f)), {"found": re.compile("I_inj")}),
        (lambda f: Recording.open(table(f), input="V", units={"time": "mV"}), {"where": "a.csv"}),
        (lambda f: Recording.open(table(f), inputs="V"), {"found": "'inputs'"}),
        (lambda f: Recording.open(nwb(f), input="9"), {"found": "9 (20), 8 (20)"}),
        (lambda f: Recording.open(nwb(f), input="x"), {"found": "x"}),
        (lambda f: Recording.from_neo(block(f), voltage="W"), {"found": "W"}),
        (lambda f: Recording.open(f / "a.pkl"), {"found": ".pkl"}),
        (lambda f: Recording.open(f / "none.nwb"), {"where": "none.nwb"}),
    ],
)  # fmt: skip
def test_unfit_files_are_refused(read: Any, fields: dict[str, Any], tmp_path: Path) -> None:
    where = {"where": tmp_path / fields["where"]} if "where" in fields else {}
    with refused(DataError, **{**fields, **where}):
        read(tmp_path)
