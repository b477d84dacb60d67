"""The noise in which a population settles, before any presentation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bioae.equations.program import Draw, Noise
from bioae.noise.streams import START_STEP, draw

__all__ = ["settling_noise"]


def settling_noise(draws: Mapping[str, Draw], *, population: int, n: int) -> Noise:
    """Return a function that gives the random numbers of a step: one realisation for all seeds.

    Parameters
    ----------
    draws
        What a program draws.
    population
        Tells the noise from that of other populations, see `population_number`.
    n
        The number of neurons.
    """

    def noise(step: int) -> dict[str, NDArray[np.float64]]:
        return {
            name: np.broadcast_to(_numbers(each, step, population, n), (n,))
            for name, each in draws.items()
        }

    return noise


def _numbers(each: Draw, step: int, population: int, n: int) -> NDArray[np.float64]:
    examples = draw(
        each.distribution,
        seed=0,
        examples=[0],
        step=START_STEP + step,
        call=each.call,
        population=population,
        count=1 if each.shared else n,
    )
    drawn: NDArray[np.float64] = examples[0]
    return drawn
