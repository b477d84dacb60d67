"""Hypercolumns that learn by Bayesian Confidence Propagation (BCPNN), and rewire their connections.

Source: Ravichandran, Lansner and Herman 2024, arXiv:2406.04733.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bioae.fields import Positive, Size, Table
from bioae.networks.structure import Structure, mutual_information, random_connections, rewired

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

#: Scores of potential connections (target, source) from the traces.
Score = Callable[["Traces"], "Numbers"]


class Hypercolumns(Table):
    """Description of a population of hypercolumns.

    `hypercolumns`, `minicolumns`: their number, and that of the minicolumns of each.
    `bias_gain`: the factor of the bias.
    `noise`: the largest value of the uniform noise that is added to the support while it learns.
    `counts`: the mean count of joint probabilities before learning: the larger, the weaker the
        random weights. Without it all are equal, and only the noise distinguishes minicolumns.
    """

    hypercolumns: Size
    minicolumns: Size
    bias_gain: float = 1.0
    noise: float = 0.001
    counts: Positive | None = None


@dataclass(frozen=True)
class Weights:
    """Weights of the connections that exist.

    The support of a minicolumn is its bias and the sum of its weights times the activity of the
    sources' units. The activity of minicolumns is the softmax of their supports, within each
    hypercolumn. The support has no time constant, so that a pattern needs one step.

    `bias`: the bias (hypercolumn, minicolumn), times its gain; `values`: the weights (hypercolumn,
    minicolumn, connection, unit); `sources`: the source of each connection (hypercolumn,
    connection).
    """

    bias: Numbers
    values: Numbers
    sources: NDArray[np.int64]

    def activity(
        self, inputs: Numbers, noise: float = 0.0, rng: Generator | None = None
    ) -> Numbers:
        """Return the activity (example, hypercolumn, minicolumn), which sums to 1 in hypercolumns.

        `inputs`: the activity of the units of all sources (example, source, unit); `noise`, `rng`:
        the largest value of the uniform noise of the support, and its generator.
        """
        from scipy.special import softmax

        columns, minicolumns = self.bias.shape
        each = inputs[:, self.sources].swapaxes(0, 1).reshape(columns, len(inputs), -1)
        weights = self.values.reshape(columns, minicolumns, -1)
        support = (each @ weights.swapaxes(1, 2)).swapaxes(0, 1) + self.bias
        if rng is not None:
            support += noise * rng.random(support.shape)
        activity: Numbers = softmax(support, axis=-1)
        return activity


def binary_units(images: NDArray[np.floating]) -> Numbers:
    """Return pixels as two units each (example, pixel, unit): on above one half, and off."""
    on = images.reshape(len(images), -1) > 0.5
    return np.stack([on, ~on], axis=-1).astype(np.float64)


def sources_of(connected: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the sources of each target (target, connection), from the lowest."""
    return np.nonzero(connected)[1].reshape(len(connected), -1)


@dataclass
class Traces:
    """Exponential averages of the activities of both sides, and of their products.

    They start at dt/tau times probabilities, and so does the counter, the average of a constant 1:
    a trace divided by the counter is the average of one earlier pattern and all patterns since,
    whatever their number.

    `rate`: the share of a new pattern, dt/tau.
    `counter`: the sum of the shares of all patterns: dt/tau at first, 1 in the end.
    `target`: the averages of minicolumns (hypercolumn, minicolumn).
    `source`: the averages of the units of sources (source, unit).
    `joint`: the averages of products (hypercolumn, minicolumn, source, unit), of all potential
        connections.
    """

    rate: float
    counter: float
    target: Numbers
    source: Numbers
    joint: Numbers

    @classmethod
    def initial(
        cls, network: Hypercolumns, sources: int, units: int, rate: float, rng: Generator
    ) -> Traces:
        """Return the traces before the first pattern: those of one pattern of equal activity.

        With `network.counts` probabilities are Poisson counts of this mean per joint probability,
        plus 1, as in the program of the group, nbrav/BCPNNSim-ReprLearn; those of one side are
        drawn independently.
        """
        columns, minicolumns = network.hypercolumns, network.minicolumns

        def draw(shape: tuple[int, ...], states: int, axis: tuple[int, ...]) -> Numbers:
            counts = np.ones(shape)
            if network.counts is not None:
                counts += rng.poisson(network.counts * states, shape)
            scaled: Numbers = counts * (rate / counts.sum(axis, keepdims=True))
            return scaled

        target = draw((columns, minicolumns), units, (1,))
        source = draw((sources, units), minicolumns, (1,))
        joint = draw((columns, minicolumns, sources, units), 1, (1, 3))
        return cls(rate, rate, target, source, joint)

    def update(self, inputs: Numbers, activity: Numbers) -> None:
        """Learn from patterns: as many steps of their mean activity as there are patterns.

        `inputs`: the activity of the units of sources (example, source, unit); `activity`: the
        activity of minicolumns (example, hypercolumn, minicolumn).
        """
        from scipy.linalg.blas import dgemm

        kept = (1.0 - self.rate) ** len(inputs)
        self.counter += (1.0 - kept) * (1.0 - self.counter)
        self.target += (1.0 - kept) * (activity.mean(0) - self.target)
        self.source += (1.0 - kept) * (inputs.mean(0) - self.source)
        x, y = inputs.reshape(len(inputs), -1), activity.reshape(len(inputs), -1)
        # One pass over the largest array, in place: it is (unit, minicolumn) to Fortran.
        flat = self.joint.reshape(y.shape[1], x.shape[1])
        share = (1.0 - kept) / len(inputs)
        updated = dgemm(share, x.T, y.T, beta=kept, c=flat.T, trans_b=True, overwrite_c=True)
        self.joint = updated.T.reshape(self.joint.shape)

    def weights(self, connected: NDArray[np.bool_], bias_gain: float = 1.0) -> Weights:
        """Return the weights of connections: ln(p_ij / (p_i p_j)), and the biases: ln p_j.

        `connected`: the connections (hypercolumn, source); `bias_gain`: the factor of the biases.
        """
        sources = sources_of(connected)
        of_target = np.log(self.target / self.counter)
        of_source = np.log(self.source / self.counter)
        # Hypercolumn by hypercolumn: one large gather takes twice as long.
        each = zip(self.joint, sources, strict=True)
        values = np.log(np.stack([joint[:, places] for joint, places in each]) / self.counter)
        values -= of_target[:, :, None, None]
        values -= of_source[sources][:, None]
        return Weights(bias_gain * of_target, values, sources)


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
    patterns: Numbers,
    rng: Generator,
    *,
    epochs: int,
    single: int,
    batch_size: int,
    score: Score = by_information,
) -> Learned:
    """Let hypercolumns learn patterns, from random connections.

    `network`, `structure`: the descriptions. With no swaps the connections stay.
    `patterns`: the activity of the units of sources (example, source, unit), 1 in sum for each
        source.
    `rng`: the generator of connections, orders and noise.
    `epochs`: passes over the patterns, each in its own order; the time constant of the traces is
        one; `single`: the patterns at the start that are learned one by one; `batch_size`: the
        patterns that are learned together, with the same weights, from then on.
    `score`: the scores of potential connections.
    """
    count, sources, units = patterns.shape
    connected = random_connections(network.hypercolumns, sources, structure.fan_in, rng)
    traces = Traces.initial(network, sources, units, 1.0 / count, rng)
    seen = swaps = 0
    for chosen in _batches(epochs, single, batch_size, count, rng):
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


def _batches(
    epochs: int, single: int, batch_size: int, count: int, rng: Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield the patterns that are learned together, pass by pass."""
    for _ in range(epochs):
        order = rng.permutation(count)
        first = min(single, count)
        single -= first
        yield from order[:first, None]
        for start in range(first, count, batch_size):
            yield order[start : start + batch_size]
