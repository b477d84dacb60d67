"""Event-driven spike times: against closed forms and a fine grid of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae.random import stream
from experiments.spike_response import causal_sets, spike_times

FIRST, DT = 12.0, 2.0**-10


def potential(t: NDArray[Any], times: Any, weights: Any, delays: Any = 0.0) -> NDArray[np.float64]:
    """Return the potential of one neuron at times t, straight from its definition."""
    since = np.maximum(t[:, None] - np.asarray(times) - delays, 0)
    return np.asarray(since @ np.asarray(weights))


def test_one_input_fires_after_threshold_over_weight() -> None:
    assert spike_times([[3.0]], [[0.5]], [2.0]) == 7.0
    assert spike_times([[3.0]], [[0.5]], [2.0], 0.25) == 7.25


def test_a_reference_and_an_input_of_minus_half_rectify() -> None:
    """``t* + max(0, t* - t)`` with ``t* = t1 + theta/w1``, for inputs before and after t*."""
    late = np.linspace(-20, 20, 41)
    times = np.column_stack([np.full(41, 1.5), late])
    fired = spike_times(times, [[2.0, -1.0]], [3.0])[:, 0]
    np.testing.assert_allclose(fired, 3.0 + np.maximum(0, 3.0 - late), atol=1e-14)


def test_the_spike_time_jumps_as_an_inhibitory_input_crosses_the_first_spike() -> None:
    before, after = spike_times([[0, 0.99, 2], [0, 1.0, 2]], [[1, -2, 3]], [1])[:, 0]
    assert before == pytest.approx((1 - 2 * 0.99 + 3 * 2) / 2)
    assert after == 1.0


def test_silence() -> None:
    fired = spike_times([[0.0, 1.0], [np.inf, np.inf], [np.inf, 1.0]], [[1, -2], [1, 0]], [2, 2])
    np.testing.assert_array_equal(fired, [[np.inf, 2.0], [np.inf, np.inf], [np.inf, np.inf]])


@given(
    seed=st.integers(0, 2**32),
    inputs=st.integers(1, 5),
    mixed=st.booleans(),
    delayed=st.booleans(),
)
def test_spike_times_are_those_of_a_fine_grid(
    seed: int, inputs: int, mixed: bool, delayed: bool
) -> None:
    draw = stream(seed, 0)
    times = 4 * draw.random(inputs)
    weights = draw.normal(size=inputs) if mixed else draw.random(inputs) + 0.1
    delays = draw.random(inputs) if delayed else np.zeros(inputs)
    grid = np.arange(0, FIRST, DT)
    heights = potential(grid, times, weights, delays)
    fired = float(spike_times([times], [weights], [1.0], [delays])[0, 0])
    reached = grid[heights >= 1.0]
    if not len(reached):
        # Between two points of the grid the potential may touch the threshold.
        assert fired > FIRST - DT or heights.max() > 1 - DT * np.abs(weights).sum()
        return
    assert fired <= reached[0]
    exact = potential(np.array([fired]), times, weights, delays)[0]
    assert exact == pytest.approx(1.0, abs=1e-12)
    assert (heights[grid < fired] < 1.0 + 1e-12).all()


@given(seed=st.integers(0, 2**32), inputs=st.integers(1, 6))
def test_all_inputs_of_the_causal_set_determine_the_spike(seed: int, inputs: int) -> None:
    draw = stream(seed, 0)
    times = 3 * draw.random((8, inputs))
    weights, thresholds = draw.random((2, inputs)) + 0.1, draw.random(2) + 0.1
    fired = spike_times(times, weights, thresholds)
    causal = causal_sets(times, weights, thresholds)
    assert causal.any(-1).all()
    slopes = (causal * weights).sum(-1)
    affine = (thresholds + (causal * weights * times[:, None]).sum(-1)) / slopes
    np.testing.assert_allclose(fired, affine, rtol=1e-12)


def test_many_examples_are_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = stream(0, 0)
    times, weights = draw.random((50, 4)), draw.normal(size=(3, 4)) + 0.5
    whole = spike_times(times, weights, 1.0)
    monkeypatch.setattr("experiments.spike_response.events._BLOCK", 24)
    np.testing.assert_array_equal(spike_times(times, weights, 1.0), whole)
    assert np.isfinite(whole).mean() > 0.5
