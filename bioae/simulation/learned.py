"""Networks that learn, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.networks.network import Network
from bioae.networks.rules import first_state

__all__ = ["Learned", "learner"]


@dataclass(frozen=True, eq=False)
class Learned:
    """A network after learning.

    Attributes
    ----------
    network
        The network, with the weights that it has learned.
    result
        Its activity while it learned, see `docs/result.md`.
    moments
        The state of the optimiser, by name; empty if there was none.
    presentations
        The presentations from which it has learned, in this call and those that it continued.
    """

    network: Network
    result: xr.DataTree
    moments: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    presentations: int = 0


def learner(network: Network) -> Network:
    """Return a network as it starts to learn, its weights on the grid of weights that learn."""
    arrays = dict(network.weights)
    for placed in network.config.placed:
        arrays |= network.persistent(placed)
    # One value per neuron from the start: a network that has learned needs no other build.
    state = first_state(network.config.placed, arrays, dt=network.config.dt_seconds)
    return network.with_state(state)
