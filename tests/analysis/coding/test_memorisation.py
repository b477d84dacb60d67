"""Memorised labels, counted by a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from refusals import refused
from scipy.stats import binomtest

from bioae.analysis import memorised_labels
from bioae.errors import ResultError


def test_counts_of_a_small_set() -> None:
    true = [0, 0, 0, 1, 1, 2, 2, 2]
    given = [0, 1, 2, 1, 0, 2, 1, 0]  # the 2nd, 3rd, 5th, 7th and 8th are wrong
    guess = [0, 1, 0, 1, 1, 0, 1, 1]  # wrong label, true, true, wrong label, neither
    found = memorised_labels(guess, given, true)
    assert (int(found["mislabelled"]), int(found["examples"])) == (5, 8)
    assert float(found["memorised"]) == 2 / 5
    assert float(found["recovered"]) == 2 / 5
    assert float(found["correct"]) == 2 / 3


def test_against_a_loop() -> None:
    generator = np.random.default_rng(0)
    true, given, guess = generator.integers(0, 4, (3, 500))
    found = memorised_labels(guess, given, true, confidence=0.9)
    wrong = [(p, g, t) for p, g, t in zip(guess, given, true, strict=True) if g != t]
    memorised = sum(p == g for p, g, _ in wrong)
    assert 0 < memorised < len(wrong)
    assert float(found["memorised"]) == memorised / len(wrong)
    assert float(found["recovered"]) == sum(p == t for p, _, t in wrong) / len(wrong)
    expected = binomtest(memorised, len(wrong)).proportion_ci(0.9, method="wilson")
    assert (float(found["low"]), float(found["high"])) == pytest.approx(
        (expected.low, expected.high)
    )
    assert found.attrs["confidence"] == 0.9


def test_without_wrong_labels_nothing_is_memorised() -> None:
    found = memorised_labels([0, 1, 1], [0, 1, 2], [0, 1, 2])
    assert np.isnan(float(found["memorised"]))
    assert np.isnan(float(found["low"]))
    assert float(found["correct"]) == 2 / 3
    assert np.isnan(float(memorised_labels([0], [1], [0])["correct"]))


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        (([0, 1], [0, 1], [0]), {"found": "(2,), (2,), (1,)"}),
        (([[0]], [[0]], [[0]]), {"found": "(1, 1), (1, 1), (1, 1)"}),
        (([0.5], [0], [0]), {"expected": "whole numbers"}),
    ],
)
def test_faulty_classes_are_refused(arguments: Any, fields: dict[str, str]) -> None:
    with refused(ResultError, **fields):
        memorised_labels(*arguments)
