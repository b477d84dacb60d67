"""Recordings: shapes and units, parts, other time steps, and refusals."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from brian2 import amp, have_same_dimensions, ms, mV, nA, second, volt
from refusals import refused

from bioae import Recording
from bioae.errors import DataError

CURRENT = np.arange(200.0).reshape(2, 100) * nA
POTENTIAL = np.arange(200.0).reshape(2, 100) * mV
SPIKES = [[7.25 * ms, 1 * ms], np.array([0.0033, 0.01])]
RECORDING = Recording(CURRENT, dt=0.1 * ms, voltage=POTENTIAL, spikes=SPIKES)


def test_values_are_numbers_in_base_units() -> None:
    assert np.array_equal(RECORDING.input, np.asarray(CURRENT))
    assert have_same_dimensions(RECORDING.input_unit, amp)
    assert have_same_dimensions(RECORDING.voltage_unit, volt)
    assert (float(RECORDING.dt), float(RECORDING.duration)) == (1e-4, 0.01)
    assert (RECORDING.trials, RECORDING.steps, len(RECORDING)) == (2, 100, 2)
    assert [train.tolist() for train in RECORDING.spikes or ()] == [
        [0.001, 0.00725],
        [0.0033, 0.01],
    ]
    # A spike is in the step that holds its time; 0.0033 / 0.0001 is below 33.
    assert np.argwhere(RECORDING.spike_steps()).tolist() == [[0, 10], [0, 72], [1, 33], [1, 99]]
    with pytest.raises(ValueError, match="read-only"):
        RECORDING.input[0] = 0
    copy = deepcopy(RECORDING)
    assert np.array_equal(copy.input, RECORDING.input)
    assert "0. A to 199. nA" in repr(copy)
    assert "spikes" in copy._repr_html_()


def test_an_input_is_repeated_in_each_trial() -> None:
    recording = Recording(np.ones(100), dt="1*ms", spikes=[[], [0.01], [0.02]])
    assert recording.input.shape == (3, 100)
    assert recording[1:].spike_steps().sum(1).tolist() == [1, 1]
    assert Recording(np.ones(100), dt=1 * ms).spikes is None
    assert Recording(np.ones(100), dt=1 * ms, spikes=[0.01, 0.02]).trials == 1
    assert Recording(np.ones(100), dt=1 * ms, spikes=[]).spike_steps().sum() == 0


def test_parts_have_their_own_times() -> None:
    first, second_part = RECORDING.split("3.3*ms")
    assert (first.steps, second_part.steps) == (33, 67)
    for name in ("input", "voltage"):
        joined = np.concatenate([getattr(first, name), getattr(second_part, name)], 1)
        assert np.array_equal(joined, getattr(RECORDING, name))
    joined = np.concatenate([first.spike_steps(), second_part.spike_steps()], 1)
    assert np.array_equal(joined, RECORDING.spike_steps())
    np.testing.assert_allclose((second_part.spikes or ())[1], [0, 0.0067], atol=1e-15)
    one = RECORDING[-1]
    assert one.trials == 1
    assert np.array_equal(one.input, RECORDING.input[1:])
    assert np.array_equal((one.spikes or ())[0], (RECORDING.spikes or ())[1])


@pytest.mark.parametrize("dt", [0.05, 0.1, 0.2, 0.25, 0.3, 1.0])
def test_another_step_keeps_charge_potential_and_spikes(dt: float) -> None:
    other = RECORDING.resampled(dt * ms)
    steps = int(round(10 / dt, 6))
    assert other.steps == steps
    # Held input has a piecewise linear integral.
    fine = np.pad(np.cumsum(np.repeat(RECORDING.input, 100, 1), 1), ((0, 0), (1, 0)))
    edges = np.rint(np.arange(steps + 1) * dt * 1e3).astype(int)
    means = np.diff(fine[:, edges]) / (dt * 1e3)
    np.testing.assert_allclose(other.input, means, rtol=1e-9, atol=1e-20)
    expected = RECORDING.voltage[:, :1] + np.arange(steps) * dt * 0.01  # type: ignore[index]
    known = np.arange(steps) * dt <= 9.9
    np.testing.assert_allclose(other.voltage[:, known], expected[:, known])  # type: ignore[index]
    assert np.isnan(other.voltage[:, ~known]).all()  # type: ignore[index]
    assert (other.spikes or ())[0].tolist() == (RECORDING.spikes or ())[0].tolist()


def test_a_potential_of_another_step_is_interpolated_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    voltage = np.arange(20.0)
    voltage[6] = np.nan
    recording = Recording(np.ones(10), dt=1 * ms, voltage=voltage * mV, voltage_dt=0.5 * ms)
    expected = np.where(np.arange(10) == 3, np.nan, np.arange(10) * 2e-3)
    np.testing.assert_array_equal(recording.voltage, expected[None])
    assert "0.5 ms" in caplog.text
    caplog.clear()
    Recording(np.ones(20), dt=0.5 * ms, voltage=voltage, voltage_dt=0.5 * ms)
    assert not caplog.text


ONE: dict[str, Any] = {"input": np.ones(20), "dt": 1 * ms}


@pytest.mark.parametrize(
    ("changed", "where", "found"),
    [
        ({"input": [1, np.nan]}, "recording, input", "nan in step 1"),
        ({"input": [1, np.inf] * nA}, "recording, input", "inf in step 1"),
        ({"input": []}, "recording, input", "shape (0,)"),
        ({"input": np.ones((2, 2, 2))}, "recording, input", "shape (2, 2, 2)"),
        ({"dt": 1}, "recording, dt", "1"),
        ({"dt": 1 * mV}, "recording, dt", "volt"),
        ({"voltage": np.ones(21)}, "recording, voltage", "21"),
        ({"voltage": np.full(20, np.nan)}, "recording, voltage", "nan in step 0"),
        ({"voltage": [1, 2], "voltage_dt": 1.5 * ms}, "recording, voltage", "0.003 s"),
        ({"spikes": [0.03]}, "recording, spikes of trial 0", "0.03 s"),
        ({"spikes": [-0.001]}, "recording, spikes of trial 0", "-0.001 s"),
        ({"spikes": [1] * mV}, "recording, spikes", "V"),
        (
            {"spikes": [[], [0.0032, 0.0035]]}, "recording, spikes of trial 1",
            "spikes at 0.0032 s and 0.0035 s",
        ),
        ({"voltage": np.ones((2, 20)), "spikes": [[]] * 3}, "recording",
         "3 of input, 2 of voltage, 3 of spikes"),
    ],
)  # fmt: skip
def test_wrong_recordings_are_refused(changed: dict[str, Any], where: str, found: str) -> None:
    with refused(DataError, where=where, found=found):
        Recording(**{**ONE, **changed})


def test_a_step_that_separates_spikes_is_named() -> None:
    with refused(DataError, hint="A dt of at most 0.2997 ms separates them"):
        Recording(**ONE, spikes=[0.0032, 0.0035])
    with refused(DataError, found="1*second"):
        RECORDING.split("1*second")
    for which in (5, slice(5, None), "x", [2]):
        with refused(DataError, expected="some of 0 to 1"):
            RECORDING[which]  # type: ignore[index]
    with refused(DataError, where="recording, dt", found="1 s"):
        RECORDING.resampled(1 * second)
    with refused(DataError, where="recording"):
        Recording(**ONE).spike_steps()
