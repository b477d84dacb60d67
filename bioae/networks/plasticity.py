"""Learned state of a network: what the rules of its layers change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.functions import rounded
from bioae.equations.synapses.model import WEIGHT
from bioae.equations.synapses.program import GRID_BITS, RANGE_BITS
from bioae.errors import NetworkError
from bioae.networks.placed_layer import PlacedLayer

__all__ = ["PlasticState"]


class PlasticState:
    """Learned state of a network: weights, connections, and persistent variables.

    Parameters
    ----------
    layers
        The layers of the network.
    arrays
        Values by the names of arrays in the network, see `shapes`.

    Attributes
    ----------
    arrays
        The values, in double precision.
    """

    def __init__(
        self, layers: Iterable[PlacedLayer], arrays: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        self._layers = tuple(layers)
        self._slots = {name: slot for each in self._layers for name, slot in each.slots.items()}
        self.arrays = {name: np.array(each, np.float64) for name, each in (arrays or {}).items()}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the arrays by name.

        ``LAYER.weight`` and ``LAYER.weight_VARIABLE`` of synapses are (target, source), those of
        traces (source,) or (target,), and ``LAYER.PARAMETER`` of neurons (neuron,).
        """
        return {name: slot.shape for name, slot in self._slots.items()}

    def copy(self) -> PlasticState:
        """Return a copy with separate arrays."""
        return PlasticState(self._layers, self.arrays)

    def get(self, owner: str, kind: str) -> dict[str, NDArray[np.float64]]:
        """Return values by variable.

        Parameters
        ----------
        owner
            The name of the weights of a pathway, or a layer whose neurons learn.
        kind
            ``"synapse"``, a side of traces, ``"pre"`` or ``"post"``, or ``"neuron"``.
        """
        return {
            slot.variable: self.arrays[name]
            for name, slot in self._slots.items()
            if (slot.owner, slot.kind) == (owner, kind)
        }

    def set(self, owner: str, kind: str, values: Mapping[str, Any]) -> None:
        """Set values by variable, see `get`; variables without a value keep theirs."""
        for name, slot in self._slots.items():
            if (slot.owner, slot.kind) == (owner, kind) and slot.variable in values:
                self.arrays[name] = np.array(values[slot.variable], np.float64)

    def on_grid(self) -> PlasticState:
        """Return the state with weights rounded to the grid of weights that learn."""
        found = self.copy()
        for name, slot in self._slots.items():
            if (slot.kind, slot.variable) == ("synapse", WEIGHT):
                found.arrays[name] = rounded(found.arrays[name], GRID_BITS)
        return found

    def new_connections(self, after: PlasticState) -> dict[str, int]:
        """Return how many connections are new in a later state, by the name of the weights."""
        return {
            name: int((self.arrays[connected] < after.arrays[connected]).sum())
            for placed in self._layers
            for name, connected in placed.connections.items()
        }

    def existing(self, placed: PlacedLayer, name: str) -> NDArray[np.bool_]:
        """Return the connections of some weights that exist (target, source), a mask."""
        possible = placed.potential_connections(name)
        if name in placed.connections:
            possible &= self.arrays[placed.connections[name]] != 0
        return possible

    def check_range(self) -> None:
        """Reject weights beyond the range of the grid, which only a rule's own `clip` can bound."""
        rules = {name: model for each in self._layers for name, model in each.synapses.items()}
        for name, slot in self._slots.items():
            if slot.kind == "neuron":
                continue
            values, where = self.arrays[name], f"synapse model {rules[slot.owner].name!r}"
            weights = name == slot.owner
            if np.isnan(values).any() or (not weights and np.isinf(values).any()):
                raise NetworkError(
                    f"the array {name!r} has values that are no longer finite",
                    where=where,
                    hint="Check divisions and logarithms in the rule",
                )
            if weights and not (np.abs(values) < 2.0**RANGE_BITS).all():
                raise NetworkError(
                    f"the weights {name!r} grew without bounds as they learned",
                    where=where,
                    expected=f"magnitudes below 2^{RANGE_BITS}",
                    hint="Bound them in the rule: w = clip(w + ..., 0, 1)",
                )
