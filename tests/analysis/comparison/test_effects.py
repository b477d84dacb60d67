"""Effects against their definitions, theory and scipy; equal results have none."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from rasters import make
from refusals import refused
from scipy import stats

from bioae import analysis
from bioae.analysis.comparison import samples
from bioae.analysis.comparison.effects import COMPARED
from bioae.errors import ResultError

Sample = NDArray[np.float64]

# Few distinct values, so that ties are common.
SAMPLES = arrays(float, st.integers(2, 12), elements=st.integers(-3, 3).map(float))
P_VALUES = arrays(float, st.integers(0, 8), elements=st.one_of(st.floats(0, 1), st.just(np.nan)))


def one(values: Sample) -> dict[str, xr.Dataset]:
    return {"latent": xr.Dataset({"x": ("neuron", values)})}


def cell(data: xr.Dataset, name: str) -> float:
    return float(data[name].isel(layer=0, statistic=0))


@given(a=SAMPLES, b=SAMPLES)
def test_cliffs_delta_counts_pairs_and_is_that_of_the_rank_test(a: Sample, b: Sample) -> None:
    pairs = [np.sign(y - x) for x, y in product(a, b)]
    assert samples.cliffs_delta(a, b) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert samples.cliffs_delta(a, b) == -samples.cliffs_delta(b, a)
    if np.unique([*a, *b]).size > 1:
        u = stats.mannwhitneyu(b, a).statistic
        assert samples.cliffs_delta(a, b) == pytest.approx(2 * u / (a.size * b.size) - 1, abs=1e-12)


@given(differences=SAMPLES)
def test_rank_biserial_is_that_of_scipys_wilcoxon_sums(differences: Sample) -> None:
    found = samples.rank_biserial(differences)
    moved = differences[differences != 0]
    if not moved.size:
        assert found == 0
        return
    # Two-sided, scipy returns the smaller of the two sums; one-sided, that of the positive ranks.
    positive = stats.wilcoxon(moved, alternative="greater", method="asymptotic").statistic
    total = moved.size * (moved.size + 1) / 2
    assert found == pytest.approx((positive - (total - positive)) / total, abs=1e-12)


@given(a=SAMPLES, b=SAMPLES)
def test_cohens_d_is_the_t_statistic_without_the_sample_size(a: Sample, b: Sample) -> None:
    if a.std() + b.std() == 0:
        assert samples.cohens_d(a, b) == 0 if a[0] == b[0] else np.isnan(samples.cohens_d(a, b))
        return
    # scipy's test of samples warns where one of them does not vary; that of moments does not.
    moments = [f(each) for each in (b, a) for f in (np.mean, lambda x: np.std(x, ddof=1), np.size)]
    t = stats.ttest_ind_from_stats(*moments).statistic
    assert samples.cohens_d(a, b) == pytest.approx(t * np.sqrt(1 / a.size + 1 / b.size), abs=1e-9)


def test_samples_that_do_not_vary_have_no_effect_size() -> None:
    """The variance of equal numbers is not always 0 in floating point."""
    pairs = [(np.full(20, n / 3), np.full(30, m / 3)) for n in range(1, 12) for m in range(1, 12)]
    assert any(a.var(ddof=1) > 0 for a, _ in pairs)
    for a, b in pairs:
        assert samples.cohens_d(a, b) == 0 if a[0] == b[0] else np.isnan(samples.cohens_d(a, b))


def test_hedges_g_is_unbiased_where_cohens_d_is_not() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.standard_normal((20_000, 2, 5)) + np.array([0.0, 1.0])[:, None]
    d = np.array([samples.cohens_d(*pair) for pair in pairs])
    g = np.array([samples.hedges_g(*pair) for pair in pairs[:2000]])
    # The exact factor, which does not depend on the sample.
    factor = g / d[:2000]
    np.testing.assert_allclose(factor, factor[0])
    error = d.std() * factor[0] / np.sqrt(d.size)
    assert abs(d.mean() * factor[0] - 1) < 4 * error
    assert d.mean() - 1 > 4 * error


@given(p_values=P_VALUES)
def test_holm_is_its_definition(p_values: Sample) -> None:
    found = samples.holm(p_values)
    tests = np.flatnonzero(~np.isnan(p_values))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(p_values))
    for i in tests:
        smaller = [p for p in p_values[tests] if p <= p_values[i]]
        # The k-th smallest of m is multiplied by m - k + 1; no smaller one may end up greater.
        steps = [min(1.0, p * sum(q >= p for q in p_values[tests])) for p in sorted(set(smaller))]
        assert found[i] == pytest.approx(max(steps), abs=1e-12)


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_is_scipys_and_covers_the_truth(paired: bool) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.lognormal(size=(2, 40))

    def difference(x: Sample, y: Sample, axis: int) -> Sample:
        return np.asarray(y.mean(axis) - x.mean(axis))

    expected = stats.bootstrap(
        (a, b), difference, paired=paired, vectorized=True, n_resamples=20_000, method="percentile",
        rng=rng,
    ).confidence_interval  # fmt: skip
    found = samples.mean_difference_interval(a, b, paired, samples.Bootstrap(resamples=20_000))
    width = expected.high - expected.low
    np.testing.assert_allclose(found, expected, atol=0.03 * width)

    covered = 0
    for seed in range(200):
        x, y = rng.standard_normal((2, 30))
        low, high = samples.mean_difference_interval(
            x, y + 0.5, paired, samples.Bootstrap(0.95, 300, seed)
        )
        covered += low <= 0.5 <= high
    assert 0.86 < covered / 200 < 0.99


def test_equal_results_have_no_effect() -> None:
    found = analysis.compare(analysis.example_result(), analysis.example_result())
    assert int((found["neurons_a"] > 1).sum()) > 10
    for name in (
        "difference", "difference_low", "difference_high", "cohens_d", "hedges_g", "cliffs_delta",
        "rank_biserial", "kolmogorov_smirnov", "wasserstein",
    ):  # fmt: skip
        assert float(abs(found[name].where(found["neurons_a"] > 1)).max()) == 0, name
    for name in ("p_value", "p_holm"):
        assert set(np.unique(found[name].where(found["neurons_a"] > 0, 1))) == {1.0}
    assert bool(found["paired"].all())


@pytest.mark.parametrize("paired", [True, False])
def test_a_planted_shift_is_found(paired: bool) -> None:
    rng = np.random.default_rng(5)
    a = rng.standard_normal(400)
    b = a + 0.8 + 0.1 * rng.standard_normal(400) if paired else rng.standard_normal(400) + 0.8
    found = analysis.compare_values(one(a), one(b), paired=paired)
    assert cell(found, "difference_low") < 0.8 < cell(found, "difference_high")
    assert cell(found, "cohens_d") == pytest.approx(0.8, abs=0.2)
    # P(b > a) - P(b < a) of two normal distributions at a distance of 0.8.
    expected = 2 * stats.norm.cdf(0.8 / np.sqrt(2)) - 1
    assert cell(found, "cliffs_delta") == pytest.approx(expected, abs=0.08)
    assert cell(found, "p_holm") < 1e-6
    assert np.isnan(cell(found, "rank_biserial")) != paired
    back = analysis.compare_values(one(b), one(a), paired=paired)
    assert cell(back, "cohens_d") == -cell(found, "cohens_d")
    if paired:
        # Pairs differ by far less than neurons do, and the interval knows it.
        width = cell(found, "difference_high") - cell(found, "difference_low")
        assert width < 0.03
        assert cell(found, "rank_biserial") > 0.99


@given(a=SAMPLES, b=SAMPLES)
def test_tests_and_distances_are_scipys(a: Sample, b: Sample) -> None:
    found = analysis.compare_values(one(a), one(b), paired=False, resamples=5)
    assert cell(found, "wasserstein") == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-9)
    smirnov = stats.ks_2samp(a, b, method="asymp").statistic
    assert cell(found, "kolmogorov_smirnov") == pytest.approx(smirnov, abs=1e-9)
    if np.unique([*a, *b]).size > 1:
        assert cell(found, "p_value") == pytest.approx(stats.mannwhitneyu(b, a).pvalue)
    else:
        assert cell(found, "p_value") == 1


def test_undefined_values_are_left_out_in_pairs_or_individually() -> None:
    nan = np.nan
    a, b = np.array([1.0, nan, 3.0, nan]), np.array([2.0, 5.0, nan, nan])
    pairs = analysis.compare_values(one(a), one(b), paired=None)
    assert (cell(pairs, "neurons_a"), cell(pairs, "neurons_b")) == (1, 1)
    assert cell(pairs, "difference") == 1
    assert np.isnan(cell(pairs, "cohens_d"))
    alone = analysis.compare_values(one(a), one(b), paired=False)
    assert (cell(alone, "neurons_a"), cell(alone, "neurons_b")) == (2, 2)
    assert cell(alone, "difference") == 1.5
    none = analysis.compare_values(one(a * nan), one(b))
    assert cell(none, "neurons_a") == 0
    for name in ("mean_a", "difference_low", "cliffs_delta", "p_value", "p_holm", "wasserstein"):
        assert np.isnan(cell(none, name)), name
    constant = analysis.compare_values(one(np.ones(4)), one(np.full(4, 2.0)))
    assert np.isnan(cell(constant, "cohens_d"))
    assert cell(constant, "cliffs_delta") == 1
    assert cell(constant, "difference_low") == cell(constant, "difference_high") == 1


def test_results_of_one_network_are_compared_in_pairs_and_others_are_not() -> None:
    raster = np.random.default_rng(0).random((3, 9, 6)) < 0.4
    a, b = make(raster), make(raster[:, ::-1], network_sha256="other")
    assert bool(analysis.compare(a, make(raster[:, ::-1]))["paired"].all())
    assert not bool(analysis.compare(a, b)["paired"].any())
    assert bool(analysis.compare(a, b, paired=True)["paired"].all())
    smaller = make(raster[:, :, :4])
    assert not bool(analysis.compare(a, smaller)["paired"].any())
    with refused(ResultError, where="latent", expected="6 neurons, as in the first", found="4"):
        analysis.compare(a, smaller, paired=True)


def test_a_population_is_compared_with_the_layer_of_its_name() -> None:
    trains = [[0.1 * k for k in range(1, n)] for n in (3, 7, 9)]
    cells = analysis.from_monitors({"latent": trains}, duration=1.0, dt=0.001)
    result = analysis.example_result()
    found, back = analysis.compare(cells, result), analysis.compare(result, cells)
    assert [*found["layer"].to_numpy()] == [*back["layer"].to_numpy()] == ["latent"]
    assert (found["neurons_a"].sel(statistic="firing_rate") == 3).all()
    assert not found["paired"].any()
    np.testing.assert_array_equal(found["wasserstein"], back["wasserstein"])
    assert "1 and 0.02 s" in found.attrs["note"]
    assert "1 and 12 examples" in found.attrs["note"]
    assert analysis.compare(result, result).attrs == {}


def test_values_that_need_several_examples_are_undefined_in_one() -> None:
    raster = np.random.default_rng(0).random((3, 9, 6)) < 0.4
    alone = analysis.neuron_values(make(raster[:1]), "latent")
    assert list(alone) == list(COMPARED)
    undefined = {name for name, array in alone.items() if array.isnull().all()}
    assert undefined == {"fano_factor", "lifetime_sparseness"}


def test_arguments_that_do_not_fit_are_refused() -> None:
    tree = analysis.example_result()
    wrong: tuple[dict[str, Any], ...] = ({"level": "x"}, {"resamples": 2.5}, {"resamples": 0})
    for options in wrong:
        with refused(ResultError, *options):
            analysis.compare(tree, tree, **options)
    rate = analysis.firing_rate(tree, "latent")
    sparse = {"latent": analysis.population_sparseness(tree, "latent").to_dataset(name="p")}
    with refused(ResultError, "'p'", where="latent", found="{'example': 12}"):
        analysis.compare_values(sparse, sparse)
    with refused(ResultError, "'conv'", expected="Dataset", found="DataArray"):
        analysis.compare_values(one(np.ones(4)), {"conv": rate})
