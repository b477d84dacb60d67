"""Spike times: closed forms, a fine grid of time, compiled ReLU networks, and steps in Brian2."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import bioae
from bioae.analysis import differing_spikes
from bioae.errors import NetworkError
from bioae.random import stream
from experiments.spike_response import (
    SpikeTimeLayer,
    SpikeTimeNetwork,
    causal_sets,
    compile_relu,
    relu_outputs,
    spike_times,
)

FIRST, DT = 12.0, 2.0**-10


def potential(t: NDArray[Any], times: Any, weights: Any) -> NDArray[np.float64]:
    """Return the potential of one neuron at times t, straight from its definition."""
    return np.asarray(np.maximum(t[:, None] - np.asarray(times), 0) @ np.asarray(weights))


def test_a_reference_and_an_input_of_minus_half_rectify() -> None:
    """``t* + max(0, t* - t)`` with ``t* = t1 + theta/w1``, for inputs before and after t*."""
    late = np.linspace(-20, 20, 41)
    fired = spike_times(np.column_stack([np.full(41, 1.5), late]), [[2.0, -1.0]], [3.0])[:, 0]
    np.testing.assert_allclose(fired, 3.0 + np.maximum(0, 3.0 - late), atol=1e-14)


def test_the_spike_time_jumps_as_an_inhibitory_input_crosses_the_first_spike() -> None:
    before, after = spike_times([[0, 0.99, 2], [0, 1.0, 2]], [[1, -2, 3]], [1])[:, 0]
    assert before == pytest.approx((1 - 2 * 0.99 + 3 * 2) / 2)
    assert after == 1.0


@given(seed=st.integers(0, 2**32), inputs=st.integers(1, 5), mixed=st.booleans())
def test_times_are_those_of_a_fine_grid(seed: int, inputs: int, mixed: bool) -> None:
    draw = stream(seed, 0)
    times = 4 * draw.random(inputs)
    weights = draw.normal(size=inputs) if mixed else draw.random(inputs) + 0.1
    grid = np.arange(0, FIRST, DT)
    heights = potential(grid, times, weights)
    fired = float(spike_times([times], [weights], [1.0])[0, 0])
    reached = grid[heights >= 1.0]
    if not len(reached):
        # Between two points of the grid the potential may touch the threshold.
        assert fired > FIRST - DT or heights.max() > 1 - DT * np.abs(weights).sum()
        return
    assert fired <= reached[0]
    assert potential(np.array([fired]), times, weights)[0] == pytest.approx(1.0, abs=1e-12)
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


def network(seed: int, sizes: list[int]) -> tuple[list[Any], list[Any]]:
    draw = stream(seed, 0)
    pairs = list(pairwise(sizes))
    weights = [draw.normal(size=(b, a)) * np.sqrt(2 / a) for a, b in pairs]
    return weights, [draw.normal(size=size) / 2 for size in sizes[1:]]


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    window=st.sampled_from([0.5, 16.0, 100.0]),
)
def test_outputs_are_those_of_the_relu_network(seed: int, sizes: list[int], window: float) -> None:
    weights, biases = network(seed, sizes)
    compiled = compile_relu(weights, biases, low=-2.0, high=1.0, window=window)
    values = 3 * stream(seed, 1).random((20, sizes[0])) - 2
    values[:2] = [[-2.0], [1.0]]  # the bounds themselves
    expected = relu_outputs(weights, biases, values)
    np.testing.assert_allclose(compiled.run_events(values), expected, atol=1e-10)
    assert len(compiled.layers) == 2 * len(sizes) - 3
    # Every neuron fires, within the presentation.
    for times in compiled.spike_times(values):
        assert (times < compiled.duration).all()
        assert (times > 0).all()


def test_values_out_of_bounds_are_refused_where_outputs_would_be_others() -> None:
    weights, biases = network(3, [3, 8, 1])
    compiled = compile_relu(weights, biases, low=-1.0, high=1.0)
    values = np.full((1, 3), 40.0) * [1, -1, 1]
    unbounded = replace(compiled, bounds=None)
    far = np.abs(unbounded.run_events(values) - relu_outputs(weights, biases, values))
    assert far.max() > 1e-3
    with pytest.raises(NetworkError, match=r"value 0 of example 0 .* from -1 to 1; found 40"):
        compiled.run_events(values)
    compiled.run_events([[1.0, -1.0, 1.0]])


@pytest.mark.parametrize("bits", [8, 12, 24])
def test_weights_on_a_grid_keep_their_sum(bits: int) -> None:
    weights, biases = network(1, [4, 16, 1])
    compiled = compile_relu(weights, biases, low=-1.0, high=1.0, bits=bits)
    for layer in compiled.layers:
        for values in (layer.weights, layer.thresholds):
            np.testing.assert_array_equal(values * 2.0**bits, np.rint(values * 2.0**bits))
    for layer in (compiled.layers[0], compiled.layers[2]):  # the affine ones
        np.testing.assert_array_equal(layer.weights.sum(1), 1.0)
    values = 2 * stream(1, 1).random((50, 4)) - 1
    error = np.abs(compiled.run_events(values) - relu_outputs(weights, biases, values)).max()
    assert 1e-3 * 2.0**-bits < error < 100 * 2.0**-bits


WEIGHTS = [stream(0, 0).normal(size=(6, 3)), stream(0, 1).normal(size=(2, 6))]
BIASES: list[Any] = [stream(0, 2).normal(size=6) / 2, [0.5, -0.5]]
VALUES = 2 * stream(0, 3).random((6, 3)) - 1


def compiled(**changes: Any) -> SpikeTimeNetwork:
    return compile_relu(WEIGHTS, BIASES, low=-1.0, high=1.0, **changes)


def drawn() -> SpikeTimeNetwork:
    draw = stream(7, 0)
    layers = [
        SpikeTimeLayer(np.rint(draw.normal(size=(4, 3)) * 64) / 64 + 0.5, np.ones(4)),
        SpikeTimeLayer(np.rint(draw.normal(size=(2, 4)) * 64) / 64 + 0.5, np.full(2, 2.0)),
    ]
    return SpikeTimeNetwork(tuple(layers), 60.0)


@pytest.mark.medium
@pytest.mark.parametrize("dt", [1.0, 0.25])
@pytest.mark.parametrize(
    ("network", "values"),
    [(compiled(bits=24), VALUES), (drawn(), 4 * (VALUES + 1))],
    ids=["compiled", "drawn"],
)
def test_brian2_the_mirror_and_events_in_steps_agree(
    network: SpikeTimeNetwork, values: NDArray[np.float64], dt: float
) -> None:
    pytest.importorskip("torch")
    from bioae import simulate

    ordinary = network.to_network(f"{dt}*ms")
    images = network.images(values, ordinary)
    result, mirror = bioae.simulate(ordinary, images, "numpy"), simulate(ordinary, images, "torch")
    assert int(differing_spikes(result, mirror)["differing"].sum()) == 0
    in_steps = network.spike_times(values, dt)
    for found, times in zip(network.read_times(result), in_steps, strict=True):
        assert np.isfinite(times).mean() > 0.5
        np.testing.assert_array_equal(found, times)
    outputs = network.decode(result["output"].to_numpy(), ordinary)
    np.testing.assert_allclose(outputs, network.run_events(values, dt), atol=1e-12)


def test_the_error_of_time_steps_shrinks_with_them() -> None:
    network, exact = compiled(), relu_outputs(WEIGHTS, BIASES, VALUES)
    errors = [np.abs(network.run_events(VALUES, dt) - exact).mean() for dt in (1, 1 / 8, 1 / 64)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 1e-3


@pytest.mark.medium
def test_a_neuron_fires_once() -> None:
    """A late excitatory spike would make it fire again."""
    network = SpikeTimeNetwork((SpikeTimeLayer(np.ones((1, 2)), np.ones(1)),), 20.0)
    ordinary = network.to_network()
    result = bioae.simulate(ordinary, network.images([[0.0, 5.0]], ordinary), "numpy")
    assert result["layers/layer1"]["spike_time_ms"].to_numpy().tolist() == [1.0]
    # It would, without the refractory period.
    twice = bioae.Network(ordinary.config, {**ordinary.weights, "layer1.t_ref": np.zeros(())})
    result = bioae.simulate(twice, network.images([[0.0, 5.0]], ordinary), "numpy")
    assert result["layers/layer1"]["spike_time_ms"].to_numpy().tolist() == [1.0, 6.0]
    assert network.read_times(result)[0] == 1.0
