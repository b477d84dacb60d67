"""Learning presentation after presentation: carried state, normalised weights, repetition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refused
from stopping import at_presentation

from bioae import Backend, learn, train
from bioae.configuration import load_configuration
from bioae.errors import NetworkError
from bioae.networks import Network, NetworkConfig

IMAGES = np.random.default_rng(0).random((7, 1, 3, 3))
#: A rule in the order of a script, with event-driven traces of each synapse.
SCRIPT = {
    "description": "Traces of each synapse.", "timing": "script",
    "synapse": {
        "equations": "dpre/dt = -pre/(20*ms) : 1\ndpost/dt = -post/(20*ms) : 1",
        "on_pre": "input = w\npre = 1\nw = clip(w - 0.01*post, 0, 1)",
        "on_post": "w = clip(w + 0.05*pre, 0, 1)\npost = 1",
    },
}  # fmt: skip
NORMALISE = {"exc.from_input": 4.0}
REPEAT = {"population": "exc", "spikes": 10, "gain": 0.5, "most": 3}


def network_of(synapse: str, delay: Any = None, **fields: Any) -> Network:
    given = {"from": "input", "to": "exc", "synapse": synapse, "initial": [0.2, 0.8]}
    tables = {
        "input_shape": [1, 3, 3], "steps": 20, "clock": "common", "carry_over": True,
        "rest": "10*ms", "neuron": "lif_homeostatic", "decoder": {"kind": "count"},
        "task": {"kind": "representation", "outputs": 4}, "synapses": {"scripted": SCRIPT},
        "populations": [{"name": "exc", "size": 4, "weight": "0.5"}],
        "projections": [
            given | ({} if delay is None else {"delay": delay}),
            {"from": "exc", "to": "exc", "initial": [-0.5, 0], "delay": "3*ms"},
        ],
    }  # fmt: skip
    return Network.initialise(NetworkConfig.from_mapping(tables | fields), seed=1)


def learned(network: Network, backend: Backend, images: Any = IMAGES, **options: Any) -> Any:
    options |= {"normalise": NORMALISE, "repeat": REPEAT, "progress": False}
    return learn(network, images, backend, **options)


@pytest.mark.medium
@pytest.mark.parametrize(
    ("target", "synapse", "delay"),
    [
        ("numpy", "stdp_postsynaptic", None),
        ("cpp_standalone", "scripted", ["0*ms", "5*ms"]),
        pytest.param("cpp_standalone", "stdp_postsynaptic", None, marks=pytest.mark.slow),
        pytest.param("cython", "scripted", ["0*ms", "5*ms"], marks=pytest.mark.slow),
    ],
)
def test_chunks_and_targets_learn_the_same(target: Any, synapse: str, delay: Any) -> None:
    network = network_of(synapse, delay)
    whole = learned(network, Backend("numpy"))
    shown = whole.result["shown"].values
    assert 7 < len(shown) < 21
    assert [*dict.fromkeys(shown)] == [*range(7)]
    counts = whole.result["/layers/exc"].spike_count.values.sum(1)
    again = np.append(shown[1:] == shown[:-1], False)
    assert (counts[again] < 10).all()
    assert (counts[~again] >= 10).any()
    assert [*whole.result.example.values] == [*range(len(shown))]
    other = learned(network, Backend(target, chunk=3))
    for name, array in whole.network.weights.items():
        np.testing.assert_array_equal(other.network.weights[name], array, err_msg=name)
    np.testing.assert_array_equal(other.result["shown"].values, shown)
    np.testing.assert_array_equal(other.result["/layers/exc"].spike_count.values.sum(1), counts)
    first = learned(network, Backend(target), examples=range(4))
    second = learned(first, Backend(target), examples=range(4, 7))
    for name, array in whole.network.weights.items():
        np.testing.assert_array_equal(second.network.weights[name], array, err_msg=name)


def test_weights_are_normalised_before_each_example() -> None:
    quiet = network_of("stdp_postsynaptic", steps=5)
    found = learn(quiet, np.zeros((1, 1, 3, 3)), "numpy", normalise=NORMALISE, progress=False)
    weights = found.network.weights["exc.from_input"]
    np.testing.assert_allclose(weights.sum(1), 4, atol=1e-6)
    before = quiet.weights["exc.from_input"]
    np.testing.assert_allclose(weights / weights.sum(1)[:, None], before / before.sum(1)[:, None],
                               atol=1e-6)  # fmt: skip
    # A sum that takes weights beyond the bounds of the rule, where learning continues.
    large = {"normalise": {"exc.from_input": 12.0}, "progress": False}
    found = learn(quiet, np.zeros((1, 1, 3, 3)), "numpy", **large)
    assert found.network.weights["exc.from_input"].max() > 1.1
    assert learn(found, np.zeros((1, 1, 3, 3)), "numpy", **large).presentations == 2


@pytest.mark.medium
def test_a_run_is_resumed(tmp_path: Path) -> None:
    tables = {
        "network": network_of("stdp_postsynaptic").config.to_mapping(),
        "learning": {
            "target": "numpy", "checkpoint": 2, "epochs": 2, "normalise": NORMALISE,
            "repeat": REPEAT,
        },
    }  # fmt: skip
    data: dict[str, Any] = {"labels": np.arange(7) % 2, "data": IMAGES}

    whole = train(tables, **data, progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(tables, **data, out=tmp_path / "run", progress=at_presentation(8, KeyboardInterrupt))
    resumed = train(tables, **data, out=tmp_path / "run", resume=True, progress=False)
    for name, array in whole.network.weights.items():
        np.testing.assert_array_equal(resumed.network.weights[name], array)


def test_refusals_and_the_example() -> None:
    example = Path(__file__).parents[2] / "examples" / "diehl_cook.toml"
    assert load_configuration(example).completed().network.timing.period == 5000
    network = network_of("stdp_postsynaptic")
    for options, where, found in (
        ({"normalise": {"exc.other": 1.0}}, "normalise", "exc.other = 1.0"),
        ({"normalise": {"exc.from_input": -1.0}}, "normalise", "exc.from_input = -1.0"),
        ({"repeat": {"population": "inh"}}, "repeat, population", "inh"),
    ):
        with refused(NetworkError, where=where, found=found):
            learn(network, IMAGES, "numpy", **options)
    still = network.with_time(clock="staggered", carry_over=False, rest=None)
    with refused(NetworkError, where="repeat, clock", found="staggered"):
        learn(still, IMAGES, "numpy", repeat=REPEAT)
