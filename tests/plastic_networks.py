"""Networks that learn, for tests of learning rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bioae.analysis import differing_spikes
from bioae.datasets import Data
from bioae.equations import available_synapses, load_synapse
from bioae.equations.synapses.model import SynapseModel
from bioae.networks import Network, NetworkConfig
from bioae.random import named_stream
from bioae.simulation import Learned

#: The shipped rules that read nothing of their target's neuron.
ALONE = [name for name in available_synapses() if not load_synapse(name).reads_neuron]

STEPS, INPUTS, HIDDEN, OUTPUTS = 40, 12, 9, 5


def network(schedule: str = "brian2", clock: str = "staggered", **layer: Any) -> Network:
    """Return a network of two layers with all kinds of pathways that learn, and one that does not.

    Its weights lie on both sides of 0 where the rule allows it.
    """
    hidden = {
        "kind": "dense", "name": "hidden", "units": HIDDEN, "weight": "0.25",
        "synapse": "stdp_pair", "recurrent": True, "recurrent_synapse": "stdp_triplet", **layer,
    }  # fmt: skip
    output = {
        "kind": "dense", "name": "output", "units": OUTPUTS, "weight": "0.4",
        "synapse": "stdp_triplet", "recurrent": True,
    }  # fmt: skip
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [INPUTS], "steps": STEPS, "schedule": schedule, "clock": clock,
            "task": {"kind": "classification", "classes": OUTPUTS},
            "encoder": {"kind": "frames", "random": True}, "decoder": {"kind": "max"},
            "layers": [hidden, output],
        },
        where="test",
    )  # fmt: skip
    start = Network.initialise(config, seed=0)
    weights = {name: np.abs(values) % 1 for name, values in start.weights.items()}
    weights["output.recurrent"] -= 0.5
    np.fill_diagonal(weights["output.recurrent"], 0)
    return Network(config, weights).quantised()


def signals(examples: int = 4) -> Data:
    values = 0.5 * named_stream(3, "signals").random((examples, STEPS, INPUTS))
    return Data.of_signals(values, labels=np.zeros(examples, int))


def check_equal(one: Learned, other: Learned, start: Network) -> None:
    """Check that spikes, outputs and weights are equal, and that there was something to learn."""
    assert differing_spikes(one.result, other.result)["differing"].sum() == 0
    counts = [
        int(one.result[f"layers/{name}"]["spike_count"].sum()) for name in ("hidden", "output")
    ]
    assert min(counts) > 20
    np.testing.assert_array_equal(one.result["output"], other.result["output"])
    for name in start.weights:
        weights = one.network.weights[name]
        np.testing.assert_array_equal(weights, other.network.weights[name])
        learns = name in {"hidden.weight", "hidden.recurrent", "output.weight"}
        assert (weights * 2**24 % 1 == 0).all()
        assert (np.mean(weights != start.weights[name]) > 0.3) == learns, name


def custom(**changes: Any) -> SynapseModel:
    """Return a rule whose traces jump by a parameter, with some keys changed."""
    fields: dict[str, Any] = {
        "description": "A rule.",
        "pre": {"equations": "dx/dt = -x/(10*ms) : 1", "on_spike": "x += step"},
        "synapse": {"on_post": "w = clip(w + 0.02*x_pre, -1, 1)"},
        "parameters": {"step": "0.5"},
    }
    return SynapseModel.from_mapping("mine", fields | changes, where="mine.toml")


def with_rules(start: Network, *pathways: str | None, **rules: Mapping[str, Any]) -> Network:
    """Return a network with other rules of its pathways: forward, recurrent, to the output."""
    hidden, output = (each.model_dump() for each in start.config.layers)
    hidden["synapse"], hidden["recurrent_synapse"], output["synapse"] = pathways
    synapses = {name: custom(**keys).to_mapping() for name, keys in rules.items()}
    return Network(start.config.varied(layers=[hidden, output], synapses=synapses), start.weights)


def equal_weights(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Check that two sets of arrays are the same, bit for bit."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)
