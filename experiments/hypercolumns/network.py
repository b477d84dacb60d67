"""Activity of hypercolumns: a softmax over the minicolumns of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bioae.fields import Positive, Size, Table

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]


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

    def support(self, inputs: Numbers) -> Numbers:
        """Return the support (example, hypercolumn, minicolumn).

        `inputs`: the activity of the units of all sources (example, source, unit).
        """
        columns, minicolumns = self.bias.shape
        each = inputs[:, self.sources].swapaxes(0, 1).reshape(columns, len(inputs), -1)
        weights = self.values.reshape(columns, minicolumns, -1)
        return (each @ weights.swapaxes(1, 2)).swapaxes(0, 1) + self.bias

    def activity(
        self, inputs: Numbers, noise: float = 0.0, rng: Generator | None = None
    ) -> Numbers:
        """Return the activity (example, hypercolumn, minicolumn), which sums to 1 in hypercolumns.

        `inputs`: see `support`; `noise`, `rng`: the largest value of the uniform noise of the
        support, and its generator.
        """
        from scipy.special import softmax

        support = self.support(inputs)
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


def taken(joint: Numbers, sources: NDArray[np.int64]) -> Numbers:
    """Return the part of connections (hypercolumn, minicolumn, connection, unit).

    `joint`: numbers of all potential connections (hypercolumn, minicolumn, source, unit);
    `sources`: the source of each connection (hypercolumn, connection).
    """
    # Hypercolumn by hypercolumn: one large gather takes twice as long.
    return np.stack([each[:, places] for each, places in zip(joint, sources, strict=True)])
