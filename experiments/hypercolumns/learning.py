"""Learning of hypercolumns: traces from patterns, and rewiring between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bioae.fields import Natural, Size, Table
from bioae.networks.structure import Structure, mutual_information, random_connections, rewired
from experiments.hypercolumns.network import Hypercolumns, Weights, sources_of
from experiments.hypercolumns.traces import Traces

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

#: Scores of potential connections (target, source) from the traces.
Score = Callable[[Traces], "Numbers"]


class Learning(Table):
    """Description of learning.

    `epochs`: passes over the patterns, each in its own order; the time constant of the traces is
    one; `single`: the patterns at the start that are learned one by one; `batch_size`: the patterns
    that are learned together, with the same weights, from then on.
    """

    epochs: Size
    single: Natural
    batch_size: Size


@dataclass(frozen=True)
class Learned:
    """Weights and connections after learning.

    `weights`: the weights of the connections in the end; `connected`: the connections (hypercolumn,
    source); `swaps`: the number of connections that were exchanged.
    """

    weights: Weights
    connected: NDArray[np.bool_]
    swaps: int


def by_information(traces: Traces) -> Numbers:
    """Return the mutual information of hypercolumns and sources (hypercolumn, source)."""
    # One hypercolumn at a time fits into the cache.
    each = (mutual_information(joint[None] / traces.counter) for joint in traces.joint)
    return np.concatenate(list(each))


def by_shuffled_information(rng: Generator) -> Score:
    """Return a score: the mutual information, shuffled over the sources of each hypercolumn."""
    return lambda traces: rng.permuted(by_information(traces), axis=1)


def learn(
    network: Hypercolumns,
    structure: Structure,
    learning: Learning,
    patterns: Numbers,
    rng: Generator,
    *,
    score: Score = by_information,
) -> Learned:
    """Let hypercolumns learn patterns, from random connections.

    `network`, `structure`, `learning`: the descriptions. With no swaps the connections stay.
    `patterns`: the activity of the units of sources (example, source, unit), 1 in sum for each
        source.
    `rng`: the generator of connections, orders and noise.
    `score`: the scores of potential connections.
    """
    count, sources, units = patterns.shape
    connected = random_connections(network.hypercolumns, sources, structure.fan_in, rng)
    traces = Traces.initial(network, sources, units, 1.0 / count, rng)
    seen = swaps = 0
    for chosen in _batches(learning, count, rng):
        inputs = patterns[chosen]
        weights = traces.weights(connected, network.bias_gain)
        traces.update(inputs, weights.activity(inputs, network.noise, rng))
        if structure.swaps and structure.periods(seen, seen + len(chosen)):
            rewiring = rewired(
                connected, score(traces), structure.swaps, by_fan_out=structure.by_fan_out
            )
            connected, swaps = rewiring.connected, swaps + len(rewiring.swaps)
        seen += len(chosen)
    return Learned(traces.weights(connected, network.bias_gain), connected, swaps)


def untrained(
    network: Hypercolumns, structure: Structure, patterns: Numbers, scale: float, rng: Generator
) -> Learned:
    """Return hypercolumns with random connections and normal weights, without bias.

    `network`, `structure`, `patterns`, `rng`: as for `learn`; of the patterns only the shape
    counts; `scale`: the standard deviation of the weights.
    """
    _, sources, units = patterns.shape
    connected = random_connections(network.hypercolumns, sources, structure.fan_in, rng)
    bias = np.zeros((network.hypercolumns, network.minicolumns))
    values = rng.normal(0.0, scale, (*bias.shape, structure.fan_in, units))
    return Learned(Weights(bias, values, sources_of(connected)), connected, swaps=0)


def _batches(learning: Learning, count: int, rng: Generator) -> Iterator[NDArray[np.int64]]:
    """Yield the patterns that are learned together, pass by pass."""
    single = learning.single
    for _ in range(learning.epochs):
        order = rng.permutation(count)
        first = min(single, count)
        single -= first
        yield from order[:first, None]
        for start in range(first, count, learning.batch_size):
            yield order[start : start + learning.batch_size]
