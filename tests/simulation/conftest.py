"""A network that is quick to run on every target."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bioae.networks import Network, NetworkConfig


@pytest.fixture(scope="session")
def small() -> Network:
    """A network whose layers differ in kind and depth, recurrence among them."""
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 6, 6],
            "steps": 6,
            "layers": [
                {"kind": "conv2d", "name": "first", "channels": 2, "kernel": 3, "gain": 4.0},
                {"kind": "dense", "name": "second", "units": 7, "recurrent": True, "gain": 3.0},
                {"kind": "dense", "name": "output", "shape": [1, 6, 6], "gain": 3.0},
            ],
        },
        where="the test",
    )
    return Network.initialise(config).quantised()


@pytest.fixture(scope="session")
def images() -> NDArray[np.float64]:
    """(example, y, x)."""
    return np.random.default_rng(0).random((7, 6, 6))
