"""Spike-time networks: their codes, and the ordinary networks that compute the same in steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import bioae
from bioae.analysis import differing_spikes
from bioae.errors import NetworkError
from bioae.random import stream
from experiments.spike_response import (
    SpikeTimeLayer,
    SpikeTimeNetwork,
    compile_relu,
    relu_outputs,
)

WEIGHTS = [stream(0, 0).normal(size=(6, 3)), stream(0, 1).normal(size=(2, 6))]
BIASES: list[Any] = [stream(0, 2).normal(size=6) / 2, [0.5, -0.5]]
VALUES = 2 * stream(0, 3).random((6, 3)) - 1


def compiled(**changes: Any) -> SpikeTimeNetwork:
    return compile_relu(WEIGHTS, BIASES, low=-1.0, high=1.0, **changes)


def delayed() -> SpikeTimeNetwork:
    draw = stream(7, 0)
    layers = [
        SpikeTimeLayer(
            np.rint(draw.normal(size=(4, 3)) * 64) / 64 + 0.5,
            np.ones(4),
            np.rint(2 * draw.random((4, 3))),
        ),
        SpikeTimeLayer(np.rint(draw.normal(size=(2, 4)) * 64) / 64 + 0.5, np.full(2, 2.0)),
    ]
    return SpikeTimeNetwork(tuple(layers), 60.0)


@pytest.mark.medium
@pytest.mark.parametrize("dt", [1.0, 0.25])
@pytest.mark.parametrize(
    ("network", "values"),
    [(compiled(bits=24), VALUES), (delayed(), 4 * (VALUES + 1))],
    ids=["compiled", "delayed"],
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


@pytest.mark.medium
@pytest.mark.parametrize(
    ("weights", "threshold", "times", "step"),
    [
        ([2.0**40], 1.0, [3.0], 4.0),  # crosses within rounding of the arrival
        ([2.0**60], 1.0, [3.0], 4.0),
        ([1.0], 3 + 2.0**-14, [0.0], 4.0),
        ([1.0, -2.0], 2.0, [0.0, 2.0], 2.0),  # touches as the second input arrives
        ([1.0, 2.0**40], 2 + 2.0**-8, [0.0, 2.0], 3.0),
    ],
)
def test_steps_of_crossings_close_to_a_step(
    weights: list[float], threshold: float, times: list[float], step: float
) -> None:
    network = SpikeTimeNetwork((SpikeTimeLayer([weights], [threshold]),), 9.0)  # type: ignore[arg-type,list-item]
    ordinary = network.to_network()
    result = bioae.simulate(ordinary, network.images([times], ordinary), "numpy")
    assert network.read_times(result)[0] == network.spike_times([times], 1.0)[0] == step


def test_the_error_of_time_steps_shrinks_with_them() -> None:
    network, exact = compiled(), relu_outputs(WEIGHTS, BIASES, VALUES)
    errors = [np.abs(network.run_events(VALUES, dt) - exact).mean() for dt in (1, 1 / 8, 1 / 64)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 1e-3


@pytest.mark.medium
def test_a_neuron_fires_once() -> None:
    """A late excitatory spike would make it fire again."""
    network = SpikeTimeNetwork((SpikeTimeLayer([[1.0, 1.0]], [1.0]),), 20.0)  # type: ignore[arg-type]
    ordinary = network.to_network()
    result = bioae.simulate(ordinary, network.images([[0.0, 5.0]], ordinary), "numpy")
    assert result["layers/layer1"]["spike_time_ms"].to_numpy().tolist() == [1.0]
    # It would, without the refractory period.
    weights = {**ordinary.weights, "layer1.t_ref": np.zeros(())}
    twice = bioae.Network(ordinary.config, weights)
    result = bioae.simulate(twice, network.images([[0.0, 5.0]], ordinary), "numpy")
    assert result["layers/layer1"]["spike_time_ms"].to_numpy().tolist() == [1.0, 6.0]
    assert network.read_times(result)[0] == 1.0


def test_a_spike_outside_the_presentation_is_refused() -> None:
    network = replace(compiled(), bounds=None)
    with pytest.raises(NetworkError, match="a spike is outside the presentation"):
        network.images([[-9.0, 0.0, 0.0]], network.to_network())
