"""Recorded spikes as results: monitors of plain Brian2, arrays, and what does not fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, ms, mV, prefs
from refusals import refused

from bioae import analysis
from bioae.errors import DataError, ResultError
from bioae.simulation.results.netcdf import write_result

LEAKY = "dv/dt = (20*mV*(1 + i/10.) - v)/(5*ms) : volt"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> tuple[SpikeMonitor, StateMonitor, StateMonitor]:
    """A plain script: 6 neurons, 40 ms in steps of 0.1 ms."""
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    group = NeuronGroup(
        6, LEAKY, threshold="v > 15*mV", reset="v = 0*mV", method="exact", dt=0.1 * ms
    )
    spikes = SpikeMonitor(group)
    states = [StateMonitor(group, "v", record=which) for which in (range(5, -1, -1), [4, 1])]
    Network(group, spikes, *states).run(40 * ms)
    assert spikes.num_spikes > 20
    return spikes, *states


@pytest.mark.medium
def test_forms_of_one_recording(recorded: tuple[Any, ...], tmp_path: Path) -> None:
    monitor, every, some = recorded
    tree = analysis.from_monitors(monitor, every, duration=40 * ms)
    assert (tree.attrs["dt_ms"], tree.attrs["steps"]) == (0.1, 400)
    write_result(tree, tmp_path / "r.nc")
    assert analysis.open_result(tmp_path / "r.nc").identical(tree)
    v = tree["layers/neurons/state_v"]
    np.testing.assert_array_equal(v[0].T, np.asarray(every.v)[::-1])
    assert v.attrs["units"] == "volt"
    halves = analysis.from_monitors(monitor, some, duration=0.02, trials=2)
    partly = halves["layers/neurons/state_v"]
    assert np.isnan(partly[:, :, 0]).all()
    np.testing.assert_array_equal(partly[1, :, [1, 4]], v[0, 200:, [1, 4]])
    with refused(ResultError, where="neurons", found="one of 6, neurons [4 1]"):
        analysis.from_monitors((monitor.i[:] % 2, monitor.t), some, duration=40 * ms)
    plain = analysis.from_monitors(monitor, duration=40 * ms)
    seconds = np.asarray(monitor.t)
    trials = monitor.i[:], seconds % 0.02, (seconds / 0.02).astype(int) + 5
    trains = [*monitor.spike_trains().values()]
    for spikes in ((monitor.i, monitor.t), (monitor.i[:], seconds), trains):
        assert analysis.from_monitors(spikes, duration=0.04, neurons=6).identical(plain)
    numbered = analysis.from_monitors(trials, duration=0.02, neurons={"neurons": 6})
    assert numbered["example"].to_numpy().tolist() == [5, 6]
    wide = analysis.from_monitors(monitor, duration=0.04, neurons=9)
    assert wide["layers/neurons"].sizes["neuron"] == 9
    for late in ({"duration": 0.08}, {"duration": 0.04, "dt": 0.0002}):
        with refused(ResultError, where="neurons", found="StateMonitor with 400, to 39.9 ms"):
            analysis.from_monitors(monitor, every, **late)
    cut = analysis.from_monitors(monitor, duration=20 * ms, trials=2)
    np.testing.assert_array_equal(
        analysis.spike_count(numbered, "neurons"), analysis.spike_count(cut, "neurons")
    )


def test_times_are_rounded_to_the_nearest_step_and_silent_trials_are_examples() -> None:
    tree = analysis.from_monitors([[0.00004, 0.00106, 0.00999]], duration=0.01)
    assert tree["layers/neurons/spike_time_ms"].to_numpy() == pytest.approx([0, 1.1, 9.9])
    for trials in (None, 3):
        tree = analysis.from_monitors(([0, 0], [0.1, 0.1], [1, 3]), duration=1, trials=trials)
        assert tree["example"].to_numpy().tolist() == [1, 2, 3]


ONE = (np.array([0]), np.array([0.005]))


@pytest.mark.parametrize(
    ("spikes", "options", "fields"),
    [
        ({}, {}, {"expected": "at least one"}),
        (3, {}, {"where": "neurons", "found": "int"}),
        ({"a": ONE}, {"neurons": {"b": 3}}, {"expected": "a mapping of 'a'", "found": "['b']"}),
        ({"a": ONE, "b": ONE}, {"states": 3}, {"expected": "a mapping of 'a', 'b'"}),
        (ONE, {"states": 3}, {"where": "neurons", "found": "int with 0, to 0 ms"}),
        ((np.array([0.5]), [0.005]), {}, {"expected": "whole numbers"}),
        ((np.array([0, 1]), [0.005]), {}, {"where": "neurons", "found": "(1,) and (2,)"}),
        (([7], [0.005]), {"neurons": 5}, {"expected": "0 to 4", "found": "7 to 7"}),
        (([0], ["x"]), {}, {"found": "['x']"}),
        (([0], [0.5]), {}, {"where": "neurons", "expected": "1 trial of 0.01 s", "found": "0.5 s"}),
        (([0], [0.005], [3]), {"trials": 2}, {"found": "trial 3"}),
        ([[0.005]], {"neurons": 0}, {"expected": "1 or more"}),
        ({"a": ONE, "b": (*ONE, [0])}, {}, {"expected": re.compile("of all populations, or none")}),
        ([[0.00501, 0.00503]], {}, {"found": "neuron 0 in step 50"}),
        (ONE, {"duration": 0.00015}, {"expected": "a multiple of the step, 0.1 ms"}),
        (ONE, {"duration": 1e9}, {"expected": "at most 100,000,000 steps"}),
        (ONE, {"duration": 0}, {"expected": "a number above 0"}),
    ],
)
def test_what_does_not_fit_is_refused(spikes: Any, options: Any, fields: Any) -> None:
    with refused(ResultError, **fields):
        analysis.from_monitors(spikes, **{"duration": 0.01, **options})
    with refused(DataError, where="neurons", expected="ms or s"):
        analysis.from_monitors(([0], [5] * mV), duration=0.01)


def test_a_table_that_was_exported_is_read_back(tmp_path: Path) -> None:
    tree = analysis.example_result()
    analysis.to_csv(tree, tmp_path)
    path = tmp_path / "spikes.csv"
    found = analysis.read_spikes(path, duration=0.02, dt=0.001)
    assert analysis.layer_names(found) == analysis.layer_names(tree)
    assert analysis.differing_spikes(tree, found)["differing"].sum() == 0
    assert found.attrs["source"].startswith("spikes.csv: 6,019 spikes of 144 conv, 10 latent")
    some, chosen = tree.isel(example=[3, 9]), tmp_path / "some" / "spikes.csv"
    analysis.to_csv(some, chosen.parent)
    lines = chosen.read_text().splitlines(keepends=True)
    others = [each for each in lines if each.split(",")[1] != "109"]
    for kept, silent in ((lines, []), (others, [109])):
        chosen.write_text("".join(kept))
        back = analysis.read_spikes(chosen, duration=0.02, dt=0.001)
        assert back["example"].to_numpy().tolist() == [103, 109]
        for name in analysis.layer_names(tree):
            counts = analysis.spike_count(some, name).where(~some["example"].isin(silent), 0)
            np.testing.assert_array_equal(analysis.spike_count(back, name).sum("example"),
                                          counts.sum("example").to_numpy().ravel())  # fmt: skip
    with refused(ResultError, where=path, hint=re.compile("read_spikes")):
        analysis.open_result(path)


def test_a_table_has_any_separator_and_a_duration(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\ufeffTime; neuron;population;note\n0.5;1;exc;\n0.25;0;inh;x\n0.0;0;exc;\n\n")
    tree = analysis.read_spikes(path)
    assert analysis.layer_names(tree) == ["exc", "inh"]
    assert tree.attrs["steps"] == 5010  # the last spike is in step 5000
    np.testing.assert_array_equal(analysis.spike_count(tree, "exc"), [[1, 1]])
    assert analysis.read_spikes(path, trials=2).attrs["steps"] == 2510
    assert analysis.read_spikes(path, dt=0.002).attrs["steps"] == 251
    with refused(ResultError, found="'2'"):
        analysis.read_spikes(path, trials="2")  # type: ignore[arg-type]
    with refused(ResultError, found="1e+300 s"):
        analysis.from_monitors(([0], [1e300]), duration=1)
    path.write_text("unit\tTime (ms)\ttrial\n0\t5\t0\n0\t5\t2\n")
    tree = analysis.read_spikes(path, duration=0.01)
    assert tree.attrs["source"] == "a.csv: 2 spikes of 1 neurons; trials: 3, of 0.01 s"


@pytest.mark.parametrize(
    ("text", "place", "found"),
    [
        ("0,0.1\n1,0.2\n", "", "0, 0.1"),
        ("neuron,time\n", "", "no row below it"),
        ("", "", "No columns to parse from file"),
        ("neuron,time\n0,0.1\n1,x\n", ", row 2", "x"),
        ("neuron,time\n0,0.1\n\n1.5,0.2\n", ", row 2", "1.5"),
        ("neuron,time\n0,-0.1\n", ", neurons", "-0.1 s"),
        ("neuron,Time_ms,time_ms\n0,1,1\n", "", "neuron, time_ms, time_ms"),
        ("neuron,time,time_ms\n0,1,1\n", "", "neuron, time, time_ms"),
        ("neuron,time_ms\n0,x\n", ", row 1", "x"),
        ("neuron,time\n1e300,0.1\n", ", row 1", "1e+300"),
        ("neuron,time,population\n0,0.1,a\n0,0.1,\n", ", row 2", "nan"),
        ("neuron,time\n0,0.1,2\n", "", re.compile("Length of header")),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    text: str, place: str, found: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with refused(ResultError, where=f"{path}{place}", found=found):
        analysis.read_spikes(path)
