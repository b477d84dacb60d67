"""Descriptions of networks, and changes of them."""

from __future__ import annotations

import copy
import tomllib
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from brian2 import ms
from builders import LEAKY, conv, deconv, dense, drawn
from refusals import refused

from bioae import simulate
from bioae.equations import load_neuron
from bioae.errors import NetworkError
from bioae.networks import Network, NetworkConfig, presets
from bioae.random import stream

LAYERS = [conv("a", 2, 3), deconv("b", 1, 3)]
WHERE = "net.toml"


def config(**changes: Any) -> NetworkConfig:
    fields = {"layers": LAYERS, "input_shape": [1, 8, 8], **changes}
    return NetworkConfig.from_mapping(fields, where=WHERE)


def with_layer(place: int, **changes: Any) -> list[dict[str, Any]]:
    return [{**layer, **changes} if i == place else layer for i, layer in enumerate(LAYERS)]


def test_presets() -> None:
    assert presets() == ("paper", "strided")
    changed = NetworkConfig.preset("strided", steps=7, neuron="alif")
    assert (changed.steps, changed.neuron) == (7, "alif")
    assert [layer.shape for layer in changed.placed] == [
        (16, 12, 12), (32, 4, 4), (100,), (32, 4, 4), (16, 12, 12), (1, 28, 28),
    ]  # fmt: skip


def test_paper_is_the_papers_network() -> None:
    paper = NetworkConfig.preset("paper")
    assert [layer.shape for layer in paper.placed] == [
        (16, 24, 24), (32, 20, 20), (100,), (32, 20, 20), (16, 24, 24), (1, 28, 28),
    ]  # fmt: skip
    counted = {p.name: len(p.layer.connections(p.input_shape).source) for p in paper.placed}
    assert counted["encoder1"] == counted["output"] == 16 * 24**2 * 25
    assert counted["latent"] == counted["decoder2"] == 12_800 * 100
    assert sum(counted.values()) == 13_260_800
    assert (paper.schedule, paper.steps, paper.latent) == ("paper", 100, "latent")
    assert paper.encoder.mean_drive(paper.steps) == pytest.approx(0.2 * 100)


@pytest.mark.parametrize("name", presets())
def test_round_trip_through_a_file(name: str) -> None:
    before = NetworkConfig.preset(name)
    text = tomli_w.dumps(before.to_mapping())
    assert NetworkConfig.from_mapping(tomllib.loads(text), where=WHERE) == before
    whole = before.self_contained()
    text = tomli_w.dumps(whole.to_mapping())
    assert NetworkConfig.from_mapping(tomllib.loads(text), where=WHERE) == whole


def test_self_contained_needs_no_files(tmp_path: Path) -> None:
    own = tmp_path / "slow.toml"
    own.write_text(load_neuron("lif").with_parameters({"tau": "300*ms"}).to_toml())
    whole = config(neuron=str(own)).self_contained()
    own.unlink()
    again = NetworkConfig.from_mapping(whole.to_mapping(), where=WHERE)
    assert again.neurons.keys() == {"slow", "leaky_readout"}
    for placed in again.placed:
        assert placed.model.parameters["tau"] == placed.readout.parameters["tau"] == "300*ms"
    assert again.self_contained() == again == whole


def test_readout_shares_the_neurons_parameters() -> None:
    first, second = config(layers=with_layer(0, parameters={"tau": "7*ms", "theta": "2"})).placed
    assert first.model.parameters == {"tau": "7*ms", "theta": "2"}
    assert first.readout.parameters == {"tau": "7*ms"}
    assert second.readout.parameters == {"tau": "100*ms"}


@pytest.mark.parametrize("decoder", [{"kind": "population", "neurons": 1}, {"kind": "max"}])
def test_decoders_of_potentials_read_a_layer_that_never_fires(decoder: dict[str, Any]) -> None:
    silent = config(decoder=decoder, layers=with_layer(1, neuron="leaky_readout"))
    assert [placed.can_fire for placed in silent.placed] == [True, False]


def test_numbers_of_numpy_are_those_of_python() -> None:
    layers = with_layer(0, channels=np.int64(LAYERS[0]["channels"]), gain=np.float32(0.5))
    found = config(input_shape=np.array([1, 8, 8]), steps=np.int16(12), layers=layers)
    assert found == config(steps=12, layers=with_layer(0, gain=0.5))


IMAGES = stream(3, 1).random((4, 1, 3, 4))

#: A model in which one parameter follows from another.
FOLLOWS = {
    **LEAKY, "threshold": "v > theta",
    "parameters": {"tau": "20*ms", "scale": "0.5", "theta": "2*scale"},
}  # fmt: skip


def network(**changes: Any) -> Network:
    return drawn(
        dense("first", 6, gain=4.0), dense("last", shape=[1, 3, 4], gain=4.0),
        input_shape=[1, 3, 4], steps=15, **changes,
    )  # fmt: skip


@pytest.mark.parametrize("tau", ["3*ms", 3 * ms, np.full(6, 3.0) * ms], ids=["text", "one", "each"])
def test_parameters_replace_those_of_the_model_and_what_was_trained(tau: Any) -> None:
    trained = network().with_weights({"first.tau": 0.5})
    found = trained.with_parameters({"tau": tau}, layers=["first"])
    np.testing.assert_allclose(found.weights["first.tau"], 3e-3)
    assert "last.tau" not in found.weights


@pytest.mark.medium
def test_parameters_act_as_those_of_a_model() -> None:
    quick = load_neuron("lif").with_parameters({"tau": "3*ms"}).to_mapping()
    networks = (
        network(), network().with_parameters({"tau": "3*ms"}),
        network(neuron="other", neurons={"other": quick}),
    )  # fmt: skip
    before, changed, expected = (
        int(simulate(each, IMAGES, "numpy")["/layers/first/spike_count"].sum()) for each in networks
    )
    assert before != changed == expected > 0


def test_parameters_that_follow_from_another_follow() -> None:
    net = network(neuron="follows", neurons={"follows": FOLLOWS})
    found = net.with_parameters({"scale": 0.75})
    assert {name: float(found.weights[f"first.{name}"]) for name in ("scale", "theta")} == {
        "scale": 0.75, "theta": 1.5,
    }  # fmt: skip
    assert "first.tau" not in found.weights
    given = net.with_parameters({"scale": 0.75, "theta": "0.25"})
    assert float(given.weights["first.theta"]) == 0.25


def test_a_lesion_leaves_the_network_as_it_was() -> None:
    net = network()
    weights = net.weights["last.weight"].copy()
    weights[:, [1, 3]] = 0.0
    lesion = net.with_weights({"last.weight": weights})
    assert lesion.sha256 != net.sha256
    np.testing.assert_array_equal(lesion.weights["last.weight"], weights)
    assert net.weights["last.weight"][:, [1, 3]].any()


def test_arrays_cannot_be_changed() -> None:
    """The hash of a network is computed once, and results name it."""
    arrays = {"last.weight": np.ones((12, 6))}
    net = network().with_weights(arrays)
    before, sent = net.sha256, ForkingPickler.loads(ForkingPickler.dumps(net))
    for each in (net, copy.deepcopy(net), sent):
        with pytest.raises(ValueError, match="read-only"):
            each.weights["first.weight"][:] = 0.0
        for change in ("pop", "__delitem__", "update", "clear"):
            with refused(NetworkError, where="weights"):
                getattr(each.weights, change)("first.weight")
        assert each.sha256 == before
    arrays["last.weight"][0, 0] = 2.0
    assert net.weights["last.weight"][0, 0] == 1.0


def test_numbers_of_any_type_are_the_same() -> None:
    same = [network().with_parameters({"theta": value}) for value in (2, np.float32(2), np.int8(2))]
    assert len({each.sha256 for each in same}) == 1


def test_a_network_shows_parameters_of_its_own() -> None:
    """Not those of the models' files, with which it does not run."""
    net = network()
    assert "tau" not in repr(net)
    lines = repr(net.with_parameters({"tau": "3*ms"}, layers=["first"])).splitlines()
    ends = ("neuron", "lif", "tau 3. ms", "lif")
    assert all(line.endswith(end) for line, end in zip(lines[1:], ends, strict=True))
    spread = repr(net.with_parameters({"tau": [1, 3] * 3 * ms}, layers=["first"]))
    assert "tau 2. ms ± 1. ms" in spread
