"""A function of several variables to be learnt by regression, of those of Genz.

A. Genz, "Testing multidimensional integration routines" (1984), in: Tools, Methods and Languages
for Scientific and Engineering Computation, North-Holland.
"""

from __future__ import annotations

import numpy as np

from bioae.datasets.data import Data, Split
from bioae.random import named_stream

#: The sum of the coefficients: the larger it is, the more the function varies.
DIFFICULTY = 4.0


def genz(examples: int, *, inputs: int, seed: int, split: Split = "train") -> Data:
    """Draw points in the unit cube, and the values of a random function of Genz (1984) there.

    It is the oscillatory one, ``cos(2 pi u + sum a x)``. The coefficients a are drawn uniformly and
    scaled so that their sum is `DIFFICULTY`; u is uniform in [0, 1].

    The two splits of a seed have other points of the same function: images (example, 1, 1, input),
    and their values as targets.
    """
    drawn = named_stream(seed, "genz", "function")
    coefficients, phase = drawn.random(inputs) + 0.1, drawn.random()
    coefficients *= DIFFICULTY / coefficients.sum()
    points = named_stream(seed, "genz", "points", split).random((examples, inputs))
    values = np.cos(2 * np.pi * phase + points @ coefficients)
    pixels, targets = points[:, None, None], values[:, None]
    return Data.of_images(pixels, name="genz-oscillatory", split=split, targets=targets)
