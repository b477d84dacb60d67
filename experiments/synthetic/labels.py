"""Wrong labels: a known fraction of the labels of a data set, flipped to other classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioae.datasets.data import Data
from bioae.random import stream

#: The stream of random numbers.
_FLIPS = int.from_bytes(b"flips", "big")


def flip_labels(data: Data, fraction: float, *, classes: int, seed: int) -> Data:
    """Return a data set in which a fraction of the labels is wrong.

    A flipped label is any of the other classes with the same probability.

    `data`, `classes`: the data set, and the number of its classes; labels are whole numbers below
        it.
    `fraction`, `seed`: the fraction of the examples whose label is flipped, rounded to a number of
        examples. They are drawn without regard to their class, and those of a smaller fraction are
        among them.
    """
    assert data.labels is not None
    labels = data.labels
    generator = stream(seed, _FLIPS)
    order = generator.permutation(len(labels))
    shifts = generator.integers(1, classes, len(labels))
    wrong = np.zeros(len(labels), bool)
    wrong[order[: round(fraction * len(labels))]] = True
    return replace(data, labels=np.where(wrong, (labels + shifts) % classes, labels))
