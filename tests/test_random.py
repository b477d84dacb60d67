"""The stream of random numbers, against the published cipher and against the order of drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused

from bioae.errors import InputError
from bioae.random import MAX_SEED, named_stream, stream, uniform

WORD = 2**64
KEYS = st.integers(0, MAX_SEED)


def rows(seed: int, keys: Any, count: int) -> Any:
    return np.array([numbers.copy() for numbers in uniform(seed, keys, count)])


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox 4x64 with ten rounds, from the description in Salmon et al. 2011."""
    (a, b, c, d), (left, right) = counter, key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (
            second // WORD ^ b ^ left, second % WORD, first // WORD ^ d ^ right, first % WORD,
        )  # fmt: skip
        left, right = (left + 0x9E3779B97F4A7C15) % WORD, (right + 0xBB67AE8584CAA73B) % WORD
    return a, b, c, d


def words(seed: int, key: int, blocks: int) -> list[int]:
    return [w for n in range(1, blocks + 1) for w in philox((n, 0, 0, 0), (seed, key))]


def test_philox_known_answer() -> None:
    # kat_vectors of the authors' Random123: counter and key all zero.
    zero = philox((0, 0, 0, 0), (0, 0))
    assert [f"{word:016x}" for word in zero] == [
        "16554d9eca36314c", "db20fe9d672d0fdc", "d7e772cee186176b", "7e68b68aec7ba23b",
    ]  # fmt: skip


@given(seed=KEYS, key=KEYS)
def test_stream_is_philox_of_seed_and_key(seed: int, key: int) -> None:
    expected = [word // 2**11 * 2.0**-53 for word in words(seed, key, 3)]
    assert stream(seed, key).random(12).tolist() == expected


@given(st.lists(st.integers(0, 2**63 - 1), unique=True, min_size=1, max_size=6), st.randoms())
def test_the_numbers_of_a_key_do_not_depend_on_other_draws(keys: list[int], chance: object) -> None:
    order = np.array(keys)
    together = rows(3, order, 5)
    assert (rows(3, order[::-1], 5)[::-1] == together).all()
    for key, row in zip(keys, together, strict=True):
        assert (rows(3, np.array([key]), 9)[0, :5] == row).all()
    assert len(np.unique(together)) == together.size


@pytest.mark.parametrize("repeat", [-1, 2**32, "a", 1.5, True])
def test_repeats_out_of_range(repeat: Any) -> None:
    with refused(InputError):
        stream(0, 0, repeat=repeat)


def test_a_purpose_is_all_of_its_words() -> None:
    purposes = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("a", "train"), ("a", "test")]
    first = {purpose: named_stream(5, *purpose).random() for purpose in purposes}
    assert len(set(first.values())) == len(purposes)
    assert first == {purpose: named_stream(5, *purpose).random() for purpose in purposes}
    assert named_stream(6, "a").random() != first["a",]


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seeds_out_of_range(seed: int) -> None:
    with refused(InputError):
        stream(seed, 0)


def test_keys_out_of_range() -> None:
    with refused(InputError, found="-1"):
        rows(0, np.array([-1]), 1)
