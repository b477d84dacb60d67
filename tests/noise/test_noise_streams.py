"""Random words against NumPy's Philox; numbers against their laws."""

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
SIGNED = st.integers(-(2**63), 2**64 - 1)


@given(seed=WORD, example=WORD, step=SIGNED, call=WORD, population=WORD)
def test_words_are_those_of_numpys_stream(
    seed: int, example: int, step: int, call: int, population: int
) -> None:
    key = np.array([seed, example], dtype=np.uint64)
    counter = np.array([0, step % 2**64, call, population], dtype=np.uint64)
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
