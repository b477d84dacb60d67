"""Descriptions of networks: presets, errors, and round trips through files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from builders import conv, deconv

from bioae.equations import load_neuron
from bioae.networks import NetworkConfig, presets

LAYERS = [conv("a", 2, 3), deconv("b", 1, 3)]
WHERE = "net.toml"


def config(**changes: Any) -> NetworkConfig:
    fields = {"layers": LAYERS, "input_shape": [1, 8, 8], **changes}
    return NetworkConfig.from_mapping(fields, where=WHERE)


def with_layer(place: int, **changes: Any) -> list[dict[str, Any]]:
    return [{**layer, **changes} if i == place else layer for i, layer in enumerate(LAYERS)]


# What is shipped


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


# What a file gives back


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
    model = load_neuron("lif").with_parameters({"tau": "300*ms"})
    own.write_text(model.to_toml())
    before = config(neuron=str(own))
    whole = before.self_contained()
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
