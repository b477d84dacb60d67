"""Connections of a constant fan-in, and rewiring: invariants, closed forms and refusals."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score

from bioae.errors import InputError
from bioae.networks.structure import Structure, mutual_information, random_connections, rewired

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Mask, Numbers]:
    """Draw connections of a constant fan-in, and scores that often are equal."""
    targets, sources = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    fan_in = draw(st.integers(1, sources))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    scores = draw(arrays(np.float64, (targets, sources), elements=st.integers(0, 6)))
    return random_connections(targets, sources, fan_in, rng), scores


def plainly(
    connected: Mask, scores: Numbers, most: int, *, by_fan_out: bool
) -> tuple[Mask, list[list[int]]]:
    """Look at all exchanges each time; of equal gains, the lowest target and sources come first."""
    mask, made = connected.copy(), []
    while len(made) < most:
        shared = mask.sum(0) + ~mask if by_fan_out else 1
        rated = scores / shared
        gains = [
            (rated[target, taken] - rated[target, lost], -target, -lost, -taken)
            for target in range(len(mask))
            for lost in np.flatnonzero(mask[target])[
                rated[target, mask[target]] == rated[target, mask[target]].min()
            ]
            for taken in np.flatnonzero(~mask[target])
        ]
        gain, target, lost, taken = max(gains, default=(0.0, 0, 0, 0))
        if gain <= 0:
            break
        mask[-target, -lost], mask[-target, -taken] = False, True
        made.append([-target, -lost, -taken])
    return mask, made


@given(cases(), st.integers(0, 9), st.booleans())
def test_swaps_of_a_plain_search(case: tuple[Mask, Numbers], most: int, by_fan_out: bool) -> None:
    before = case[0].copy()
    found = rewired(*case, most, by_fan_out=by_fan_out)
    np.testing.assert_array_equal(case[0], before)
    mask, swaps = plainly(*case, most, by_fan_out=by_fan_out)
    np.testing.assert_array_equal(found.connected, mask)
    np.testing.assert_array_equal(found.swaps, np.reshape(swaps, (-1, 3)))


def test_random_connections_have_each_source_equally_often() -> None:
    connected = random_connections(4000, 10, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(connected.sum(1), 3)
    share = connected.mean(0)
    assert np.abs(share - 0.3).max() < 4 * np.sqrt(0.3 * 0.7 / 4000)
    assert len(np.unique(connected, axis=0)) == 120  # all of them: 10 over 3


def test_a_rewiring_is_due_once_in_a_period() -> None:
    structure = Structure(fan_in=1, period=200, swaps=1)
    ends = np.cumsum([1] * 250 + [20] * 50)
    due = [structure.periods(before, after) for before, after in pairwise(ends)]
    assert sum(due) == ends[-1] // 200 > 5


IDENTITY, ONES = np.eye(2, dtype=bool), np.ones((2, 2))
REFUSED: dict[str, tuple[Any, str]] = {
    "numbers as a mask": (partial(rewired, np.eye(2), np.eye(2), 1), "float64 (2, 2)"),
    "other shapes": (partial(rewired, IDENTITY, np.ones((2, 3)), 1), "numbers (2, 3)"),
    "no number": (partial(rewired, IDENTITY, ONES * np.nan, 1), "nan"),
    "a negative score": (partial(rewired, IDENTITY, -ONES, 1), "-1"),
    "no targets": (partial(rewired, np.ones((0, 2), bool), np.ones((0, 2)), 1), "bool (0, 2)"),
    "a ragged mask": (partial(rewired, [[True, False], [True]], ONES, 1), "object ()"),
    "too many sources": (partial(random_connections, 2, 3, 4, np.random.default_rng(0)), "4"),
    "a seed": (partial(random_connections, 3, 4, 2, 0), "0"),
    "a sum above 1": (partial(mutual_information, np.full((1, 2, 1, 2), 0.3)), "a sum of 1.2"),
    "two dimensions": (partial(mutual_information, np.full((2, 2), 0.25)), "numbers (2, 2)"),
    "a probability of nan": (partial(mutual_information, np.full((1, 1, 1, 1), np.nan)), "nan"),
    "no fan-in": (partial(Structure, 0, 1, 1), "0"),
    "no period": (partial(Structure, 3, 0, 1), "0"),
    "fewer swaps than none": (partial(Structure, 3, 2, -1), "-1"),
    "a fan-in of text": (partial(Structure, "x", 2, 1), "'x'"),
    "a number as a Boolean": (partial(Structure, 3, 2, 1, by_fan_out=1), "1"),
    "one below 0": (partial(mutual_information, np.reshape([-1.0, 2], (1, 2, 1, 1))), "-1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_arguments(name: str) -> None:
    call, found = REFUSED[name]
    with pytest.raises(InputError) as raised:
        call()
    assert raised.value.found == found


def test_mutual_information_of_scikit_learn() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (3, 4, 5, 2)).astype(float)
    found = mutual_information(counts / counts.sum((1, 3), keepdims=True))
    assert (found > 1e-4).all()
    for target in range(3):
        for source in range(5):
            expected = mutual_info_score(None, None, contingency=counts[target, :, source])
            assert found[target, source] == pytest.approx(expected, rel=1e-12)
