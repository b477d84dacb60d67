"""Classification against scikit-learn and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from refusals import refused
from scipy.stats import binomtest
from sklearn import metrics

from bioae.analysis import accuracy, confusion_matrix, predicted_class, scores, wilson_interval
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]
LABELS = np.array([0, 0, 1, 1, 1, 2, 0, 1])
CLASSES = 4


def classified(make: Make, **changes: Any) -> xr.DataTree:
    outputs = np.random.default_rng(0).normal(size=(8, CLASSES))
    outputs[np.arange(6), LABELS[:6]] += 2
    outputs[7] = 0.0  # equal outputs: class 0
    raster = np.zeros((8, 4, 2), bool)
    raster[:, 0] = True
    fields = {"output": outputs, "task": "classification", "label": LABELS}
    return make(raster, **(fields | changes))


def test_against_scikit_learn(make: Make) -> None:
    tree = classified(make)
    guesses = predicted_class(tree).to_numpy()
    assert guesses[7] == 0
    found = confusion_matrix(tree)
    expected = metrics.confusion_matrix(LABELS, guesses, labels=range(CLASSES))
    assert (found["count"].to_numpy() == expected).all()
    assert float(accuracy(tree)["accuracy"]) == metrics.accuracy_score(LABELS, guesses)
    assert float(accuracy(tree)["chance"]) == 4 / 8
    fraction = found["fraction"].to_numpy()
    np.testing.assert_allclose(fraction[:3].sum(1), 1.0)
    assert np.isnan(fraction[3]).all()  # a class without examples
    shares = np.exp(tree["output"].to_numpy())
    shares /= shares.sum(1, keepdims=True)
    expected = metrics.log_loss(LABELS, shares, labels=range(CLASSES))
    assert float(scores(tree)["value"].sel(score="cross_entropy")) == pytest.approx(expected)


@pytest.mark.parametrize("confidence", [0.95, 0.5])
@pytest.mark.parametrize(("correct", "trials"), [(0, 1), (1, 1), (0, 20), (7, 20), (9857, 10_000)])
def test_wilson_is_that_of_scipy(correct: int, trials: int, confidence: float) -> None:
    expected = binomtest(correct, trials).proportion_ci(confidence, method="wilson")
    low, high = wilson_interval(correct, trials, confidence=confidence)
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_many(make: Make) -> None:
    low, high = wilson_interval([[1, 2], [0, 0]], [[3], [0]])
    assert low.shape == high.shape == (2, 2)
    assert np.isnan(low[1]).all()
    for confidence in (0.0, 1.0, -1):
        with refused(ResultError, where="confidence", expected="a number between 0 and 1"):
            wilson_interval(1, 2, confidence=confidence)


def test_intervals_of_a_result(make: Make) -> None:
    tree = classified(make)
    found = accuracy(tree, confidence=0.9)
    correct = int(found["correct"])
    expected = binomtest(correct, 8).proportion_ci(0.9, method="wilson")
    assert (float(found["low"]), float(found["high"])) == pytest.approx(tuple(expected))
    row = scores(tree, confidence=0.9).sel(score="accuracy")
    assert [float(row[end]) for end in ("low", "high")] == pytest.approx([*expected])


def test_what_is_unknown_is_refused(make: Make) -> None:
    with refused(ResultError, where="label"):
        accuracy(classified(make, label=None))
    assert predicted_class(classified(make, label=None)).sizes["example"] == 8
    with refused(ResultError, expected="classification", found="reconstruction"):
        confusion_matrix(make(np.ones((2, 2, 2), bool)))


def test_successes_are_at_most_the_trials() -> None:
    for successes in (5, -1):
        with refused(ResultError, found=str(successes)):
            wilson_interval(successes, 3)
