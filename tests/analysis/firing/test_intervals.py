"""Interspike intervals, against elephant, SciPy and processes with known statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import elephant.statistics
import numpy as np
import pytest
import quantities as pq
import scipy.stats
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from refusals import refused

from bioae.analysis.firing import interval_sums as sums_module
from bioae.analysis.firing.interval_sums import interval_sums
from bioae.analysis.firing.intervals import (
    burst_index,
    chance_isi_cv,
    interval_histogram,
    isi_cv,
    isi_cv2,
    isi_distribution,
    lv,
    lvr,
    mean_interval,
    refractory_violations,
)
from bioae.errors import ResultError

Make = Callable[..., xr.DataTree]
Raster = NDArray[np.bool_]

DT_MS = 0.5
# (example, step, neuron)
RASTERS = arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 4)))
SINGLE = np.zeros((1, 8, 2), bool)
SINGLE[0, 3, 0] = True
SIMULTANEOUS = np.repeat(np.arange(24).reshape(1, 24, 1) % 5 % 2 == 0, 3, axis=2)


def odd_cases(test: Callable[..., None]) -> Callable[..., None]:
    """Run a property on trains that random generation rarely produces."""
    for raster in (np.zeros((2, 5, 2), bool), np.ones((2, 9, 2), bool), SINGLE, SIMULTANEOUS):
        test = example(raster=raster)(test)
    return settings(max_examples=40, deadline=None)(given(raster=RASTERS)(test))


def pooled(raster: Raster) -> Iterator[list[NDArray[np.int64]]]:
    """Yield, for each neuron, its intervals in each presentation, in steps."""
    for neuron in range(raster.shape[2]):
        yield [np.diff(np.flatnonzero(train)) for train in raster[:, :, neuron]]


def renewal(intervals: NDArray[Any], examples: int, steps: int) -> Raster:
    """Turn one train of intervals into spikes, and cut it into presentations."""
    raster = np.zeros(examples * steps, bool)
    times = np.cumsum(intervals)
    raster[times[times < raster.size]] = True
    return raster.reshape(examples, steps, 1)


@odd_cases
def test_measures_of_one_presentation_equal_those_of_elephant(make: Make, raster: Raster) -> None:
    tree = make(raster[:1])
    sums = interval_sums(tree, "latent")
    pairs: list[tuple[xr.DataArray, Callable[[Any], float]]] = [
        (isi_cv2(tree, "latent", sums=sums), elephant.statistics.cv2),
        (lv(tree, "latent", sums=sums), elephant.statistics.lv),
        (lvr(tree, "latent", sums=sums), elephant.statistics.lvr),
        (
            lvr(tree, "latent", refractoriness_ms=0.7, sums=sums),
            lambda intervals: elephant.statistics.lvr(intervals, R=0.7 * pq.ms),
        ),
        (isi_cv(tree, "latent", sums=sums), elephant.statistics.cv),
    ]
    for found, oracle in pairs:
        for value, (steps,) in zip(found.to_numpy(), pooled(raster[:1]), strict=True):
            # Elephant refuses fewer than two intervals, and its CV of one is 0: here it is NaN.
            if steps.size < 2:
                assert np.isnan(value)
            else:
                expected = oracle(steps * DT_MS * pq.ms)
                assert value == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@odd_cases
def test_intervals_are_pooled_and_never_cross_presentations(make: Make, raster: Raster) -> None:
    tree = make(raster)
    sums = interval_sums(tree, "latent")
    cv, cv2, variation, mean = (
        measure(tree, "latent", sums=sums).to_numpy()
        for measure in (isi_cv, isi_cv2, lv, mean_interval)
    )
    for neuron, trains in enumerate(pooled(raster)):
        every = np.concatenate(trains).astype(float)
        first, second = (
            np.concatenate([train[part] for train in trains]).astype(float)
            for part in (slice(None, -1), slice(1, None))
        )
        if every.size:
            assert mean[neuron] == pytest.approx(every.mean() * DT_MS)
        if every.size > 1:
            expected = float(scipy.stats.variation(every))
            assert cv[neuron] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        if first.size:
            relative = (first - second) / (first + second)
            assert cv2[neuron] == pytest.approx(2 * np.abs(relative).mean(), abs=1e-12)
            assert variation[neuron] == pytest.approx(3 * (relative**2).mean(), abs=1e-12)
        assert np.isnan(mean[neuron]) == (every.size == 0)
        assert np.isnan(cv[neuron]) == (every.size < 2)
        assert np.isnan(cv2[neuron]) == np.isnan(variation[neuron]) == (first.size == 0)


@odd_cases
def test_the_histogram_holds_every_interval_once(make: Make, raster: Raster) -> None:
    tree = make(raster)
    found = interval_histogram(tree, "latent")
    assert found.shape == (raster.shape[2], raster.shape[1] - 1)
    expected = [
        np.bincount(np.concatenate(trains), minlength=raster.shape[1])[1:]
        for trains in pooled(raster)
    ]
    assert (found.to_numpy() == np.array(expected)).all()
    assert list(found["interval"]) == [DT_MS * n for n in range(1, raster.shape[1])]
    fraction = isi_distribution(tree, "latent")
    total = int(found.sum())
    if total:
        np.testing.assert_allclose(fraction, found.sum("neuron") / total)
    else:
        assert fraction.isnull().all()


@odd_cases
def test_short_intervals_are_counted_with_a_histogram_and_without(
    make: Make, raster: Raster
) -> None:
    tree = make(raster)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums_module, "_LARGEST_HISTOGRAM", 0)
        without = interval_sums(tree, "latent")
    assert without.histogram is None
    for sums in (None, without):
        violations = refractory_violations(tree, "latent", period_ms=1.5, sums=sums)
        index = burst_index(tree, "latent", shorter_than_ms=1.5, sums=sums)
        for neuron, trains in enumerate(pooled(raster)):
            every = np.concatenate(trains)
            short = int((every * DT_MS < 1.5).sum())
            assert int(violations[neuron]) == short
            if every.size:
                assert float(index[neuron]) == pytest.approx(short / every.size)
            else:
                assert np.isnan(index[neuron])
    with refused(ResultError, where="latent", expected="at most 2**26 bins in total"):
        interval_histogram(tree, "latent", sums=without)


@pytest.mark.parametrize(("dt_ms", "period_ms"), [(0.1, 0.3), (0.1, 0.7), (0.5, 3.5), (1, 3)])
def test_an_interval_equal_to_the_period_is_no_violation(
    make: Make, dt_ms: float, period_ms: float
) -> None:
    # In binary, 3 * 0.1 is more than 0.3.
    period = round(period_ms / dt_ms)
    for interval, expected in ((period, 0), (period - 1, 1)):
        raster = np.zeros((1, 20, 1), bool)
        raster[0, [2, 2 + interval], 0] = True
        tree = make(raster, dt_ms=dt_ms)
        assert int(refractory_violations(tree, "latent", period_ms=period_ms)[0]) == expected


def test_sums_of_another_layer_or_result_are_refused(make: Make) -> None:
    rasters = [np.random.default_rng(seed).random((4, 30, 3)) < 0.3 for seed in range(2)]
    first, second = (make(raster) for raster in rasters)
    sums = interval_sums(first, "latent")
    assert isi_cv(first, "latent", sums=sums).equals(isi_cv(first, "latent"))
    for tree in (second, first.isel(example=slice(2))):
        with refused(ResultError, where="sums", expected="interval_sums(tree, 'latent')"):
            isi_cv(tree, "latent", sums=sums)
    named = make(rasters[0], "other")
    with refused(ResultError, "'latent'", where="sums"):
        isi_cv(named, "other", sums=sums)


def test_the_cv_of_chance_is_that_of_all_placements_of_the_spikes(make: Make) -> None:
    steps, counts = 7, (0, 1, 2, 4, 7)
    raster = np.zeros((len(counts), steps, 1), bool)
    for train, count in zip(raster, counts, strict=True):
        train[:count] = True
    # An interval counts the more, the fewer placements of its number of spikes there are.
    lengths, weights = [], []
    for count in counts:
        placements = np.array(list(combinations(range(steps), count)))
        found = np.diff(placements).ravel()
        lengths += found.tolist()
        weights += [1 / len(placements)] * found.size
    mean = np.average(lengths, weights=weights)
    variance = np.average((np.array(lengths) - mean) ** 2, weights=weights)
    cv = chance_isi_cv(make(raster), "latent").item()
    assert cv == pytest.approx(np.sqrt(variance) / mean)
    assert np.isnan(chance_isi_cv(make(raster[:3]), "latent").item())  # a single interval


def test_random_spikes_whose_rate_varies_have_the_cv_of_chance(make: Make) -> None:
    rng = np.random.default_rng(8)
    raster = rng.random((4000, 30, 1)) < rng.uniform(0, 0.9, (4000, 1, 1))
    tree = make(raster)
    chance = chance_isi_cv(tree, "latent").item()
    assert isi_cv(tree, "latent").item() == pytest.approx(chance, rel=0.01)
    assert chance > 1.1 * np.sqrt(1 - raster.mean())  # that of the mean rate


@pytest.mark.parametrize("order", [2, 4, 9])
def test_gamma_intervals_have_the_variation_of_their_order(make: Make, order: int) -> None:
    # The grid of steps is a hundredth of the mean interval, and adds next to nothing.
    intervals = np.random.default_rng(order).gamma(order, 100 / order, 6000)
    tree = make(renewal(np.maximum(np.rint(intervals), 1).astype(int), 1, 600_000))
    assert isi_cv(tree, "latent").item() == pytest.approx(1 / np.sqrt(order), rel=0.04)
    # Shinomoto et al. (2003): 3 / (2 k + 1).
    assert lv(tree, "latent").item() == pytest.approx(3 / (2 * order + 1), rel=0.06)


def test_regular_spikes_have_no_variation(make: Make) -> None:
    tree = make(renewal(np.full(400, 7), 20, 140))
    for measure in (isi_cv, isi_cv2, lv, lvr):
        assert measure(tree, "latent").item() == 0
    assert mean_interval(tree, "latent").item() == 3.5
    assert burst_index(tree, "latent", shorter_than_ms=3.5).item() == 0
    assert burst_index(tree, "latent", shorter_than_ms=4).item() == 1
