"""Networks that learn, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.arithmetic.grid import rounded
from bioae.equations.synapses.numbers import usual_range, weight_bounds
from bioae.equations.synapses.program import GRID_BITS
from bioae.errors import NetworkError
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.rules import check_rules, learned_by, rules_of

__all__ = ["Learned", "learner", "with_weights"]

#: The part of a bound, or of 1, by which rounding may exceed it.
_ROUNDING = 2.0**-23


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
    """Return a network that learns, its weights rounded to the grid of weights that learn.

    Raises
    ------
    NetworkError
        If no layer has a synapse model, or neurons with persistent variables, or a weight is
        outside the bounds of its rule.
    """
    check_rules(network.config.placed, network.config.dt_seconds)
    names = [name for placed in network.config.placed for name in placed.synapses]
    if not names and not any(placed.persistent for placed in network.config.placed):
        raise NetworkError(
            "no layer has a synapse model, by which it could learn",
            expected='a layer with `synapse = "stdp_pair"` or another one',
        )
    learned: dict[str, NDArray[np.float64]] = {}
    for placed in network.config.placed:
        # One value per neuron from the start, so that a network that has learned needs no other
        # build.
        learned |= learned_by(
            placed, network.weights, network.config.dt_seconds
        ) | network.persistent(placed)
    learned |= {name: rounded(learned[name], GRID_BITS) for name in names}
    for placed in network.config.placed:
        _check_bounds(placed, learned, network.config.dt_seconds)
    return with_weights(network, learned)


def _check_bounds(
    placed: PlacedLayer, learned: Mapping[str, NDArray[np.float64]], dt: float
) -> None:
    """Refuse weights that the first update would clip."""
    for name, rule in rules_of(placed).items():
        low, high = weight_bounds(rule, dt)
        exist = placed.potential_connections(name)
        if name in placed.connections:
            exist &= learned[placed.connections[name]] != 0
        weights = learned[name][exist]
        # Numbers of 32 bits and the grid round a bound itself.
        least, most = (each + sign * _ROUNDING * max(1.0, abs(each))
                       for each, sign in ((low, -1), (high, 1)))  # fmt: skip
        outside = int(((weights < least) | (weights > most)).sum())
        if outside:
            key = "recurrent_initial" if name.endswith(".recurrent") else "initial"
            start, end = usual_range(low, high)
            raise NetworkError(
                f"{outside} of {weights.size} weights {name!r} begin outside the bounds of their "
                "rule, whose first update would clip them",
                where=f"layer {placed.name!r}, synapse model {rule.model.name!r}",
                expected=f"weights from {low:g} to {high:g}",
                found=f"{weights.min():g} to {weights.max():g}",
                hint=f"Set {key} = [{start:g}, {end:g}] in the layer, or other bounds in the rule",
            )


def with_weights(network: Network, weights: Mapping[str, NDArray[np.float64]]) -> Network:
    """Return the network with other values of some weights, by name."""
    return Network(network.config, {**network.weights, **weights})
