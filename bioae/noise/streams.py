"""Read random numbers by what they are for, with NumPy's own generator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

from bioae.noise.transforms import normal, uniform

__all__ = ["START_STEP", "Distribution", "Key", "draw", "population_number", "words"]

Distribution = Literal["uniform", "normal"]

#: The step of random numbers for the values from which a presentation starts.
START_STEP = -2

_TRANSFORMS = {"uniform": uniform, "normal": normal}
_BITS = 2**64 - 1


class Key(NamedTuple):
    """What the noise of some presentations depends on.

    Attributes
    ----------
    seed
        The seed.
    examples
        The number of each example (example).
    """

    seed: int
    examples: NDArray[np.int64]


def population_number(depth: int, *, readout: bool = False) -> int:
    """Return the number that tells the noise of a layer, or of its read-out, from all others.

    Parameters
    ----------
    depth
        The layer's depth in the network; the first layer's is 1.
    readout
        Whether its read-out is meant.
    """
    return 2 * depth + readout


def words(
    seed: int, example: int, *, step: int, call: int, population: int, count: int, first: int = 0
) -> NDArray[np.uint64]:
    """Return the random words of a population's neurons (neuron).

    Parameters
    ----------
    seed, example
        The key.
    step, call, population
        The upper words of the counter. Populations are counted from 1: with all three at 0 this
        is the stream from which encoders draw (`bioae.random.stream`).
    count
        The number of neurons.
    first
        The first of them.
    """
    return _Reader()(seed, example, (step, call, population), count, first)


def draw(
    distribution: Distribution,
    *,
    seed: int,
    examples: Iterable[int],
    step: int,
    call: int,
    population: int,
    count: int,
    first: int = 0,
) -> NDArray[np.float64]:
    """Return random numbers for a population in one step of each example (example, neuron).

    Parameters
    ----------
    distribution
        ``"uniform"``, in [0, 1), or ``"normal"``, of mean 0 and variance 1.
    seed, step, call, population, count, first
        See `words`.
    examples
        The numbers of the examples (example).
    """
    read, place = _Reader(), (step, call, population)
    rows = [read(seed, int(example), place, count, first) for example in examples]
    return _TRANSFORMS[distribution](np.array(rows, dtype=np.uint64).reshape(len(rows), count))


class _Reader:
    """One generator, put wherever it is to read: to make one takes longer than to move it."""

    def __init__(self) -> None:
        self._generator = Philox(key=0)

    def __call__(
        self, seed: int, example: int, place: tuple[int, int, int], count: int, first: int
    ) -> NDArray[np.uint64]:
        block, skipped = divmod(first, 4)
        self._generator.state = {
            "bit_generator": "Philox",
            "state": {"counter": _unsigned(block, *place), "key": _unsigned(seed, example)},
            "buffer": np.zeros(4, dtype=np.uint64),
            "buffer_pos": 4,  # all of the buffer was read
            "has_uint32": 0,
            "uinteger": 0,
        }
        return self._generator.random_raw(skipped + count)[skipped:]


def _unsigned(*numbers: int) -> NDArray[np.uint64]:
    return np.array([number & _BITS for number in numbers], dtype=np.uint64)
