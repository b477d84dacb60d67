"""Networks that learn, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.equations.synapses.program import GRID_BITS
from bioae.errors import NetworkError
from bioae.networks.network import Network

__all__ = ["Learned", "learner", "with_weights"]


@dataclass(frozen=True, eq=False)
class Learned:
    """A network after learning.

    Attributes
    ----------
    network
        The network, with the weights that it has learned.
    result
        Its activity while it learned, see `docs/result.md`.
    """

    network: Network
    result: xr.DataTree


def learner(network: Network) -> Network:
    """Return a network that learns, its weights rounded to the grid of weights that learn.

    Raises
    ------
    NetworkError
        If no layer has a synapse model.
    """
    names = [name for placed in network.config.placed for name in placed.synapses]
    if not names:
        raise NetworkError(
            "no layer has a synapse model, by which it could learn",
            expected='a layer with `synapse = "stdp_pair"` or another one',
        )
    grid = 2.0**GRID_BITS
    weights = {name: np.asarray(network.weights[name], np.float64) for name in names}
    return with_weights(network, {name: np.rint(w * grid) / grid for name, w in weights.items()})


def with_weights(network: Network, weights: Mapping[str, NDArray[np.float64]]) -> Network:
    """Return the network with other values of some weights, by name."""
    return Network(network.config, {**network.weights, **weights})
