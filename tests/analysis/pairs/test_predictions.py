"""Scores of predictions against plain loops, closed forms and other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import ms, second
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refused
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn.metrics import r2_score

from bioae.analysis import coincidence_factor, explained_variance, md_star, psth
from bioae.errors import BioaeError, DataError, ResultError

TRAINS = st.lists(st.integers(0, 400), max_size=30).map(lambda steps: np.array(steps) * 5e-4)


def close(a: NDArray[np.float64], b: NDArray[np.float64], delta: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(a[:, None] - b) <= delta + 1e-9)


def poisson(rate: float, duration: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(rng.uniform(0, duration, rng.poisson(rate * duration)))


@given(TRAINS, TRAINS, st.sampled_from([0.0005, 0.002, 0.004]))
def test_coincidences_are_a_largest_matching(
    a: NDArray[np.float64], b: NDArray[np.float64], delta: float
) -> None:
    found = coincidence_factor(a, b * second, delta=delta, duration=0.2)
    matched = maximum_bipartite_matching(csr_array(close(a, b, delta)))
    chance = 2 * len(b) / 0.2 * delta
    if not len(a) + len(b) or chance >= 1:
        assert np.isnan(found)
        return
    pairs = int((matched >= 0).sum()) if len(a) and len(b) else 0
    expected = (pairs - chance * len(a)) / ((len(a) + len(b)) / 2) / (1 - chance)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_equal_trains_score_one_and_chance_zero() -> None:
    rng = np.random.default_rng(1)
    arguments: dict[str, Any] = {"delta": 2 * ms, "duration": 20 * second}
    real = [poisson(5, 20, rng) for _ in range(300)]
    chance = [poisson(5, 20, rng) for _ in real]
    assert coincidence_factor(real, real, **arguments) == pytest.approx(1)
    assert coincidence_factor(real, real[0], **arguments) < 0.1
    # 30,000 spikes, of which 2 % coincide: a standard error of 0.0008, and 0.0002 of the bias.
    assert abs(coincidence_factor(real, chance, **arguments)) < 0.003
    assert coincidence_factor([[], [0.1]], [[0.1], []], **arguments) < 0
    assert coincidence_factor([0.1], [], **arguments) == 0


@given(st.lists(TRAINS, min_size=2, max_size=4), st.lists(TRAINS, min_size=1, max_size=4))
def test_md_star_is_that_of_a_loop(
    real: list[NDArray[np.float64]], model: list[NDArray[np.float64]]
) -> None:
    def product(a: list[NDArray[np.float64]], b: list[NDArray[np.float64]]) -> float:
        same = a is b and len(a) > 1
        pairs = [(i, j) for i in range(len(a)) for j in range(len(b)) if not (same and i == j)]
        return float(np.mean([close(a[i], b[j], 0.002).sum() for i, j in pairs]))

    within = product(real, real) + product(model, model)
    found = md_star(real, model, delta=0.002)
    if within == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(2 * product(real, model) / within)


def test_md_star_of_few_trials_of_one_rate_is_unbiased() -> None:
    rng = np.random.default_rng(2)
    few = [poisson(50, 200, rng) for _ in range(2)]
    many = [poisson(50, 200, rng) for _ in range(10)]
    assert md_star(few, many, delta=2 * ms) == pytest.approx(1, abs=0.02)
    assert md_star(few, [train[::2] for train in many], delta=2 * ms) < 0.85


def test_explained_variance_leaves_gaps_out() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 3, 50))
    a[0, :5], b[2, 7] = np.nan, np.nan
    known = np.isfinite(a + b)
    assert explained_variance(a, b) == pytest.approx(r2_score(a[known], b[known]))
    assert explained_variance(a, a) == 1
    assert explained_variance(a, np.nanmean(a)) == pytest.approx(0)
    assert np.isnan(explained_variance([1, 1], [1, 2]))


def test_a_histogram_counts_whole_bins() -> None:
    trials = [[0.0, 0.0049, 0.005, 0.0151, 0.0163], np.array([12]) * ms]
    rate = psth(trials, duration=0.0165)
    assert rate.values.tolist() == [200, 100, 100]
    assert rate["time"].values.tolist() == [0, 5, 10]
    assert psth([0.015], duration=0.015).sum() == 0  # at the very end


@pytest.mark.parametrize(
    ("function", "arguments", "error", "fields"),
    [
        (coincidence_factor, {"duration": 0.1}, ResultError, {"where": "recorded"}),
        (coincidence_factor, {"predicted": [[], []]}, ResultError, {"where": "predicted"}),
        (coincidence_factor, {"predicted": "x"}, DataError, {"found": "'x'"}),
        (md_star, {}, ResultError, {"where": "recorded", "found": "1"}),
        (explained_variance, {"predicted": [1, 2, 3]}, ResultError, {"where": "predicted"}),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(
    function: Any, arguments: dict[str, Any], error: type[BioaeError], fields: dict[str, str]
) -> None:
    known: dict[str, Any] = {"recorded": [0.1, 0.2], "predicted": [0.1]}
    if function is not explained_variance:
        known["delta"] = 0.002
    if function is coincidence_factor:
        known["duration"] = 1
    with refused(error, **fields):
        function(**{**known, **arguments})
