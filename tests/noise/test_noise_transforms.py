"""The quantiles of the normal distribution, against two other computations of them."""

from __future__ import annotations

import mpmath
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from bioae.noise.transforms import normal

SHIFT = np.uint64(11)
LAST = 2**53 - 1
NUMBERS = st.one_of(
    st.integers(0, LAST),
    st.integers(0, 53).map(lambda bits: 2**bits - 1),
    st.integers(0, 53).map(lambda bits: LAST - (2**bits - 1)),
    st.integers(2**52 - 1000, 2**52 + 1000),
)


def words_of(numbers: list[int]) -> NDArray[np.uint64]:
    return np.array(numbers, dtype=np.uint64) << SHIFT


def spread() -> NDArray[np.uint64]:
    """Return words all over the range, and as many in each power of two of both tails."""
    rng = np.random.default_rng(4)
    low = np.exp2(rng.uniform(0, 53, 20_000)).astype(np.uint64)
    return np.concatenate([low, np.uint64(LAST) - low, rng.integers(0, 2**53, 20_000, np.uint64)])


@given(NUMBERS)
def test_quantiles_are_exact_to_a_few_units_in_the_last_place(k: int) -> None:
    with mpmath.workprec(200):
        exact = mpmath.sqrt(2) * mpmath.erfinv(mpmath.mpf(2 * k + 1) / 2**53 - 1)
        error = abs(mpmath.mpf(float(normal(words_of([k]))[0])) - exact)
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
