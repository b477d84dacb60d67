"""A graph of six populations: skips, feedback, two input variables, sparse signs, delays."""

from __future__ import annotations

from typing import Any

import numpy as np

from bioae.networks import Network, NetworkConfig

#: Two input variables, one of which the projections name.
NEURON = {
    "description": "Two currents.",
    "equations": """
    dv/dt = (-v + excites - inhibits)/tau : 1 (unless refractory)
    dexcites/dt = -excites/(5*ms) : 1
    dinhibits/dt = -inhibits/(10*ms) : 1
    """,
    "method": "euler", "threshold": "v > 1", "reset": "v = 0", "refractory": "2*ms",
    "input": "excites", "targets": {"inhibits": "1"}, "parameters": {"tau": "10*ms"},
}  # fmt: skip
EDGES: list[dict[str, Any]] = [
    {"from": "input", "to": "a"}, {"from": "input", "to": "b", "delay": "2*ms"},
    {"from": "a", "to": "b", "kind": "sparse", "probability": 0.5, "sign": "positive"},
    {"from": "b", "to": "c", "kind": "sparse", "indegree": 5, "delay": ["0*ms", "4*ms"]},
    {"from": "c", "to": "a", "target": "inhibits", "initial": [0, 0.3]},
    {"from": "a", "to": "d"}, {"from": "d", "to": "e"},
    {"from": "e", "to": "d", "target": "inhibits", "initial": [0, 0.5], "delay": "1*ms"},
    {"from": "e", "to": "e", "name": "own", "kind": "sparse", "synapses": 40},
    {"from": "e", "to": "a", "gain": 0.5},
    {"from": "e", "to": "f", "gain": 6.0},
    {"from": "b", "to": "f", "target": "inhibits", "initial": [0, 0.2]},
    {"from": "f", "to": "f", "target": "inhibits", "initial": [0, 0.3]},
]  # fmt: skip
IMAGES = np.random.default_rng(0).random((12, 1, 1, 16))


def config_of(schedule: str, edges: list[dict[str, Any]] = EDGES, **fields: Any) -> NetworkConfig:
    names = sorted({each["to"] for each in edges})
    sizes = [{"name": name, "size": 16 if name == names[-1] else 12} for name in names]
    given = {"neuron": "two", "neurons": {"two": NEURON}, "steps": 30, **fields}
    return NetworkConfig.from_mapping(
        {"input_shape": [1, 1, 16], "schedule": schedule, "populations": sizes,
         "projections": edges, **given}
    )  # fmt: skip


def network_of(schedule: str, factor: float = 4.0, **fields: Any) -> Network:
    network = Network.initialise(config_of(schedule, **fields), seed=0)
    weights = [each for placed in network.config.placed for each in placed.weight_shapes]
    normal = {n: factor * network.weights[n] for n in weights if network.weights[n].min() < 0}
    return network.with_weights(normal).quantised()
