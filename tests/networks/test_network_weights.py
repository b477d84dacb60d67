"""Networks with weights and delays: initialisation, rounding, hashes, changes and synapses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import conv, dense, described

from bioae.equations import load_neuron
from bioae.networks import Network, NetworkConfig
from bioae.networks.artefact import load, save


@pytest.fixture(scope="module")
def config() -> NetworkConfig:
    layers = [conv("a", 8, 5, recurrent=True), dense("b", 40, gain=0.5)]
    return described(*layers, dense("c", shape=[1, 9, 9]), input_shape=[1, 9, 9])


@pytest.fixture(scope="module")
def network(config: NetworkConfig) -> Network:
    return Network.initialise(config, seed=3)


@pytest.mark.parametrize(
    ("name", "gain", "fan_in"),
    [("a.weight", 1, 25), ("a.recurrent", 1, 200), ("b.weight", 0.5, 200), ("c.weight", 2, 40)],
)
def test_initial_spread(network: Network, name: str, gain: float, fan_in: int) -> None:
    values = network.weights[name]
    expected = gain * np.sqrt(2 / fan_in)
    # Six standard errors: of the mean, and of the standard deviation.
    assert abs(values.mean()) < 6 * expected / np.sqrt(values.size)
    assert abs(values.std() - expected) < 6 * expected / np.sqrt(2 * values.size)


def test_each_array_has_a_separate_stream(config: NetworkConfig, network: Network) -> None:
    again = Network.initialise(config, seed=3).weights
    other = Network.initialise(config, seed=4).weights
    first = config.layers[0].model_copy(update={"recurrent": False})
    shorter = config.varied(layers=(first, *config.layers[1:]))
    without = Network.initialise(shorter, seed=3).weights
    for name, values in network.weights.items():
        assert (values == again[name]).all()
        drawn = values != 0  # no neuron feeds itself
        assert drawn.mean() > 0.9
        assert not (values == other[name])[drawn].any()
        if name != "a.recurrent":
            assert (values == without[name]).all()
    heads = [tuple((v / v.std()).ravel()[:3]) for v in network.weights.values()]
    assert len(set(heads)) == len(heads)


def test_trained_parameters_replace_those_of_the_model(network: Network) -> None:
    trained = {"b.tau": np.array(0.05), "b.theta": np.full(40, 2.0)}
    with_trained = Network(network.config, {**network.weights, **trained})
    a, b, _ = network.config.placed
    assert with_trained.parameters(a)["tau"] == network.parameters(b)["tau"] == 0.1
    assert with_trained.parameters(b, readout=True) == {"tau": 0.05}
    assert (with_trained.parameters(b)["theta"] == trained["b.theta"]).all()


def test_quantised_weights_are_on_the_grid(network: Network) -> None:
    trained = {"b.tau": np.array(0.1234567)}
    rounded = Network(network.config, {**network.weights, **trained}).quantised()
    for name, values in network.weights.items():
        ticks = rounded.weights[name] * 4096
        assert (ticks == np.rint(ticks)).all()
        assert len(np.unique(ticks)) > 10
        assert np.abs(rounded.weights[name] - values).max() <= 0.5 / 4096
    assert rounded.weights["b.tau"] == 0.1234567
    assert rounded.quantised().sha256 == rounded.sha256
    assert network.quantised(bits=1).sha256 != network.quantised().sha256


def test_hash_ignores_the_order_of_arrays_and_keys(network: Network) -> None:
    backwards = Network(network.config, dict(reversed(list(network.weights.items()))))
    copied = Network(network.config, {n: np.asfortranarray(v) for n, v in network.weights.items()})
    values = dict(reversed(network.config.to_mapping().items()))
    again = Network(NetworkConfig.from_mapping(values, where="net.toml"), network.weights)
    assert network.sha256 == backwards.sha256 == copied.sha256 == again.sha256


def test_hash_sees_the_last_bit_of_every_array(network: Network) -> None:
    for name, values in network.weights.items():
        changed = values.copy()
        changed.flat[-2] = np.nextafter(changed.flat[-2], np.inf)
        assert network.with_weights({name: changed}).sha256 != network.sha256


def test_hash_sees_the_description(network: Network) -> None:
    other = load_neuron("lif").with_parameters({"tau": "99*ms"}).to_mapping()
    changes: list[dict[str, Any]] = [
        {"dt": "2*ms"}, {"steps": 24}, {"schedule": "paper"}, {"latent": "b"}, {"neuron": "alif"},
        {"encoder": {"kind": "bernoulli", "rate": 0.1}}, {"decoder": {"kind": "last"}},
        {"neurons": {"lif": other}},
    ]  # fmt: skip
    hashes = {network.sha256}
    for change in changes:
        values = {**network.config.to_mapping(), **change}
        varied = NetworkConfig.from_mapping(values, where="net.toml")
        hashes.add(Network(varied, network.weights).sha256)
    assert len(hashes) == 1 + len(changes)


@pytest.mark.parametrize("copy", [True, False])
def test_with_neuron_keeps_weights_and_common_parameters(network: Network, *, copy: bool) -> None:
    """By name and unit: adex has no tau, and lif_refractory theta in mV."""
    own = {"b.tau": np.array(0.05), "c.theta": np.linspace(0.5, 1, 81)}
    trained = Network(network.config, {**network.weights, **own})
    assert [placed.model.name for placed in trained.config.placed] == ["lif"] * 3
    varied = trained.with_neuron("alif", calibrate="none", copy=copy)
    assert own.keys() & varied.weights.keys() == (own.keys() if copy else set())
    assert all(varied.weights[name] is trained.weights[name] for name in own if copy)
    millivolts = trained.with_neuron("lif_refractory", calibrate="none", copy=copy)
    assert own.keys() & millivolts.weights.keys() == ({"b.tau"} if copy else set())
    assert not own.keys() & trained.with_neuron("adex", calibrate="none").weights.keys()
    varied = trained.with_neuron("alif", calibrate="none", copy=False)
    assert [placed.model.name for placed in varied.config.placed] == ["alif"] * 3
    kept = {f"{name}.readout.tau": tau for name, tau in zip("abc", (0.1, 0.05, 0.1), strict=True)}
    assert varied.weights.keys() == network.weights.keys() | kept.keys()
    assert all(varied.weights[name] == tau for name, tau in kept.items())
    assert all(varied.weights[name] is values for name, values in network.weights.items())
    assert varied.sha256 != trained.sha256


def delayed(**changes: Any) -> Network:
    layers = [
        conv("a", 8, 5, delay=["1.5*ms", "4*ms"]),
        dense("b", 40, delay="2.4*ms", recurrent=True, recurrent_delay=["0*ms", "3*ms"]),
        dense("c", shape=[1, 9, 9], recurrent=True, autapses=True),
    ]
    return Network.initialise(described(*layers, input_shape=[1, 9, 9], **changes), seed=1)


def test_delays_are_drawn_uniformly_among_multiples_of_the_time_step() -> None:
    network = delayed(dt="0.5*ms", steps=20)
    drawn = {name: values for name, values in network.weights.items() if name.endswith("_delay")}
    assert {name: values.shape for name, values in drawn.items()} == {
        "a.weight_delay": (8, 1, 5, 5), "b.recurrent_delay": (40, 40),
    }  # fmt: skip
    for name, first, last in (("a.weight_delay", 3, 8), ("b.recurrent_delay", 0, 6)):
        steps, counts = np.unique(drawn[name] / 0.0005, return_counts=True)
        np.testing.assert_allclose(steps, np.arange(first, last + 1), rtol=1e-12)
        # Five standard deviations of a binomial count.
        expected = drawn[name].size / len(steps)
        assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_delays_are_rounded_to_steps() -> None:
    network = delayed()
    a, b, c = map(network.delays, network.config.placed)
    assert a.keys() == {"a.weight"}
    assert set(a["a.weight"].ravel()) == {2, 3, 4}
    assert b["b.weight"] == 2
    assert set(b["b.recurrent"].ravel()) == {0, 1, 2, 3}
    assert c["c.weight"] == c["c.recurrent"] == 0


def test_changes_of_a_network_keep_its_delays(tmp_path: Path) -> None:
    network = delayed()
    save(network, tmp_path / "model")
    assert load(tmp_path / "model").network.sha256 == network.sha256
    for other in (network.quantised(2), network.with_neuron("alif"), network.with_time(steps=9)):
        for name in ("a.weight_delay", "b.recurrent_delay"):
            np.testing.assert_array_equal(other.weights[name], network.weights[name])
    later = network.with_weights({"a.weight_delay": network.weights["a.weight_delay"][::-1]})
    assert later.sha256 != network.sha256


def test_without_autapses_no_neuron_projects_to_itself() -> None:
    network = delayed()
    assert not network.weights["b.recurrent"].diagonal().any()
    assert network.weights["c.recurrent"].diagonal().all()
    for placed, count in zip(network.config.placed[1:], (40 * 39, 81 * 81), strict=True):
        synapses = placed.projection(f"{placed.name}.recurrent").connections(network.weights)
        assert len(synapses.source) == count
        assert (synapses.source == synapses.target).any() == placed.layer.autapses


@pytest.mark.parametrize("autapses", [False, True])
def test_every_synapse_is_counted_at_its_source(autapses: bool) -> None:
    pool = {"kind": "sum_pool2d", "name": "pool", "kernel": 2, "stride": 1}
    layers = (
        conv("first", 2, 3), pool,
        dense("second", 5, recurrent=True, autapses=autapses), dense("last", shape=[1, 6, 6]),
    )  # fmt: skip
    network = Network.initialise(described(*layers, input_shape=[1, 6, 6]))
    received = network.synapse_counts()
    for placed in network.config.placed:
        source = placed.layer.connections(placed.input_shape).source
        forward = np.bincount(source, minlength=np.prod(placed.input_shape))
        received_from = received[placed.name]
        np.testing.assert_array_equal(received_from.pop(placed.projections[0].source), forward)
        if placed.layer.recurrent:
            own = np.zeros(placed.size, np.int64)
            recurrent = placed.projection(f"{placed.name}.recurrent")
            np.add.at(own, recurrent.connections(network.weights).source, 1)
            np.testing.assert_array_equal(received_from["second"], own)
            assert own.tolist() == [5 if autapses else 4] * 5
