"""Compiled ReLU networks: against the forward pass, and on a grid."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioae.errors import NetworkError
from bioae.random import stream
from experiments.spike_response import compile_relu, relu_outputs


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


def test_inputs_have_their_own_bounds() -> None:
    weights, biases = network(5, [2, 6, 2])
    low, high = np.array([-1.0, 100.0]), np.array([1.0, 101.0])
    values = low + (high - low) * stream(5, 1).random((20, 2))
    compiled = compile_relu(weights, biases, low=low, high=high)
    expected = relu_outputs(weights, biases, values)
    np.testing.assert_allclose(compiled.run_events(values), expected, rtol=1e-10)


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_neurons_wait_for_their_last_input(weight: float) -> None:
    compiled = compile_relu([[[weight, weight]]], [[0.0]])
    values = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    waited = compiled.spike_times(values)[0] - compiled.encode(values).max(1, keepdims=True)
    assert waited.min() >= 16.0 / 4


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


@pytest.mark.parametrize("change", [{"window": 1e6}, {"biases": [[1e30], [0.0]]}])
def test_spike_times_that_are_too_late_are_refused(change: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"weights": [[[1.0]], [[1.0]]], "biases": [[0.0], [0.0]]}
    with pytest.raises(NetworkError, match="does not compile to spike times"):
        compile_relu(**arguments | change)
