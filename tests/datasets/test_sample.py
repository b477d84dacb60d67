"""The embedded digits: balanced, small, and truly MNIST's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bioae.datasets import DATA_SETS, load, locate

SIZES = {"train": 2000, "test": 500}


@pytest.mark.parametrize("split", SIZES)
def test_size_and_balance(split: Any) -> None:
    sample = load("sample", split)
    assert len(sample) == SIZES[split] == DATA_SETS["sample"].examples[split]
    assert sample.shape == (1, 28, 28)
    assert sample.labels is not None
    rounds = np.sort(sample.labels.reshape(-1, 10), axis=1)
    np.testing.assert_array_equal(rounds, np.tile(np.arange(10), (SIZES[split] // 10, 1)))
    assert len(np.unique(sample.indices)) == len(np.unique(sample.values, axis=0)) == len(sample)
    folder = locate("sample")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000


@pytest.mark.parametrize("split", SIZES)
def test_is_a_part_of_the_full_set(split: Any) -> None:
    if locate("mnist") is None:
        pytest.skip("the full MNIST is not on this machine: bioae data fetch mnist")
    sample, full = load("sample", split), load("mnist", split)
    np.testing.assert_array_equal(sample.values, full.values[sample.indices])
    assert full.labels is not None
    np.testing.assert_array_equal(sample.labels, full.labels[sample.indices])
