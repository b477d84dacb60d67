"""Initial weights, biases, and parameters that differ between neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import conv, dense, described
from refusals import refused
from scipy.stats import kstest, lognorm

from bioae.errors import NetworkError
from bioae.networks import Network, NetworkConfig

LAYERS: list[dict[str, Any]] = [
    conv("a", 8, 3, initial="orthogonal", gain=3.0, recurrent=True, recurrent_gain=0.5, bias=True),
    dense("b", 30, initial="orthogonal", gain=1.5, recurrent=True, autapses=True, bias=True),
    dense("c", shape=[2, 6, 6], recurrent=True, recurrent_gain=0.1),
]


def config(*layers: dict[str, Any], **fields: Any) -> NetworkConfig:
    return described(*(layers or LAYERS), **{"input_shape": [2, 6, 6], **fields})


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.initialise(config(), seed=3)


# Orthogonal weights


@pytest.mark.parametrize(
    ("name", "gain"), [("a.weight", 3.0), ("b.weight", 1.5), ("b.recurrent", 1.5)]
)
def test_singular_values_of_orthogonal_weights_are_the_gain(
    network: Network, name: str, gain: float
) -> None:
    values = network.weights[name]
    matrix = values.reshape(len(values), -1)
    assert np.linalg.svd(matrix, compute_uv=False) == pytest.approx(gain, rel=1e-12)


def test_orthogonal_recurrent_weights_without_autapses(network: Network) -> None:
    weights = network.weights["a.recurrent"]
    assert not weights.diagonal().any()
    # All but the diagonal of an orthogonal matrix times 0.5: its rows have almost the length 0.5.
    lengths = np.linalg.norm(weights, axis=1)
    assert (lengths <= 0.5).all()
    assert lengths == pytest.approx(0.5, rel=8 / len(weights))


def test_orthogonal_matrices_are_uniformly_distributed() -> None:
    # In one dimension an orthogonal matrix is 1 or -1.
    single = dense("b", 1, initial="orthogonal", gain=1.0)
    last = dense("c", shape=[1, 1, 1])
    signs = [
        Network.initialise(config(single, last, input_shape=[1, 1, 1]), seed=seed)
        .weights["b.weight"]
        .item()
        for seed in range(64)
    ]
    assert set(signs) == {-1.0, 1.0}
    assert 16 < signs.count(1.0) < 48


def test_numbers_and_bounds_of_initial_weights() -> None:
    layer = dense("b", 30, initial=[0.25, 0.75], recurrent=True, recurrent_initial=-2.0)
    found = Network.initialise(config(layer, dense("c", shape=[2, 6, 6], initial=1)), seed=1)
    uniform = found.weights["b.weight"]
    assert kstest(uniform.ravel(), "uniform", args=(0.25, 0.5)).pvalue > 1e-3
    assert (found.weights["b.recurrent"] == -2 * (1 - np.eye(30))).all()
    assert (found.weights["c.weight"] == 1).all()


def test_the_gain_of_recurrent_weights(network: Network) -> None:
    values = network.weights["c.recurrent"]
    drawn = values[~np.eye(72, dtype=bool)]
    expected = 0.1 * np.sqrt(2 / 71)
    assert drawn.std() == pytest.approx(expected, rel=6 / np.sqrt(2 * drawn.size))
    assert network.weights["c.weight"].std() > 10 * drawn.std()


# Biases


def test_biases_are_0_at_first(network: Network) -> None:
    for name, size in (("a.bias", 8), ("b.bias", 30)):
        np.testing.assert_array_equal(network.weights[name], np.zeros(size))


def test_biases_of_neurons_are_those_of_their_channel(network: Network) -> None:
    changed = {"a.bias": np.arange(8.0), "b.bias": np.arange(30.0)}
    a, b, c = network.config.placed
    varied = Network(network.config, {**network.weights, **changed})
    biases = varied.biases(a)
    assert biases is not None
    assert (biases.reshape(a.shape) == np.arange(8.0)[:, None, None]).all()
    assert (varied.biases(b) == np.arange(30.0)).all()
    assert varied.biases(c) is None


# Spread


def spread(value: Any, **fields: Any) -> Network:
    """A network of 2000 neurons with a spread of tau, whose bounds are 5 ms and 500 ms."""
    wide = dense("a", 2000, spread={"tau": value}, **fields)
    return Network.initialise(config(wide, dense("b", shape=[2, 6, 6])), seed=5)


def test_a_pair_is_the_range_of_a_uniform_distribution() -> None:
    tau = spread(["20*ms", "200*ms"]).weights["a.tau"]
    assert tau.shape == (2000,)
    assert kstest(tau, "uniform", args=(0.02, 0.18)).pvalue > 0.001
    assert len(np.unique(tau)) == 2000


def test_a_number_is_the_variation_of_a_log_normal_distribution() -> None:
    network = spread(0.2, parameters={"tau": "50*ms"})
    sigma = np.sqrt(np.log1p(0.2**2))
    expected = lognorm(sigma, scale=0.05 * np.exp(-(sigma**2) / 2))
    tau = network.weights["a.tau"]
    assert kstest(tau, expected.cdf).pvalue > 0.001
    # Both the neurons and their read-out have it.
    placed = network.config.placed[0]
    assert (network.parameters(placed)["tau"] == tau).all()
    assert (network.parameters(placed, readout=True)["tau"] == tau).all()
    # It is independent of a later change by the same seed.
    later = network.with_spread({"tau": 0.2}, seed=5).weights["a.tau"]
    assert abs(np.corrcoef(np.log(tau), np.log(later / tau))[0, 1]) < 0.15


def test_values_stay_within_the_bounds_of_training() -> None:
    tau = spread(3.0, parameters={"tau": "400*ms"}).weights["a.tau"]
    assert 0.005 <= tau.min() < 0.02
    assert 0.45 < tau.max() <= 0.5


# What is refused


def test_a_shared_parameter_has_no_spread() -> None:
    shared = {
        "description": "A common clock.",
        "equations": """
dv/dt = (common - v)/tau : 1
common = theta*t/second : 1 (shared, constant over dt)
""",
        "threshold": "v > 1",
        "reset": "v = 0",
        "input": "v",
        "parameters": {"tau": "20*ms", "theta": "1"},
    }
    layers = dense("a", 3, spread={"theta": 0.1}), dense("b", shape=[2, 6, 6])
    own = config(*layers, neuron="shared", neurons={"shared": shared})
    with refused(NetworkError, where="layer 'a', spread of 'theta'"):
        Network.initialise(own)
