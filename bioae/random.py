"""Random numbers that depend on their purpose, never on other draws.

Streams are keyed by (seed, stream) and read from Philox 4x64-10 (Salmon et al. 2011, "Parallel
random numbers: as easy as 1, 2, 3"), as NumPy implements it: example 17 gets the same numbers
whatever else is simulated, in any order, with any number of workers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator, Philox
from numpy.typing import NDArray

from bioae.checks import whole

#: Seeds are unsigned 64-bit integers.
MAX_SEED = 2**64 - 1

#: The unit in which the number of a repeat is added to the highest word of the counter.
REPEAT = 2**32


def check_key(value: object, name: str, most: int = MAX_SEED) -> None:
    """Raise InputError unless a number is an unsigned 64-bit integer, of at most a number."""
    whole(value, f"the {name}", most=most)


def stream(seed: int, key: int, *, repeat: int = 0) -> Generator:
    """Return the generator keyed by (seed, key), and by the repeat of an example.

    Its n-th block of four 64-bit words, counted from 1, is Philox 4x64-10 of the counter
    (n, 0, 0, 2^32 repeat), lowest word first, under the key (seed, key).
    """
    check_key(seed, "seed")
    check_key(key, "key of random numbers")
    check_key(repeat, "repeat", REPEAT - 1)
    counter = np.array([0, 0, 0, REPEAT * repeat], dtype=np.uint64)
    return Generator(Philox(key=np.array([seed, key], dtype=np.uint64), counter=counter))


def named_stream(seed: int, *purpose: str) -> Generator:
    """Return the generator of a purpose: numbers that nothing else draws with this seed.

    Its key is the number in the first eight bytes of the SHA-256 of the words, little-endian, with
    the highest bit set: initial weights and examples have the keys below 2^63. The purpose is words
    such as ``"genz", "points", "train"``.
    """
    digest = hashlib.sha256("\n".join(purpose).encode()).digest()
    key = int.from_bytes(digest[:8], "little") | 2**63
    return stream(seed, key)


def uniform(
    seed: int, keys: NDArray[np.int64], count: int, *, repeats: NDArray[np.int64] | None = None
) -> Iterator[NDArray[np.float64]]:
    """Draw uniform numbers in [0, 1), from one stream per key.

    `keys`: the purpose of each stream, such as the number of an example (key); `count`: the number
    of draws from each stream; `repeats`: the repeat of each stream (key), below 2^31; 0 by default.

    Yields for each key (count,), multiples of 2^-53: the upper 53 bits of each word. The array is
    overwritten by the next one.

    Raises `InputError` if the seed or a key is not an unsigned 64-bit integer.
    """
    numbers = np.empty(count)
    repeats = np.zeros(len(keys), np.int64) if repeats is None else repeats
    for key, repeat in zip(keys, repeats, strict=True):
        stream(seed, int(key), repeat=int(repeat)).random(out=numbers)
        yield numbers
