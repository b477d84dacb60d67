"""Structural plasticity of a network that learns: rewiring between presentations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions, rounded
from bioae.equations.synapses.model import CONNECTED, WEIGHT
from bioae.equations.synapses.program import GRID_BITS, RANGE_BITS, Rule, named
from bioae.errors import InputError, NetworkError
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import PlasticState, rules_of
from bioae.networks.structure import rewired
from bioae.random import named_stream


class NetworkRewiring:
    """The rewiring of a network's pathways, each in its period.

    Numbers of presentations are those from which the network has learned since the start of a run;
    `seed` is that of random numbers in scores.
    """

    def __init__(self, network: Network, seed: int) -> None:
        self._pathways = [
            _Pathway(placed, name, rules_of(placed)[name], seed)
            for placed in network.config.placed
            for name in placed.connections
        ]
        self._periods = {each.structure.period for each in self._pathways}

    def fitting(self, most: int) -> int:
        """Return the size of equal pieces of the shortest period, at most `most` presentations."""
        period = min(self._periods, default=most)
        return -(-period // -(-period // most))

    def pieces(self, part: slice, size: int, before: int, batch: int = 1) -> Iterator[slice]:
        """Split a part of the presentations, so that rewiring comes between two pieces.

        A piece has at most `size` presentations, whole batches: rewiring comes after the batch in
        which a period ends. `before` are the presentations before the first of them all.
        """
        start = part.start
        while start < part.stop:
            done = before + start
            lengths = [size, *(period - done % period for period in self._periods)]
            stop = min(start + -(-min(lengths) // batch) * batch, part.stop)
            yield slice(start, stop)
            start = stop

    def due(self, before: int, after: int) -> bool:
        """Return whether a pathway is rewired between two numbers of presentations."""
        return any(each.structure.periods(before, after) for each in self._pathways)

    def __call__(self, state: PlasticState, before: int, after: int) -> PlasticState:
        """Return the state after rewiring between two numbers of presentations."""
        state = state.copy()
        for each in self._pathways:
            periods = each.structure.periods(before, after)
            if periods:
                each.rewire(state, after, periods)
        return state


class _Pathway:
    """A pathway whose connections are exchanged."""

    def __init__(self, placed: PlacedLayer, name: str, rule: Rule, seed: int) -> None:
        exchange, functions = rule.structure, array_functions(np)
        if exchange is None:
            raise ValueError(f"the connections of {name} are never exchanged")
        self.structure = placed.structure(name)
        self._name, self._seed = name, seed
        self._where = f"{rule.model.name}.toml, [structure]"
        self._potential = placed.potential_connections(name)
        self._draws = exchange.draws
        self._parameters = {
            named("parameter", key): np.asarray(value) for key, value in rule.parameters.items()
        }
        self._score = compile_expression(exchange.score, functions)
        self._new_weight = compile_expression(exchange.new_weight, functions)

    def rewire(self, state: PlasticState, after: int, periods: int) -> None:
        """Set the connections and the weights to those after some presentations.

        `periods` have ended since the last rewiring, and each has its exchanges.
        """
        synapses = state.get(self._name, "synapse")
        before = synapses[CONNECTED] != 0
        values = self._values(state, after)
        with np.errstate(all="ignore"):  # what is not finite is refused
            scores, new = (
                np.broadcast_to(each(values), before.shape)
                for each in (self._score, self._new_weight)
            )
        try:
            found = rewired(
                before, np.where(self._potential, scores, 0.0), periods * self.structure.swaps,
                by_fan_out=self.structure.by_fan_out, potential=self._potential,
            ).connected  # fmt: skip
        except InputError as error:
            raise NetworkError(
                "the scores of connections do not fit", where=f"{self._where} score",
                expected=error.expected, found=error.found,
                hint="Bound them with clip, or set by_fan_out = false if they may be negative",
            ) from error  # fmt: skip
        came = found & ~before
        beyond = new[came][~(np.abs(new[came]) < 2.0**RANGE_BITS)]
        if len(beyond):
            raise NetworkError(
                "the weight of a new connection does not fit", where=f"{self._where} new_weight",
                expected=f"a magnitude below 2^{RANGE_BITS}", found=f"{beyond[0]:g}",
            )  # fmt: skip
        weights = np.where(found, synapses[WEIGHT], 0.0)
        weights[came] = rounded(new[came], GRID_BITS)
        state.set(self._name, "synapse", {CONNECTED: found, WEIGHT: weights})

    def _values(self, state: PlasticState, after: int) -> dict[str, Any]:
        """Return the numbers that scores name, which fit (target, source)."""
        views: dict[str, Any] = {"synapse": np.s_[:], "pre": np.s_[None, :], "post": np.s_[:, None]}
        values: dict[str, Any] = dict(self._parameters)
        for kind, view in views.items():
            own = state.get(self._name, kind)
            values |= {named(kind, name): each[view] for name, each in own.items()}
        rng = named_stream(self._seed, "rewiring", self._name, str(after))
        for name, draw in self._draws.items():
            drawn = rng.random if draw.distribution == "uniform" else rng.standard_normal
            values[name] = drawn(self._potential.shape)
        return values
