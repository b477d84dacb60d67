"""Functions of Genz: against their formulas at known points, and equal seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments.synthetic import genz
from experiments.synthetic.functions import genz_values

A, U = np.array([1.0, 2.0]), np.array([0.25, 0.5])


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("oscillatory", [0.0, np.cos(np.pi / 2 + 1 + 1)]),
        ("gaussian", [np.exp(-(0.0625 + 1.0)), np.exp(-0.5625)]),
        ("continuous", [np.exp(-1.25), np.exp(-0.75)]),
    ],
)
def test_values(family: Any, expected: list[float]) -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.5]])
    np.testing.assert_allclose(genz_values(points, A, U, family), expected, atol=1e-15)


@pytest.mark.parametrize("difficulty", [0.5, 3.0])
def test_the_difficulty_is_the_sum_of_the_coefficients(difficulty: float) -> None:
    """The logarithm of a Gaussian is a polynomial, whose quadratic terms are -a^2."""
    drawn = genz(60, inputs=3, seed=2, family="gaussian", difficulty=difficulty)
    points = drawn.values[:, 0, 0]
    terms = np.hstack([points**2, points, np.ones((60, 1))])
    assert drawn.targets is not None
    fitted = np.linalg.lstsq(terms, -np.log(drawn.targets[:, 0]))[0]
    assert np.sqrt(fitted[:3]).sum() == pytest.approx(difficulty)
