"""A small network with everything that an artefact can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import conv, dense, described

from bioae.networks import Network

MINE = """\
description = "Adaptation, in a file of the user's."
reference = "no reference; 'quoted', \\"doubly\\", Grüße"
equations = '''
dv/dt = (I - v)/tau : volt (unless refractory)
dI/dt = -I/(5*ms) : volt
'''
threshold = "v > theta"
reset = "v = 0*mV"
refractory = "2*ms"
method = "euler"
input = "I"
weight = "1*mV"
[parameters]
tau = "20*ms"
theta = "1*mV"
[initial]
v = "0.1*mV"
[surrogate]
distance = "v - theta"
scale = "theta"
[trainable]
tau = ["5*ms", "500*ms"]
theta = ["0.1*mV", "10*mV"]
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The file of a neuron model."""
    path = tmp_path / "mine.toml"
    path.write_text(MINE, encoding="utf-8")
    return path


@pytest.fixture
def network(mine: Path) -> Network:
    """A network with a user's neuron model, recurrence, and trained parameters of both shapes."""
    config = described(
        conv("first", 2, 3, stride=2, bias=True),
        {"kind": "sum_pool2d", "name": "pool", "kernel": 2, "stride": 1},
        dense("hidden", 5, neuron=str(mine), recurrent=True, parameters={"theta": "2*mV"}),
        dense("output", shape=[1, 6, 6]),
        input_shape=[1, 6, 6], steps=4, latent="hidden", schedule="paper",
        encoder={"kind": "constant_current"}, decoder={"kind": "mean"},
    )  # fmt: skip
    trained = {
        "first.bias": np.array([0.5, -0.25]),
        "hidden.tau": np.linspace(0.01, 0.03, 5),
        "hidden.theta": np.array(0.0015),
    }
    return Network(config, {**Network.initialise(config, seed=3).weights, **trained})
