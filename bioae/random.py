"""Random numbers that depend on what they are for, never on what else was drawn.

Streams are keyed by (seed, stream) and read from Philox 4x64-10 (Salmon et al. 2011, "Parallel
random numbers: as easy as 1, 2, 3"), as NumPy implements it: example 17 gets the same numbers
whatever else is simulated, in whatever order, by however many workers.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

__all__ = ["MAX_SEED", "stream", "uniform"]

#: Seeds are unsigned 64-bit integers.
MAX_SEED = 2**64 - 1


def stream(seed: int, key: int) -> Generator:
    """Return the generator keyed by (seed, key)."""
    return Generator(Philox(key=np.array([seed, key], dtype=np.uint64)))


def uniform(seed: int, keys: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Draw uniform numbers in [0, 1), one stream a key.

    Parameters
    ----------
    seed
        The seed.
    keys
        What each stream is for, such as the number of an example (key).
    count
        How many numbers to draw from each.

    Returns
    -------
    NDArray
        (key, count), multiples of 2^-53.
    """
    numbers = np.empty((len(keys), count))
    for row, key in zip(numbers, keys, strict=True):
        stream(seed, int(key)).random(out=row)
    return numbers
