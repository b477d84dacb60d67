"""Delays and autapses of a network: draws, errors, changes, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from builders import conv, dense, described

from bioae.networks import Network, NetworkConfig
from bioae.networks.artefact import load, save


def config(**changes: Any) -> NetworkConfig:
    layers = [
        conv("a", 8, 5, delay=["1.5*ms", "4*ms"]),
        dense("b", 40, delay="2.4*ms", recurrent=True, recurrent_delay=["0*ms", "3*ms"]),
        dense("c", shape=[1, 9, 9], recurrent=True, autapses=True),
    ]
    fields = {"layers": layers, "input_shape": [1, 9, 9], **changes}
    return described(*fields.pop("layers"), where="net.toml", **fields)


def test_delays_are_drawn_uniformly_among_multiples_of_the_time_step() -> None:
    network = Network.initialise(config(dt="0.5*ms", steps=20), seed=1)
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
    network = Network.initialise(config(), seed=1)
    a, b, c = map(network.delays, network.config.placed)
    assert a.keys() == {"a.weight"}
    assert set(a["a.weight"].ravel()) == {2, 3, 4}
    assert b["b.weight"] == 2
    assert set(b["b.recurrent"].ravel()) == {0, 1, 2, 3}
    assert c["c.weight"] == c["c.recurrent"] == 0


def test_changes_of_a_network_keep_its_delays(tmp_path: Path) -> None:
    network = Network.initialise(config(), seed=1)
    save(network, tmp_path / "model")
    stored = load(tmp_path / "model").network
    assert stored.sha256 == network.sha256
    for other in (network.quantised(2), network.with_neuron("alif"), network.with_time(steps=9)):
        for name in ("a.weight_delay", "b.recurrent_delay"):
            np.testing.assert_array_equal(other.weights[name], network.weights[name])
    later = network.with_weights({"a.weight_delay": network.weights["a.weight_delay"][::-1]})
    assert later.sha256 != network.sha256


def test_without_autapses_no_neuron_projects_to_itself() -> None:
    network = Network.initialise(config(), seed=1)
    assert not network.weights["b.recurrent"].diagonal().any()
    assert network.weights["c.recurrent"].diagonal().all()
    for placed, count in zip(network.config.placed[1:], (40 * 39, 81 * 81), strict=True):
        synapses = placed.layer.recurrent_connections(placed.input_shape)
        assert len(synapses.source) == count
        assert (synapses.source == synapses.target).any() == placed.layer.autapses
