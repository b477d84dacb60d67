"""Random words against NumPy's Philox, numbers against their laws, and normal quantiles."""

from __future__ import annotations

from typing import get_args

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, Philox
from numpy.typing import NDArray
from scipy import special, stats

from bioae.noise import Key, draw, words
from bioae.noise.streams import Distribution
from bioae.noise.transforms import normal

WORD = st.integers(0, 2**64 - 1)


@given(seed=WORD, example=WORD, step=st.integers(-(2**63), 2**64 - 1), call=WORD, population=WORD)
def test_words_are_numpys(seed: int, example: int, step: int, call: int, population: int) -> None:
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
def test_an_example_has_its_numbers(distribution: Distribution) -> None:
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


SHIFT = np.uint64(11)
LAST = 2**53 - 1
NUMBERS = st.one_of(
    st.integers(0, LAST),
    st.integers(0, 53).map(lambda bits: 2**bits - 1),
    st.integers(0, 53).map(lambda bits: LAST - (2**bits - 1)),
    st.integers(2**52 - 1000, 2**52 + 1000),
)


def spread() -> NDArray[np.uint64]:
    """Return words all over the range, and as many in each power of two of both tails."""
    rng = np.random.default_rng(4)
    low = np.exp2(rng.uniform(0, 53, 20_000)).astype(np.uint64)
    return np.concatenate([low, np.uint64(LAST) - low, rng.integers(0, 2**53, 20_000, np.uint64)])


@given(NUMBERS)
def test_quantiles_are_exact_to_a_few_units_in_the_last_place(k: int) -> None:
    with mpmath.workprec(200):
        exact = mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(2 * k + 1) / 2**53 - 1)
        error = abs(mpmath.mpf(float(normal(np.array([k], np.uint64) << SHIFT)[0])) - exact)
        assert error <= 5 * np.spacing(abs(float(exact)))


def test_quantiles_are_scipys() -> None:
    numbers = spread()
    actual = normal(numbers << SHIFT)
    centred = (numbers.astype(np.int64) - 2**52).astype(np.float64) + 0.5
    lower = 0.5 - np.abs(centred) * 2.0**-53
    expected = -np.sign(centred) * special.ndtri(lower)
    # Close to 1/2, scipy loses digits in `lower`.
    clear = np.abs(centred) > 2.0**44
    assert clear.mean() > 0.9
    error = np.abs(actual - expected) / np.spacing(np.abs(expected))
    assert error[clear].max() <= 8
    assert np.abs(actual - expected).max() < 1e-14
