"""The stream of random numbers, against its words and against the order of drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bioae.errors import InputError
from bioae.random import MAX_SEED, named_stream, stream, uniform

KEYS = st.integers(0, MAX_SEED)


def rows(seed: int, keys: Any, count: int) -> Any:
    return np.array([numbers.copy() for numbers in uniform(seed, keys, count)])


@given(seed=KEYS, key=KEYS)
def test_stream_is_philox_of_seed_and_key(seed: int, key: int) -> None:
    words = np.random.Philox(key=np.array([seed, key], np.uint64)).random_raw(12)
    assert stream(seed, key).random(12).tolist() == [int(w) // 2**11 * 2.0**-53 for w in words]


@given(st.lists(st.integers(0, 2**63 - 1), unique=True, min_size=1, max_size=6), st.randoms())
def test_the_numbers_of_a_key_do_not_depend_on_other_draws(keys: list[int], chance: object) -> None:
    order = np.array(keys)
    together = rows(3, order, 5)
    assert (rows(3, order[::-1], 5)[::-1] == together).all()
    for key, row in zip(keys, together, strict=True):
        assert (rows(3, np.array([key]), 9)[0, :5] == row).all()
    assert len(np.unique(together)) == together.size


def test_a_purpose_is_all_of_its_words() -> None:
    purposes = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("a", "train"), ("a", "test")]
    first = {purpose: named_stream(5, *purpose).random() for purpose in purposes}
    assert len(set(first.values())) == len(purposes)
    assert first == {purpose: named_stream(5, *purpose).random() for purpose in purposes}
    assert named_stream(6, "a").random() != first["a",]


@pytest.mark.parametrize(
    ("seed", "repeat"),
    [(-1, 0), (MAX_SEED + 1, 0), *((0, each) for each in (-1, 2**32, "a", 1.5, True))],
)
def test_seeds_and_repeats_out_of_range(seed: int, repeat: Any) -> None:
    with refused(InputError):
        stream(seed, 0, repeat=repeat)


def test_keys_out_of_range() -> None:
    with refused(InputError, found="-1"):
        rows(0, np.array([-1]), 1)
