"""Random words against NumPy's Philox and the published algorithm; numbers against their laws."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, Philox
from scipy import stats

from bioae.noise import Key, draw, words
from bioae.noise.streams import Distribution

WORD = st.integers(0, 2**64 - 1)
SIGNED = st.integers(-(2**63), 2**63 - 1)
MASK = 2**64 - 1


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Return a block of Philox 4x64-10, in whole numbers of any size."""
    for _ in range(10):
        first, third = counter[0] * 0xD2E7470EE14C6C93, counter[2] * 0xCA5A826395121157
        counter = [
            (third >> 64) ^ counter[1] ^ key[0],
            third & MASK,
            (first >> 64) ^ counter[3] ^ key[1],
            first & MASK,
        ]
        key = [(key[0] + 0x9E3779B97F4A7C15) & MASK, (key[1] + 0xBB67AE8584CAA73B) & MASK]
    return counter


def test_the_plain_algorithm_gives_the_published_answers() -> None:
    """The known answers that the authors' library Random123 ships for philox4x64-10."""
    assert philox([0] * 4, [0] * 2) == [
        0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B,
    ]  # fmt: skip
    assert philox([MASK] * 4, [MASK] * 2) == [
        0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0,
    ]  # fmt: skip


@given(st.tuples(WORD, WORD), st.tuples(SIGNED, WORD, WORD), st.integers(0, 40))
def test_words_are_philox_of_their_key_and_counter(
    key: tuple[int, int], place: tuple[int, int, int], neuron: int
) -> None:
    (seed, example), (step, call, population) = key, place
    actual = words(seed, example, step=step, call=call, population=population, count=neuron + 1)
    block = philox([neuron // 4 + 1, step & MASK, call, population], [seed, example])
    assert int(actual[neuron]) == block[neuron % 4]


@given(seed=WORD, example=WORD, step=WORD, call=WORD, population=WORD)
def test_words_are_those_of_numpys_stream(
    seed: int, example: int, step: int, call: int, population: int
) -> None:
    key = np.array([seed, example], dtype=np.uint64)
    counter = np.array([0, step, call, population], dtype=np.uint64)
    expected = Philox(key=key, counter=counter).random_raw(9)
    actual = words(seed, example, step=step, call=call, population=population, count=9)
    np.testing.assert_array_equal(actual, expected)
    place = {"step": step, "call": call, "population": population}
    uniform = draw("uniform", Key(seed, [example]), count=9, **place)
    expected = Generator(Philox(key=key, counter=counter)).random(9)
    np.testing.assert_array_equal(uniform, expected[None])


@pytest.mark.parametrize("distribution", get_args(Distribution))
def test_the_numbers_of_an_example_do_not_depend_on_other_draws(
    distribution: Distribution,
) -> None:
    place = {"step": 2, "call": 1, "population": 4}
    many = draw(distribution, Key(5, [9, 17, 3]), count=100, **place)
    individual = draw(distribution, Key(5, [17]), count=30, **place)
    np.testing.assert_array_equal(many[1, :30], individual[0])
    assert len(np.unique(many)) == many.size


@pytest.mark.parametrize("axis", ["step", "call", "population", "seed"])
def test_numbers_along_every_axis_are_uniform_and_independent(axis: str) -> None:
    place = {"seed": 1, "step": 0, "call": 1, "population": 1}
    places = ({**place, axis: n} for n in range(2000))
    numbers = np.array(
        [draw("uniform", Key(each.pop("seed"), [7]), count=16, **each)[0] for each in places]
    )
    counts = np.histogram2d(numbers[:-1].ravel(), numbers[1:].ravel(), bins=16, range=[[0, 1]] * 2)
    assert stats.chisquare(counts[0].ravel()).pvalue > 1e-3
    counts = np.histogram2d(numbers[:, :-1].ravel(), numbers[:, 1:].ravel(), bins=16)
    assert stats.chisquare(counts[0].ravel()).pvalue > 1e-3
    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-3
