"""Statistics over rows against closed forms and SciPy, and thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from experiments.runner.criteria import (
    Criterion,
    Rows,
    Statistic,
    difference,
    kruskal_p,
    largest,
    mean,
    paired_p,
    ratio,
    smallest,
    welch_p,
)

A, B, C = [1.0, 2.0, 4.0, 5.0], [1.5, 1.0, 2.0, 2.5], [0.5, 0.75, 0.25, 1.25]


def rows(*conditions: Sequence[float | None]) -> Rows:
    """Return rows of the column x, in which None is a row that is missing."""
    return {
        name: {seed: {"x": value} for seed, value in enumerate(values) if value is not None}
        for name, values in zip("abc", conditions, strict=False)
    }


def estimated(statistic: Statistic, table: Rows) -> tuple[float, float, int]:
    each = statistic.estimate(table)
    return each.value, each.sd, each.n


def test_mean_and_extremes() -> None:
    table = rows(A, B)
    sd = math.sqrt(10 / 3)  # deviations -2, -1, 1, 2
    assert estimated(mean("x", "a"), table) == (3.0, pytest.approx(sd), 4)
    # The spread of the seeds is around their mean, not around an extreme.
    assert estimated(smallest("x", "a"), table) == (1.0, pytest.approx(math.nan, nan_ok=True), 4)
    assert estimated(largest("x", "a"), table) == (5.0, pytest.approx(math.nan, nan_ok=True), 4)


def test_differences_and_ratios_are_paired_by_seed() -> None:
    table = rows([1.0, None, 4.0, 5.0], [1.5, 1.0, 2.0])
    value, sd, n = estimated(difference("x", "a", "b"), table)
    assert (value, n) == (0.75, 2)  # of -0.5 and 2
    assert sd == pytest.approx(2.5 / math.sqrt(2))
    assert estimated(ratio("x", "a", "b"), table)[0] == pytest.approx((1 / 1.5 + 2) / 2)
    assert math.isnan(estimated(ratio("x", "a", "b"), rows([1.0, 2.0], [0.0, 1.0]))[0])
    # Another order of one condition has the same mean, and another spread of the differences.
    assert estimated(difference("x", "a", "b"), rows(A, B[::-1]))[1] != pytest.approx(
        estimated(difference("x", "a", "b"), rows(A, B))[1]
    )


def test_tests_are_those_of_scipy() -> None:
    table = rows(A, B, C)
    welch = stats.ttest_ind(A, B, equal_var=False).pvalue
    assert estimated(welch_p("x", "a", "b"), table)[0] == pytest.approx(welch)
    # One sample without spread has the others' spread alone; two have none to compare with.
    one = stats.ttest_1samp(A, 5.0).pvalue
    assert estimated(welch_p("x", "a", "b"), rows(A, [5.0, 5.0]))[0] == pytest.approx(one)
    assert math.isnan(estimated(welch_p("x", "a", "b"), rows([1.0, 1.0], [2.0, 2.0]))[0])
    kruskal = stats.kruskal(A, B, C).pvalue
    assert estimated(kruskal_p("x", ["a", "b", "c"]), table)[0] == pytest.approx(kruskal)
    assert 0 < kruskal < 0.1
    assert estimated(kruskal_p("x", ["a", "b"]), rows([1.0, 1.0], [1.0, 1.0]))[0] == 1


def test_the_signed_rank_test_is_one_sided_and_paired() -> None:
    below, above = [1.0, 2.0, 4.0, 5.0, 8.0], [1.5, 2.75, 5.0, 6.25, 9.5]
    table = rows(below, above)
    # All 5 differences have one sign, which 1 of 2^5 equally likely signs has.
    assert estimated(paired_p("x", "a", "b"), table)[0] == pytest.approx(1 / 32)
    assert estimated(paired_p("x", "b", "a"), table)[0] == pytest.approx(1.0)
    # One difference of the lowest rank has the other sign: 2 of 2^5.
    turned = rows(below, [0.75, *above[1:]])
    assert estimated(paired_p("x", "a", "b"), turned)[0] == pytest.approx(2 / 32)
    expected = stats.wilcoxon(np.subtract(A, B), alternative="less").pvalue
    value, sd, n = estimated(paired_p("x", "a", "b"), rows(A, B))
    assert (value, n) == (pytest.approx(expected), 4)
    assert math.isnan(sd)
    # Seeds that one condition lacks do not count, and neither do equal pairs.
    lacking = rows([*below, 0.0, 3.0], [*above, None, 3.0])
    assert estimated(paired_p("x", "a", "b"), lacking)[0] == pytest.approx(1 / 32)
    assert estimated(paired_p("x", "a", "b"), lacking)[2] == 6
    assert estimated(paired_p("x", "a", "b"), rows(A, A))[0] == 1


EVERY = [
    mean("x", "a"), smallest("x", "a"), largest("x", "a"), difference("x", "a", "b"),
    ratio("x", "a", "b"), welch_p("x", "a", "b"), kruskal_p("x", "ab"),
    paired_p("x", "a", "b"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*too small:scipy.stats._axis_nan_policy.SmallSampleWarning")
@pytest.mark.parametrize("statistic", EVERY, ids=lambda each: each.text[:20])
def test_what_is_missing_or_undefined_meets_no_threshold(statistic: Statistic) -> None:
    assert set(statistic.conditions) <= {"a", "b"}
    for table in (rows([None, None], [None, None]), rows([math.nan, 2.0, 3.0], [1.0, 2.0, 4.0])):
        value = statistic.estimate(table).value
        assert math.isnan(value)
        for relation in ("<=", ">=", "<", ">"):
            assert not Criterion("claim", "x", statistic, relation, 0.0).holds(value)


@pytest.mark.parametrize(
    ("relation", "below", "equal", "above"),
    [
        ("<=", True, True, False),
        ("<", True, False, False),
        (">=", False, True, True),
        (">", False, False, True),
    ],
)
def test_relations(relation: str, below: bool, equal: bool, above: bool) -> None:
    criterion = Criterion("control", "x", mean("x", "a"), relation, 0.5, quick=0.75)
    assert [criterion.holds(value) for value in (0.25, 0.5, 0.6)] == [below, equal, above]
    quick = criterion.of_form(quick=True)
    assert [quick.holds(value) for value in (0.6, 0.75, 1)] == [below, equal, above]
    assert criterion.of_form(quick=False) == criterion
    assert str(quick).endswith(f"{relation} 0.75")
