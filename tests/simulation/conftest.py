"""A network that is quick to run on every target."""

from __future__ import annotations

import numpy as np
import pytest
from builders import three_layers
from numpy.typing import NDArray

from bioae.networks import Network


@pytest.fixture(scope="session")
def small() -> Network:
    """A network whose layers differ in kind and depth, recurrence among them."""
    return three_layers()


@pytest.fixture(scope="session")
def images() -> NDArray[np.float64]:
    """(example, y, x)."""
    return np.random.default_rng(0).random((7, 6, 6))
