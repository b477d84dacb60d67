"""Structural plasticity of a network that learns: rewiring between presentations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.expressions import Expression
from bioae.equations.synapses.model import CONNECTED, WEIGHT, StructureTable
from bioae.equations.synapses.program import GRID_BITS, Rule, named
from bioae.errors import InputError, NetworkError
from bioae.networks.base import NetworkBase
from bioae.networks.connections import potential_connections
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.rules import rules_of
from bioae.structure.connections import rewired

__all__ = ["Rewiring"]

Arrays = Mapping[str, NDArray[np.float64]]


class Rewiring:
    """The rewiring of a network's pathways, each in its period.

    Parameters
    ----------
    network
        The network.
    """

    def __init__(self, network: NetworkBase) -> None:
        self._pathways = [
            _Pathway(placed, name, rule, rule.model.structure)
            for placed in network.config.placed
            for name, rule in rules_of(placed).items()
            if rule.model.structure is not None
        ]
        #: Rewiring comes after multiples of so many presentations only; None: never.
        self.period = math.gcd(*(each.period for each in self._pathways)) or None

    def due(self, before: int, after: int) -> bool:
        """Return whether a pathway is rewired between two numbers of presentations."""
        return any(each.due(before, after) for each in self._pathways)

    def fitting(self, most: int) -> int:
        """Return the size of equal pieces of a period, of at most so many presentations."""
        return most if self.period is None else -(-self.period // -(-self.period // most))

    def pieces(self, part: slice, size: int, before: int) -> Iterator[slice]:
        """Split a part of the presentations, so that rewiring comes between two pieces.

        Parameters
        ----------
        part
            The presentations.
        size
            The most of a piece.
        before
            The presentations from which the network has learned before the first of them all.
        """
        start = part.start
        while start < part.stop:
            stop = min(start + size, part.stop)
            if self.period is not None:
                stop = min(stop, start + self.period - (before + start) % self.period)
            yield slice(start, stop)
            start = stop

    def __call__(self, learned: Arrays, before: int, after: int) -> dict[str, NDArray[np.float64]]:
        """Return the arrays that rewiring changes between two numbers of presentations.

        Raises
        ------
        NetworkError
            If scores do not fit.
        """
        changed: dict[str, NDArray[np.float64]] = {}
        for each in self._pathways:
            if each.due(before, after):
                changed |= each.rewired(learned)
        return changed


class _Pathway:
    """A pathway whose connections change."""

    def __init__(self, placed: PlacedLayer, name: str, rule: Rule, table: StructureTable) -> None:
        self.name, self.table, self.period = name, table, table.period
        self._where = f"{rule.model.name}.toml, [structure]"
        self._arrays = placed.learned[name]
        self._potential = potential_connections(placed, name)
        self._parameters = {
            named("parameter", key): np.asarray(value) for key, value in rule.parameters.items()
        }
        functions = array_functions(np)
        self._score, self._weight = (
            compile_expression(each or Expression("0"), functions)
            for each in (rule.score, rule.new_weight)
        )

    def due(self, before: int, after: int) -> bool:
        return after // self.period > before // self.period

    def rewired(self, learned: Arrays) -> dict[str, NDArray[np.float64]]:
        """Return the connections and the weights after a rewiring, by array."""
        values: dict[str, Any] = dict(self._parameters)
        views: dict[str, Any] = {"synapse": np.s_[:], "pre": np.s_[None, :], "post": np.s_[:, None]}
        for kind, arrays in self._arrays.items():
            values |= {named(kind, n): learned[array][views[kind]] for n, array in arrays.items()}
        connections, weights = (self._arrays["synapse"][each] for each in (CONNECTED, WEIGHT))
        connected = learned[connections] != 0
        with np.errstate(all="ignore"):  # scores that are not finite are refused
            scores = np.broadcast_to(self._score(values), connected.shape)
            new = np.broadcast_to(self._weight(values), connected.shape)
        try:
            after = rewired(
                connected, scores, self.table.swaps, by_fan_out=self.table.by_fan_out,
                potential=self._potential,
            ).connected  # fmt: skip
        except InputError as error:
            raise NetworkError(
                "the scores of connections do not fit", where=f"{self._where} score",
                expected=error.expected, found=error.found,
                mend="Bound them with clip, or set by_fan_out = false if they may be negative",
            ) from error  # fmt: skip
        found = np.where(after & ~connected, new, np.where(after, learned[weights], 0.0))
        if not np.isfinite(found).all():
            raise NetworkError("the weight of a new connection is not finite",
                               where=f"{self._where} weight")  # fmt: skip
        grid = 2.0**GRID_BITS
        return {connections: after.astype(np.float64), weights: np.rint(found * grid) / grid}
