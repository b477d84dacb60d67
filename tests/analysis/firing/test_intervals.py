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
from numpy.typing import NDArray
from rasters import Raster, make, properties, rasters
from refusals import refused

from bioae import analysis
from bioae.analysis.firing import interval_sums as sums_module
from bioae.errors import ResultError

DT_MS = 0.5
odd_cases = properties(rasters((1, 3), (1, 24), (1, 4)))


def pooled(raster: Raster) -> Iterator[list[NDArray[np.int64]]]:
    """Yield the intervals of each neuron in each presentation, in steps."""
    for neuron in range(raster.shape[2]):
        yield [np.diff(np.flatnonzero(train)) for train in raster[:, :, neuron]]


@odd_cases
def test_measures_of_one_presentation_equal_those_of_elephant(raster: Raster) -> None:
    tree = make(raster[:1])
    sums = analysis.interval_sums(tree, "latent")
    pairs: list[tuple[xr.DataArray, Callable[[Any], float]]] = [
        (analysis.isi_cv2(tree, "latent", sums=sums), elephant.statistics.cv2),
        (analysis.lv(tree, "latent", sums=sums), elephant.statistics.lv),
        (analysis.lvr(tree, "latent", sums=sums), elephant.statistics.lvr),
        (
            analysis.lvr(tree, "latent", refractoriness_ms=0.7, sums=sums),
            lambda intervals: elephant.statistics.lvr(intervals, R=0.7 * pq.ms),
        ),
        (analysis.isi_cv(tree, "latent", sums=sums), elephant.statistics.cv),
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
def test_intervals_are_pooled_and_never_cross_presentations(raster: Raster) -> None:
    tree = make(raster)
    sums = analysis.interval_sums(tree, "latent")
    cv, cv2, variation, mean = (
        measure(tree, "latent", sums=sums).to_numpy()
        for measure in (analysis.isi_cv, analysis.isi_cv2, analysis.lv, analysis.mean_interval)
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
        assert (np.isnan(mean[neuron]), np.isnan(cv[neuron])) == (every.size == 0, every.size < 2)
        assert np.isnan(cv2[neuron]) == np.isnan(variation[neuron]) == (first.size == 0)


@odd_cases
def test_the_histogram_holds_every_interval_once(raster: Raster) -> None:
    tree = make(raster)
    found = analysis.interval_histogram(tree, "latent")
    assert found.shape == (raster.shape[2], raster.shape[1] - 1)
    expected = [
        np.bincount(np.concatenate(trains), minlength=raster.shape[1])[1:]
        for trains in pooled(raster)
    ]
    assert (found.to_numpy() == np.array(expected)).all()
    assert list(found["interval"]) == [DT_MS * n for n in range(1, raster.shape[1])]
    fraction = analysis.isi_distribution(tree, "latent")
    total = int(found.sum())
    if total:
        np.testing.assert_allclose(fraction, found.sum("neuron") / total)
    else:
        assert fraction.isnull().all()


@odd_cases
def test_short_intervals_are_counted_with_a_histogram_and_without(raster: Raster) -> None:
    tree = make(raster)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums_module, "_LARGEST_HISTOGRAM", 0)
        without = analysis.interval_sums(tree, "latent")
    assert without.histogram is None
    for sums in (None, without):
        violations = analysis.refractory_violations(tree, "latent", period_ms=1.5, sums=sums)
        index = analysis.burst_index(tree, "latent", shorter_than_ms=1.5, sums=sums)
        for neuron, trains in enumerate(pooled(raster)):
            every = np.concatenate(trains)
            short = int((every * DT_MS < 1.5).sum())
            assert int(violations[neuron]) == short
            if every.size:
                assert float(index[neuron]) == pytest.approx(short / every.size)
            else:
                assert np.isnan(index[neuron])
    with refused(ResultError, where="latent", expected="at most 2**26 bins in total"):
        analysis.interval_histogram(tree, "latent", sums=without)


@pytest.mark.parametrize(("dt_ms", "period_ms"), [(0.1, 0.3), (0.1, 0.7), (0.5, 3.5), (1, 3)])
def test_an_interval_equal_to_the_period_is_no_violation(dt_ms: float, period_ms: float) -> None:
    # In binary, 3 * 0.1 is more than 0.3.
    period = round(period_ms / dt_ms)
    for interval, expected in ((period, 0), (period - 1, 1)):
        raster = np.zeros((1, 20, 1), bool)
        raster[0, [2, 2 + interval], 0] = True
        tree = make(raster, dt_ms=dt_ms)
        assert (
            int(analysis.refractory_violations(tree, "latent", period_ms=period_ms)[0]) == expected
        )


def test_sums_of_another_layer_or_result_are_refused() -> None:
    rasters = [np.random.default_rng(seed).random((4, 30, 3)) < 0.3 for seed in range(2)]
    first, second = (make(raster) for raster in rasters)
    sums = analysis.interval_sums(first, "latent")
    assert analysis.isi_cv(first, "latent", sums=sums).equals(analysis.isi_cv(first, "latent"))
    for tree in (second, first.isel(example=slice(2))):
        with refused(ResultError, where="sums", expected="interval_sums(tree, 'latent')"):
            analysis.isi_cv(tree, "latent", sums=sums)
    named = make(rasters[0], "other")
    with refused(ResultError, "'latent'", where="sums"):
        analysis.isi_cv(named, "other", sums=sums)


def test_the_cv_of_chance_is_that_of_all_placements_of_the_spikes() -> None:
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
    cv = analysis.chance_isi_cv(make(raster), "latent").item()
    assert cv == pytest.approx(np.sqrt(variance) / mean)
    assert np.isnan(analysis.chance_isi_cv(make(raster[:3]), "latent").item())  # a single interval
