"""Spike-time networks: their codes, and the ordinary networks that compute the same in steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

import bioae
from bioae.analysis import differing_spikes
from bioae.errors import NetworkError
from bioae.random import stream
from experiments.spike_response import (
    SpikeTimeLayer,
    SpikeTimeNetwork,
    TimeCode,
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


def test_a_silent_output_is_infinite() -> None:
    network = SpikeTimeNetwork((SpikeTimeLayer([[-1.0]], [1.0]),), 5.0)  # type: ignore[arg-type]
    ordinary = network.to_network()
    result = bioae.simulate(ordinary, network.images([[0.0]], ordinary), "numpy")
    assert network.decode(result["output"].to_numpy(), ordinary) == np.inf
    assert network.run_events([[0.0]]) == np.inf


def test_an_artefact_keeps_every_bit(tmp_path: Path) -> None:
    ordinary = compiled(bits=24).to_network("1*ms/8")
    bioae.save(ordinary, tmp_path / "model")
    assert bioae.load(tmp_path / "model").network.sha256 == ordinary.sha256


def test_codes() -> None:
    code = TimeCode(np.array([3.0, 4.0]), -2.0)
    np.testing.assert_array_equal(code.encode([[0.0, 0.5]]), [[3.0, 3.0]])
    np.testing.assert_array_equal(code.decode([[3.0, 3.0]]), [[0.0, 0.5]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.0), "the slope does not fit; expected a number other than 0"),
        ((0.0, np.nan), "the slope does not fit"),
        (("x", 1.0), "the spike times of 0 do not fit"),
    ],
)
def test_wrong_codes(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        TimeCode(*arguments)


ONE = (SpikeTimeLayer(np.ones((2, 3)), np.ones(2)),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 5.0), "the network has no layer"),
        ((ONE * 2, 5.0), "layers 0 and 1 do not fit"),
        ((ONE, 0.0), "the duration does not fit"),
        ((ONE, 4.1e6), "of at most 4e.06; found 4100000"),
        ((3, 5.0), "layers does not fit; expected Iterable; found 3"),
        (((3,), 5.0), "layer 0 does not fit; expected SpikeTimeLayer; found 3"),
        ((ONE, 5.0, "x"), "code does not fit; expected TimeCode; found 'x'"),
        ((ONE, 5.0, TimeCode(np.ones(4))), "the spike times of 0 of code do not fit"),
        ((ONE, 5.0, TimeCode(), 3), "output_code does not fit"),
        ((ONE, 5.0, TimeCode(), TimeCode(), None, 3), "bounds does not fit"),
    ],
)
def test_wrong_networks(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        SpikeTimeNetwork(*arguments)


def test_wrong_layers() -> None:
    with pytest.raises(NetworkError, match="the weights do not fit; expected finite numbers"):
        SpikeTimeLayer(np.array([[np.nan]]), np.ones(1))
    with pytest.raises(NetworkError, match="the thresholds do not fit; expected positive"):
        SpikeTimeLayer(np.ones((1, 1)), np.zeros(1))
    with pytest.raises(NetworkError, match=r"the delays do not fit; expected the shape \(1, 2\)"):
        SpikeTimeLayer(np.ones((1, 2)), np.ones(1), np.ones((2, 2)))


def test_wrong_values() -> None:
    network = compiled()
    ordinary = network.to_network()
    with pytest.raises(NetworkError, match="expected 3 per example; found 2"):
        network.run_events([[0.0, 1.0]])
    with pytest.raises(NetworkError, match="the values do not fit; expected finite"):
        network.run_events([[0.0, 1.0, np.inf]])
    network = replace(network, bounds=None)
    with pytest.raises(NetworkError, match="a spike is outside the presentation"):
        network.images([[-9.0, 0.0, 0.0]], ordinary)
    with pytest.raises(NetworkError, match="dt does not fit; expected a number above 0"):
        network.run_events(VALUES, 0)
    with pytest.raises(NetworkError, match="dt does not fit; expected a number above 0"):
        network.layers[0].spike_times(np.ones((1, 4)), -1)
    with pytest.raises(NetworkError, match="network does not fit; expected Network; found 3"):
        network.images(VALUES, 3)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="the outputs do not fit; expected an array of numbers"):
        network.decode("abc", ordinary)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="the result does not fit; expected DataTree; found 3"):
        network.read_times(3)  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match="expected the spikes of layers/layer1"):
        network.read_times(xr.DataTree())
    with pytest.raises(NetworkError, match="dt"):
        network.to_network("3*mV")


def test_spike_times_are_read_in_the_order_of_a_result() -> None:
    network = delayed()
    values = 4 * (VALUES[:4] + 1)
    inputs = network.to_network()
    images = network.images(values, inputs)
    expected = network.spike_times(values, 1.0)
    assert np.isfinite(expected[1]).any()
    images = replace(images, indices=np.array([12, 3, 10, 7]))
    numbered = bioae.simulate(inputs, images, "numpy")
    for result, order in (
        (numbered, [0, 1, 2, 3]),
        (numbered.isel(example=[3, 2, 1, 0]), [3, 2, 1, 0]),
        (numbered.isel(example=[2, 0]), [2, 0]),
    ):
        for found, wanted in zip(network.read_times(result), expected, strict=True):
            np.testing.assert_allclose(found, wanted[order])
    turned = numbered.map_over_datasets(
        lambda data: data.transpose("neuron", ..., missing_dims="ignore")
    )
    with pytest.raises(NetworkError, match=r"expected counts of \(example, neuron\)"):
        network.read_times(turned)


@pytest.mark.parametrize("bounds", [(0.0,), (1.0, 0.0), (0.0, 1.0, 2.0)])
def test_bounds_are_two_in_order(bounds: Any) -> None:
    with pytest.raises(NetworkError, match="the bounds do not fit; expected two"):
        replace(delayed(), bounds=bounds)
    network = replace(delayed(), bounds=(0.0, 1.0))
    with pytest.raises(NetworkError, match="value 1 of example 0 is out of the bounds"):
        network.encode([[0.5, 2.0, 0.5]])
