"""Functions of several variables to be learnt by regression: those of Genz.

A. Genz, "Testing multidimensional integration routines" (1984), in: Tools, Methods and Languages
for Scientific and Engineering Computation, North-Holland.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.data import Data, Split
from bioae.random import named_stream

#: A family of functions.
Family = Literal["oscillatory", "gaussian", "continuous"]


def genz(
    examples: int,
    *,
    inputs: int,
    seed: int,
    family: Family = "oscillatory",
    difficulty: float = 4.0,
    split: Split = "train",
) -> Data:
    """Draw points in the unit cube, and the values of a random function of Genz (1984) there.

    ``"oscillatory"`` is ``cos(2 pi u_1 + sum a x)``, ``"gaussian"`` is ``exp(-sum a^2 (x - u)^2)``
    and ``"continuous"`` is ``exp(-sum a |x - u|)``, which has kinks. The coefficients a are drawn
    uniformly and scaled so that their sum is `difficulty`; u is uniform in [0, 1].

    The larger `difficulty` is, the more the function varies. The two splits of a seed have other
    points of the same function: images (example, 1, 1, input), and their values as targets.
    """
    drawn = named_stream(seed, "genz", "function")
    coefficients, centre = drawn.random(inputs) + 0.1, drawn.random(inputs)
    coefficients *= difficulty / coefficients.sum()
    points = named_stream(seed, "genz", "points", split).random((examples, inputs))
    values = genz_values(points, coefficients, centre, family)
    pixels, targets = points[:, None, None], values[:, None]
    return Data.of_images(pixels, name=f"genz-{family}", split=split, targets=targets)


def genz_values(
    points: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    centre: NDArray[np.float64],
    family: Family,
) -> NDArray[np.float64]:
    """Return the values at points (example, input) of a function of a and u (input,)."""
    if family == "oscillatory":
        return np.asarray(np.cos(2 * np.pi * centre[0] + points @ coefficients))
    if family == "gaussian":
        return np.asarray(np.exp(-((points - centre) ** 2 @ coefficients**2)))
    return np.asarray(np.exp(-(np.abs(points - centre) @ coefficients)))
