"""The mirror and Brian2's NumPy target: the same spikes and the same images, to the last bit."""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import SCHEDULES, conv, deconv, dense, drawn, numbered, pictures

from bioae import simulate
from bioae.networks import Network
from bioae.simulation.backend import Backend

MODELS = ["alif", "cuba", "lif", "lif_subtract"]
ENCODERS = ["bernoulli", "first_spike", "constant_current"]
DECODERS = ["max", "last", "mean", "count"]

#: Each model, each encoder and each decoder in each schedule; slow: each encoder with each decoder.
CASES = [
    *(
        (model, schedule, ENCODERS[n % 3], DECODERS[(n + n // 4) % 4])
        for n, (model, schedule) in enumerate(product(MODELS, SCHEDULES))
    ),
    *(
        pytest.param("lif", SCHEDULES[n % 2], encoder, decoder, marks=pytest.mark.slow)
        for n, (encoder, decoder) in enumerate(product(ENCODERS, DECODERS))
    ),
]

IMAGES = pictures(5, 1, 8, 8) ** 2
LAYERS: list[dict[str, Any]] = [
    conv("outer", 4, 3, stride=2),
    dense("latent", 20),
    dense("inner", shape=[4, 3, 3]),
    deconv("output", 1, 3, stride=2, output_padding=1),
]


def strided(recurrence: float = 1.0, **changes: Any) -> Network:
    """A small network on the grid of weights, scaled until half of each layer's neurons fire."""
    fields = {"layers": LAYERS, "input_shape": [1, 8, 8], "steps": 12, **changes}
    network = drawn(*fields.pop("layers"), seed=1, **fields)
    config = network.config
    network = Network(config, scaled_recurrence(network, recurrence))
    for placed in config.placed:
        name = f"{placed.name}.weight"
        while active(simulate(network, IMAGES, "torch"), placed.name) < 0.5:
            assert np.abs(network.weights[name]).max() < 2**20
            network = Network(config, {**network.weights, name: 2 * network.weights[name]})
    return network


@cache
def recurrent(schedule: str, model: str) -> Network:
    layers = [{**layer, "recurrent": layer["name"] in ("outer", "output")} for layer in LAYERS]
    return strided(recurrence=16.0, schedule=schedule, neuron=model, layers=layers)


def scaled_recurrence(network: Network, factor: float) -> dict[str, Any]:
    return {n: factor * w if n.endswith("recurrent") else w for n, w in network.weights.items()}


def active(result: xr.DataTree, layer: str) -> float:
    """The fraction of a layer's neurons that fired at all."""
    return float((result[f"/layers/{layer}/spike_count"].sum("example") > 0).mean())


def assert_same(actual: xr.DataTree, expected: xr.DataTree) -> None:
    """Compare spikes, states and images, once it is known that most neurons fired."""
    assert actual.children["layers"].children.keys() == expected.children["layers"].children.keys()
    for name, layer in expected.children["layers"].children.items():
        assert active(expected, name) >= 0.5
        xr.testing.assert_identical(actual[f"/layers/{name}"].to_dataset(), layer.to_dataset())
    assert float(abs(expected["reconstruction"]).max()) > 0
    xr.testing.assert_equal(actual["reconstruction"], expected["reconstruction"])


def raster(result: xr.DataTree, layer: str, example: int) -> list[tuple[int, float]]:
    data = result[f"/layers/{layer}"]
    chosen = np.asarray(data["spike_example"] == example)
    neuron, time = (np.asarray(data[name])[chosen] for name in ("spike_neuron", "spike_time_ms"))
    return list(zip(neuron.tolist(), time.tolist(), strict=True))


def assert_same_example(one: xr.DataTree, other: xr.DataTree, example: int) -> None:
    expected = {name: raster(other, name, example) for name in other.children["layers"].children}
    assert sum(map(bool, expected.values())) > 1
    assert {name: raster(one, name, example) for name in expected} == expected
    actual = one["reconstruction"].sel(example=example)
    xr.testing.assert_equal(actual, other["reconstruction"].sel(example=example))


@pytest.mark.parametrize(("model", "schedule", "encoder", "decoder"), CASES)
def test_mirror_equals_brian2(model: str, schedule: str, encoder: str, decoder: str) -> None:
    network = strided(
        neuron=model, schedule=schedule, encoder={"kind": encoder}, decoder={"kind": decoder}
    )
    assert_same(simulate(network, IMAGES, "torch"), simulate(network, IMAGES, "numpy"))


@pytest.mark.parametrize(
    ("schedule", "model"),
    [
        ("brian2", "cuba"),
        ("paper", "lif"),
        pytest.param("brian2", "lif", marks=pytest.mark.slow),
        pytest.param("paper", "cuba", marks=pytest.mark.slow),
    ],
)
def test_recurrent_layers(schedule: str, model: str) -> None:
    network = recurrent(schedule, model)
    mirrored = simulate(network, IMAGES, "torch")
    without = simulate(Network(network.config, scaled_recurrence(network, 0.0)), IMAGES, "torch")
    assert raster(mirrored, "outer", 0) != raster(without, "outer", 0)
    assert_same(mirrored, simulate(network, IMAGES, "numpy"))


@pytest.mark.parametrize(
    ("schedule", "chunk"),
    [
        ("brian2", 2),
        ("paper", 1),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (("brian2", 1), ("brian2", 8), ("paper", 2), ("paper", 8))
        ),
    ],
)
def test_chunks_do_not_matter(schedule: str, chunk: int) -> None:
    network = recurrent(schedule, "cuba")
    expected = simulate(network, IMAGES, "torch")
    assert_same(simulate(network, IMAGES, Backend("numpy", chunk=chunk)), expected)
    assert_same(simulate(network, IMAGES, Backend("torch", chunk=chunk)), expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_an_example_does_not_depend_on_other_examples(schedule: str) -> None:
    network = recurrent(schedule, "cuba")
    images = numbered(IMAGES, [17, 4, 99, 0, 5])
    for target in ("torch", "numpy"):
        everything = simulate(network, images, target, seed=6)
        some = simulate(network, images[[2, 0]], target, seed=6)
        for number in (99, 17):
            assert_same_example(some, everything, number)
        other_seed = simulate(network, images[:1], target, seed=7)
        assert raster(other_seed, "outer", 17) != raster(everything, "outer", 17)


@pytest.mark.parametrize("model", MODELS)
def test_recorded_states(model: str) -> None:
    network = strided(neuron=model, steps=6)
    states = network.config.placed[0].program.states.keys()
    mirrored = simulate(network, IMAGES[:2], Backend("torch", record=states))
    brian = simulate(network, IMAGES[:2], Backend("numpy", record=states))
    for layer in LAYERS:
        data = brian[f"/layers/{layer['name']}"]
        for name in states:
            assert data[f"state_{name}"].dims == ("example", "time", "neuron")
            assert len(np.unique(data[f"state_{name}"])) > 1
            # Brian2 keeps conditions as numbers.
            actual = mirrored[f"/layers/{layer['name']}/state_{name}"].astype(float)
            xr.testing.assert_equal(actual, data[f"state_{name}"].astype(float))


SPONTANEOUS = """
description = "Fires without input, at times that depend on the neuron; refractory."
equations = "dv/dt = (drift - v)/tau : 1 (unless refractory)\\ndrift : 1 (constant)"
threshold = "v > 1"
reset = "v = 0"
refractory = "{refractory}*ms"
method = "exact"
input = "v"

[parameters]
tau = "5*ms"
drift = "1.5"

[surrogate]
distance = "v - 1"
scale = "1"

[initial]
v = "i/N"
"""


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(
    ("refractory", "recur"),
    [
        (3, True),
        pytest.param(1, False, marks=pytest.mark.slow),
        pytest.param(3, False, marks=pytest.mark.slow),
    ],
)
def test_nothing_leaks_into_the_next_presentation(
    schedule: str, refractory: int, recur: bool, tmp_path: Path
) -> None:
    path = tmp_path / "spontaneous.toml"
    path.write_text(SPONTANEOUS.format(refractory=refractory))
    layers = [{**layer, "recurrent": recur} for layer in LAYERS]
    network = strided(neuron=str(path), schedule=schedule, layers=layers)
    first = raster(simulate(network, 0 * IMAGES, "torch"), "outer", 0)
    assert min(time for _, time in first) < 3
    assert max(time for _, time in first) == 11
    both = simulate(network, IMAGES[:2], Backend("numpy", chunk=2))
    assert_same(simulate(network, IMAGES[:2], "torch"), both)
    for example in (0, 1):
        single = simulate(network, IMAGES[:2], "numpy", examples=[example])
        assert_same_example(both, single, example)
