"""Initial weights, biases, and parameters that differ between neurons or are random."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import LEAKY, conv, dense, described, model
from refusals import refused
from scipy.stats import kstest, lognorm

from bioae.equations.declarations import parameter_values
from bioae.equations.lowering.lowering import lower
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.noise import Key, draw

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


@pytest.mark.parametrize(
    ("name", "gain"), [("a.weight", 3.0), ("b.weight", 1.5), ("b.recurrent", 1.5)]
)
def test_orthogonal_weights_have_their_gain(network: Network, name: str, gain: float) -> None:
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
    assert kstest(found.weights["b.weight"].ravel(), "uniform", args=(0.25, 0.5)).pvalue > 1e-3
    assert (found.weights["b.recurrent"] == -2 * (1 - np.eye(30))).all()
    assert (found.weights["c.weight"] == 1).all()


def test_biases_of_neurons_are_those_of_their_channel(network: Network) -> None:
    changed = {"a.bias": np.arange(8.0), "b.bias": np.arange(30.0)}
    a, b, c = network.config.placed
    varied = Network(network.config, {**network.weights, **changed})
    biases = varied.biases(a)
    assert biases is not None
    assert (biases.reshape(a.shape) == np.arange(8.0)[:, None, None]).all()
    assert (varied.biases(b) == np.arange(30.0)).all()
    assert varied.biases(c) is None


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


def test_a_shared_parameter_has_no_spread() -> None:
    shared = {
        **LEAKY, "parameters": {"tau": "20*ms", "theta": "1"}, "equations": """
dv/dt = (common - v)/tau : 1
common = theta*t/second : 1 (shared, constant over dt)
""",
    }  # fmt: skip
    layers = dense("a", 3, spread={"theta": 0.1}), dense("b", shape=[2, 6, 6])
    own = config(*layers, neuron="shared", neurons={"shared": shared})
    with refused(NetworkError, where="layer 'a', spread of 'theta'"):
        Network.initialise(own)


#: Neurons that differ.
FIELDS: dict[str, Any] = {
    **LEAKY, "equations": "dv/dt = -v/tau : 1\ntheta : 1 (constant)", "threshold": "v > theta",
    "weight": "gain",
    "parameters": {"gain": "0.5*theta", "theta": "1 + 0.1*randn()", "tau": "(20 + 5*rand())*ms"},
}  # fmt: skip


def differing(seed: int = 0, units: int = 2000, **parameters: str) -> Network:
    return of_model({**FIELDS, "parameters": {**FIELDS["parameters"], **parameters}}, seed, units)


def of_model(fields: dict[str, Any] | None, seed: int = 0, units: int = 2000) -> Network:
    """Return a network of a neuron model, or of shipped neurons."""
    own = {"neuron": "mine", "neurons": {"mine": fields}} if fields else {}
    layers = dense("a", units), dense("b", shape=[1, 2, 2])
    return Network.initialise(described(*layers, input_shape=[1, 2, 2], steps=5, **own), seed=seed)


def test_the_numbers_are_those_of_the_keyed_generator() -> None:
    place: dict[str, Any] = {"step": -(2**40), "population": 2, "count": 2000}
    normal = draw("normal", Key(7, [0]), **place, call=0)[0]
    uniform = draw("uniform", Key(7, [0]), **place, call=1)[0]
    weights = differing(seed=7).weights
    np.testing.assert_array_equal(weights["a.theta"], 1 + 0.1 * normal)
    np.testing.assert_array_equal(weights["a.tau"], (20 + 5 * uniform) * 0.001)
    # What names a random parameter follows it.
    np.testing.assert_array_equal(weights["a.gain"], 0.5 * weights["a.theta"])
    assert weights["b.theta"].shape == (4,)
    assert not np.isin(weights["b.theta"], weights["a.theta"]).any()


def test_the_seed_decides() -> None:
    one, same, other = differing(1), differing(1), differing(2)
    assert one.sha256 == same.sha256
    assert (one.weights["a.theta"] != other.weights["a.theta"]).all()
    again = one.with_random_parameters(2)
    np.testing.assert_array_equal(again.weights["a.theta"], other.weights["a.theta"])
    np.testing.assert_array_equal(again.weights["a.weight"], one.weights["a.weight"])
    assert again.sha256 != one.sha256


def test_another_neuron_model_draws_with_seed_0() -> None:
    plain = of_model(None, seed=5)
    changed = plain.with_neuron(model(FIELDS, "mine"), calibrate="none")
    np.testing.assert_array_equal(changed.weights["a.theta"], differing(0).weights["a.theta"])
    np.testing.assert_array_equal(changed.weights["a.weight"], plain.weights["a.weight"])
    assert not any("theta" in name for name in changed.with_neuron("lif").weights)


def test_models_alone_have_the_means() -> None:
    values = parameter_values(model(FIELDS))
    assert {name: float(value) for name, value in values.items()} == {
        "gain": 0.5, "theta": 1.0, "tau": 0.0225,
    }  # fmt: skip


def test_networks_that_cannot_have_such_parameters() -> None:
    with refused(NetworkError, "'a.tau'", expected="positive times"):
        differing(tau="(20 + 20*randn())*ms")
    shared = {"equations": "dv/dt = (g - v)/tau : 1\ng : 1 (shared)", "initial": {"g": "theta"}}
    with refused(NetworkError, "'a.theta'", expected="()", found="(3,)"):
        of_model({**FIELDS, **shared}, units=3)


RATES = {"gain": "1", "tau": "1*ms"}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"trainable": {"tau": ["5*ms", "50*ms"]}}, ("mine.toml, [trainable] tau",)),
        ({"equations": "dv/dt = -v/tau : 1\ntheta : 1"}, ("mine.toml, [parameters] theta",)),
        (
            {"equations": "dv/dt = -v/tau : 1\ntheta : integer (constant)"},
            ("mine.toml, [parameters] theta",),
        ),
        ({"parameters": {**RATES, "theta": "1", "tau": "xi*ms"}}, ("[parameters] tau", "'xi'")),
        ({"parameters": {**RATES, "theta": "rand(2)"}}, ("[parameters] theta", "rand()")),
        ({"parameters": {**RATES, "theta": "1 + 1*mV*randn()"}}, ("[parameters] theta",)),
    ],
)
def test_refused(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    with refused(ModelError, *names):
        lower(model({**FIELDS, **changes}))
