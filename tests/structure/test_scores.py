"""Mutual information: scikit-learn's of the same counts, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from bioae.errors import InputError
from bioae.structure import mutual_information


def test_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 9, (3, 4, 5, 2)).astype(float)
    found = mutual_information(counts / counts.sum((1, 3), keepdims=True))
    assert (found > 1e-4).all()
    for target in range(3):
        for source in range(5):
            expected = mutual_info_score(None, None, contingency=counts[target, :, source])
            assert found[target, source] == pytest.approx(expected, rel=1e-12)


def test_independent_and_equal_sides() -> None:
    one, other = np.array([0.2, 0.3, 0.5]), np.array([0.9, 0.1])
    independent = np.einsum("m,u->mu", one, other)[None, :, None]
    assert mutual_information(independent)[0, 0] == pytest.approx(0.0, abs=1e-15)
    equal = np.diag(one)[None, :, None]
    assert mutual_information(equal)[0, 0] == pytest.approx(-(one * np.log(one)).sum(), rel=1e-14)


@pytest.mark.parametrize(
    ("joint", "message"),
    [
        (np.full((1, 2, 1, 2), 0.3), "a sum of 1.2"),
        (np.full((2, 2), 0.25), r"numbers \(2, 2\)"),
        (np.full((1, 1, 1, 1), np.nan), "found nan"),
        (np.array([-1.0, 2.0]).reshape(1, 2, 1, 1), "0 or more"),
    ],
)
def test_what_is_no_probability_is_refused(joint: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mutual_information(joint)
