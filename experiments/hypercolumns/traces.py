"""Probability traces of BCPNN: exponential averages of activities, and the weights they give.

Source: Ravichandran, Lansner and Herman 2024, arXiv:2406.04733.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.hypercolumns.network import Hypercolumns, Weights, sources_of, taken

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


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
        values = np.log(taken(self.joint, sources) / self.counter)
        values -= of_target[:, :, None, None]
        values -= of_source[sources][:, None]
        return Weights(bias_gain * of_target, values, sources)
