"""Scores of predictions against plain loops, closed forms and other libraries."""

from __future__ import annotations

from collections.abc import Callable
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
from bioae.errors import ResultError

Train = NDArray[np.float64]
TRAINS = st.lists(st.integers(0, 400), max_size=30).map(lambda steps: np.array(steps) * 5e-4)


def close(a: Train, b: Train, delta: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(a[:, None] - b) <= delta + 1e-9)


def poisson(rate: float, duration: float, trials: int, seed: int) -> list[Train]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0, duration, rng.poisson(rate * duration)) for _ in range(trials)]


@given(TRAINS, TRAINS, st.sampled_from([0.0005, 0.002, 0.004]))
def test_coincidences_are_a_largest_matching(a: Train, b: Train, delta: float) -> None:
    factor = coincidence_factor(a, b * second, delta=delta, duration=0.2)
    chance, spikes, pairs = 2 * len(b) / 0.2 * delta, len(a) + len(b), 0
    if len(a) and len(b):
        pairs = (maximum_bipartite_matching(csr_array(close(a, b, delta))) >= 0).sum()
    defined = spikes > 0 and chance < 1
    expected = (pairs - chance * len(a)) / spikes * 2 / (1 - chance) if defined else np.nan
    assert factor == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def test_equal_trains_score_one_and_chance_zero() -> None:
    arguments: dict[str, Any] = {"delta": 2 * ms, "duration": 20 * second}
    real, chance = poisson(5, 20, 300, 1), poisson(5, 20, 300, 2)
    assert coincidence_factor(real, real, **arguments) == pytest.approx(1)
    # 30,000 spikes, of which 2 % coincide: a standard error of 0.0008, and 0.0002 of the bias.
    assert abs(coincidence_factor(real, chance, **arguments)) < 0.003
    assert abs(coincidence_factor(real, real[0], **arguments)) < 0.05
    assert coincidence_factor([[], [0.1]], [[0.1], []], **arguments) < 0


@given(st.lists(TRAINS, min_size=2, max_size=4), st.lists(TRAINS, min_size=1, max_size=4))
def test_md_star_is_that_of_a_loop(real: list[Train], model: list[Train]) -> None:
    def product(a: list[Train], b: list[Train]) -> float:
        same = a is b and len(a) > 1
        pairs = [(x, y) for i, x in enumerate(a) for j, y in enumerate(b) if not (same and i == j)]
        return float(np.mean([close(x, y, 0.002).sum() for x, y in pairs]))

    within = product(real, real) + product(model, model)
    expected = 2 * product(real, model) / within if within else np.nan
    assert md_star(real, model, delta=0.002) == pytest.approx(expected, nan_ok=True)


def test_md_star_of_few_trials_of_one_rate_is_unbiased() -> None:
    few, many = poisson(50, 1000, 2, 1), poisson(50, 1000, 10, 2)  # a standard error of 0.01
    assert md_star(few, many, delta=2 * ms) == pytest.approx(1, abs=0.04)
    assert md_star(few, [train[::2] for train in many], delta=2 * ms) < 0.85


def test_explained_variance_leaves_gaps_out() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 3, 50))
    a[0, :5], b[2, 7] = np.nan, np.nan
    known = np.isfinite(a + b)
    assert explained_variance(a, b) == pytest.approx(r2_score(a[known], b[known]))
    assert explained_variance(a, np.nanmean(a)) == pytest.approx(0)
    assert np.isnan(explained_variance([1, 1], [1, 2]))


def test_a_histogram_counts_whole_bins() -> None:
    rate = psth([[0.0, 0.0049, 0.005, 0.0151, 0.0163], np.array([12]) * ms], duration=0.0165)
    assert (rate.values.tolist(), rate["time"].values.tolist()) == ([200, 100, 100], [0, 5, 10])
    assert psth([0.015], duration=0.015).sum() == 0  # at the very end


@pytest.mark.parametrize(
    "score",
    [
        lambda: coincidence_factor([0.2], [0.1], delta=0.002, duration=0.1),
        lambda: coincidence_factor([0.1], [[], []], delta=0.002, duration=1),
        lambda: md_star([0.1], [0.1], delta=0.002),
        lambda: explained_variance([1, 2], [1, 2, 3]),
    ],
)
def test_wrong_arguments_are_refused(score: Callable[[], float]) -> None:
    with refused(ResultError):
        score()
