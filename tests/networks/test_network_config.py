"""Descriptions of networks: presets, errors, and round trips through files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from builders import conv, deconv, dense

from bioae.equations import load_neuron
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network, NetworkConfig, presets

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


def test_strided_mirrors_its_encoder() -> None:
    strided = NetworkConfig.preset("strided")
    shapes = [(1, 28, 28), *(layer.shape for layer in strided.placed)]
    assert shapes == [
        (1, 28, 28), (16, 12, 12), (32, 4, 4), (100,), (32, 4, 4), (16, 12, 12), (1, 28, 28),
    ]  # fmt: skip


def test_presets_can_be_changed() -> None:
    changed = NetworkConfig.preset("strided", steps=7, neuron="alif")
    assert (changed.steps, changed.neuron) == (7, "alif")
    assert changed.layers == NetworkConfig.preset("strided").layers
    with pytest.raises(NetworkError, match=r"unknown network 'small'; expected one of paper, stri"):
        NetworkConfig.preset("small")


# What is refused

BAD: list[tuple[dict[str, Any], str]] = [
    ({"colour": 1}, "unknown key 'colour'; expected one of input_shape, dt, steps"),
    ({"steps": 0}, "steps does not fit; expected greater than or equal to 1; found 0"),
    ({"schedule": "late"}, "schedule does not fit; expected 'brian2' or 'paper'; found 'late'"),
    ({"input_shape": [8, 8]}, r"input_shape: expected .channel, y, x. of images or .channel. of"),
    ({"latent": "z"}, "the latent layer 'z' is not one of a, b"),
    ({"layers": []}, "layers does not fit"),
    (
        {"encoder": {"kind": "morse"}},
        "encoder: unknown kind 'morse'; expected one of bernoulli, first_spike",
    ),
    ({"decoder": {"kind": 3}}, "decoder: unknown kind .*3.*; expected one of max, last"),
    ({"decoder": {"scale": 1}}, "the key 'decoder.kind' is missing"),
    ({"decoder": "max"}, "decoder does not fit; expected a table; found 'max'"),
    (
        {"task": {"kind": "sort"}},
        "task: unknown kind 'sort'; expected one of reconstruction, classification",
    ),
    ({"encoder": {"kind": "bernoulli", "rate": 2}}, "encoder.rate does not fit"),
    ({"decoder": {"kind": "max", "scale": 0}}, "decoder.scale does not fit"),
    ({"preset": "small"}, "unknown network 'small'"),
    (
        {"layers": with_layer(0, kind="pool")},
        "layers.1st: unknown kind 'pool'; expected one of dense",
    ),
    ({"layers": with_layer(0, colour=1)}, "unknown key 'layers.1st.colour'"),
    ({"layers": with_layer(0, name="b")}, "the layer name 'b' is already used"),
    ({"layers": with_layer(0, name="input")}, "the layer name 'input' is already used"),
    ({"layers": with_layer(0, name="A")}, "layers.1st.name does not fit"),
    ({"layers": with_layer(0, gain=0)}, "layers.1st.gain does not fit"),
    ({"layers": with_layer(0, stride=0)}, "layers.1st.stride does not fit"),
    ({"layers": with_layer(0, kernel=9)}, r"layer 'a': .* \(2, 0, 0\): its input is too small"),
    ({"layers": with_layer(1, padding=9)}, "layer 'b': .* its input is too small"),
    ({"layers": with_layer(0, groups=2)}, "layer 'a': 2 groups do not divide 1 input channels"),
    ({"layers": with_layer(1, groups=2)}, "layer 'b': 2 groups do not divide 1 output channels"),
    ({"layers": with_layer(1, output_padding=1)}, "`output_padding` must be smaller than"),
    (
        {"layers": with_layer(1, channels=2)},
        r"the last layer has the shape \(2, 8, 8\), the images \(1, 8, 8\)",
    ),
    (
        {"layers": [dense("d", 64), *LAYERS]},
        r"layer 'a': expected an input of \(channel, y, x\), found \(64,\)",
    ),
    (
        {"layers": [dense("d", 64, shape=[1, 8, 8])]},
        "a dense layer has either `units` or `shape`",
    ),
    ({"layers": [dense("d")]}, "a dense layer has either"),
]


def test_the_network_before_its_errors_is_valid() -> None:
    good = config()
    assert good.placed[-1].shape == good.input_shape


@pytest.mark.parametrize(("changes", "line"), BAD, ids=lambda value: str(value)[:40])
def test_refused_in_one_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(NetworkError, match=line) as caught:
        config(**changes)
    assert str(caught.value).startswith(f"{WHERE}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("dt", "line"),
    [
        ("-1*ms", r"network, dt: .* expected a positive time .*; found -1\*ms"),
        ("0*ms", "expected a positive time"),
        ("1*mV", r"'1\*mV' has the wrong unit; expected second; found volt"),
        ("1", "has the wrong unit"),
        ("soon", "unknown name 'soon'"),
        ("1*", "this is not a Brian2 expression"),
    ],
)
def test_refused_time_steps(dt: str, line: str) -> None:
    with pytest.raises(NetworkError, match=line):
        _ = config(dt=dt).dt_seconds


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"neuron": "liff"}, "unknown neuron model 'liff'.*Did you mean 'lif'"),
        ({"layers": with_layer(0, readout="ghost")}, "unknown neuron model 'ghost'"),
        ({"layers": with_layer(0, parameters={"mass": "1"})}, "has no parameter 'mass'"),
    ],
)
def test_refused_neurons(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ModelError, match=line):
        _ = config(**changes).placed


def test_a_potential_that_would_be_reset_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"readout: a read-out model with a threshold.*'?lif"):
        _ = config(layers=with_layer(0, readout="lif")).placed


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


def test_two_models_with_one_name_are_refused(tmp_path: Path) -> None:
    own = tmp_path / "lif.toml"
    own.write_text(load_neuron("lif").with_parameters({"tau": "3*ms"}).to_toml())
    mixed = config(layers=with_layer(1, neuron=str(own)))
    with pytest.raises(NetworkError, match="'b': two different neuron models are called 'lif'"):
        mixed.self_contained()


def test_readout_shares_the_neurons_parameters() -> None:
    first, second = config(layers=with_layer(0, parameters={"tau": "7*ms", "theta": "2"})).placed
    assert first.model.parameters == {"tau": "7*ms", "theta": "2"}
    assert first.readout.parameters == {"tau": "7*ms"}
    assert second.readout.parameters == {"tau": "100*ms"}


@pytest.mark.parametrize(
    ("decoder", "fires"),
    [
        ({"kind": "count"}, False),
        ({"kind": "first_spike"}, False),
        ({"kind": "population", "neurons": 1, "of": "spikes"}, False),
        ({"kind": "population", "neurons": 1}, True),
        ({"kind": "max"}, True),
    ],
)
def test_decoders_of_spikes_need_a_last_layer_that_fires(
    decoder: dict[str, Any], fires: bool
) -> None:
    silent = config(decoder=decoder, layers=with_layer(1, neuron="leaky_readout"))
    assert len(config(decoder=decoder).placed) == 2
    if fires:
        assert len(silent.placed) == 2
        return
    with pytest.raises(NetworkError) as caught:
        _ = silent.placed
    assert str(caught.value) == (
        "layer 'b': the neuron model 'leaky_readout' never fires; expected a model with a "
        f"threshold: the decoder '{decoder['kind']}' reads spikes"
    )


def test_numbers_of_numpy_are_those_of_python() -> None:
    layers = with_layer(0, channels=np.int64(LAYERS[0]["channels"]), gain=np.float32(0.5))
    found = config(input_shape=np.array([1, 8, 8]), steps=np.int16(12), layers=layers)
    assert found == config(steps=12, layers=with_layer(0, gain=0.5))
    with pytest.raises(NetworkError, match="steps"):
        config(steps=np.float64(12.5))


def test_networks_can_be_compared_and_counted() -> None:
    one, other = (Network.initialise(config(), seed=seed) for seed in (0, 1))
    assert one != other
    assert {one, other, one} == {one, other}
