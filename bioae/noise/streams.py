"""Random numbers for a key, read with NumPy's generator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray

from bioae.noise.transforms import normal, uniform
from bioae.random import REPEAT

if TYPE_CHECKING:
    from bioae.equations.program import Draw, Noise

Distribution = Literal["uniform", "normal"]

#: The step of the random numbers in the initial values of a presentation.
START_STEP = -2

#: The step of random parameters, which are drawn once per network: no settling run is as long.
PARAMETER_STEP = -(2**40)

_TRANSFORMS = {"uniform": uniform, "normal": normal}
_BITS = 2**64 - 1


class Key(NamedTuple):
    """The seed and the examples of some presentations, which determine their noise.

    Attributes
    ----------
    seed
        The seed.
    examples
        The number of each presentation's example (presentation).
    repeats
        The repeat of the example that each presentation is (presentation); None if all are the
        first, 0.
    """

    seed: int
    examples: Sequence[int] | NDArray[np.int64]
    repeats: NDArray[np.int64] | None = None

    def of(self, presentation: int) -> Key:
        """Return the key of one presentation."""
        at = slice(presentation, presentation + 1)
        repeats = None if self.repeats is None else self.repeats[at]
        return Key(self.seed, self.examples[at], repeats)

    def tiled(self, times: int) -> Key:
        """Return the key of these presentations, repeated a number of times."""
        repeats = None if self.repeats is None else np.tile(self.repeats, times)
        return Key(self.seed, np.tile(self.examples, times), repeats)


def population_number(number: int, *, readout: bool = False) -> int:
    """Return the stream number of a layer, of the first of number 1; or that of its read-out."""
    return 2 * number + readout


def pathway_number(projection: int) -> int:
    """Return the stream number of the synapses of a projection, above those of populations.

    Synapses count as neurons do, source by source: ``source*targets + target``.
    """
    return 2**31 + projection


def words(
    seed: int, example: int, *, step: int, call: int, population: int, count: int, first: int = 0
) -> NDArray[np.uint64]:
    """Return the random words of a population's neurons (neuron).

    Parameters
    ----------
    seed, example
        The key.
    step, call, population
        The upper words of the counter. Populations are counted from 1, because all three at 0 give
        the stream that encoders use (`bioae.random.stream`).
    count
        The number of neurons.
    first
        The first of them.
    """
    return _Reader()(seed, example, (step, call, population), count, first)


def draw(
    distribution: Distribution,
    key: Key,
    *,
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
    key
        The seed and the examples.
    step, call, population, count, first
        See `words`.
    """
    read, examples = _Reader(), list(key.examples)
    repeated = [0] * len(examples) if key.repeats is None else key.repeats
    rows = [
        read(key.seed, int(example), (step, call, population + REPEAT * int(repeat)), count, first)
        for example, repeat in zip(examples, repeated, strict=True)
    ]
    return _TRANSFORMS[distribution](np.array(rows, dtype=np.uint64).reshape(len(rows), count))


def settling_noise(draws: Mapping[str, Draw], *, population: int, n: int) -> Noise:
    """Return the noise while a population settles, before any presentation, by step.

    There is one realisation for all seeds. The number of the population is `population_number`'s.
    """

    def numbers(site: Draw, step: int) -> NDArray[np.float64]:
        count = 1 if site.shared else n
        drawn = draw(
            site.distribution, Key(0, [0]), step=START_STEP + step, call=site.call,
            population=population, count=count,
        )  # fmt: skip
        return np.broadcast_to(drawn[0], (n,))

    return lambda step: {name: numbers(site, step) for name, site in draws.items()}


class _Reader:
    """A generator that is moved to each position, which is faster than creating one."""

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
