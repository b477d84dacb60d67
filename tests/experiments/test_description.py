"""Descriptions of experiments, their statistics against SciPy, thresholds and pages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bioae.analysis.plots import to_svg
from bioae.analysis.plots.style import styled
from bioae.errors import InputError
from experiments.common.figures import dots
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
from experiments.runner.experiment import Column, Condition, Experiment, Plan, available, load
from experiments.runner.page import page_of
from experiments.runner.rows import Document, identity_of, row_of, table_of
from experiments.runner.verdict import judge

CLAIM = Criterion("claim", "score", mean("score", "a"), ">=", 0.5, source=True)
CONTROL = Criterion("control", "chance", mean("score", "b"), "<=", 0.25, quick=0.75)


def experiment(**changes: Any) -> Experiment:
    values: dict[str, Any] = {
        "title": "A title", "source": "a source", "claim": "A claim.", "source_says": "So.",
        "conditions": {"a": Condition("one"), "b": Condition("other", seeds=2, quick=False)},
        "columns": {"score": Column("score", "points"), "spikes": Column("spikes", shown=False)},
        "run": lambda trial: {}, "sizes": {"n": 2}, "quick": {"n": 1},
        "criteria": (CLAIM, CONTROL), "seeds": 3, "name": "one",
    }  # fmt: skip
    return Experiment(**(values | changes))


def document(plan: Plan, numbers: dict[tuple[str, int], dict[str, float]]) -> Document:
    rows = tuple(row_of(plan, key, each, {}) for key, each in numbers.items())
    return Document(**dict(identity_of(plan, "numpy")), seeds=plan.seeds, rows=rows)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"criteria": (CLAIM,)}, "of the claim and of a control"),
        ({"criteria": (CONTROL,)}, "of the claim and of a control"),
        ({"source_says": ""}, "is empty"),
        ({"quick": {"m": 1}}, "names of their sizes"),
        ({"columns": {"score": Column("score")}}, "need 'spikes', which is none"),
        ({"columns": {"spikes": Column("spikes")}}, "need 'score', which is none"),
        ({"conditions": {"a": Condition("one")}}, "need 'b', which is none"),
        ({"groups": {"One": ("a",)}}, "each condition once"),
        ({"groups": {"One": ("a", "b"), "Other": ("a",)}}, "each condition once"),
        ({"conditions": {"a/b": Condition("one")}}, "'a/b' is no name"),
        ({"figures": {"../x": dots}}, "is no name"),
    ],
)
def test_parts_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        experiment(**changes)


def test_forms() -> None:
    full, quick = Plan(experiment()), Plan(experiment(), small=True)
    assert full.keys() == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)]
    assert Plan(experiment(), seeds=1).keys() == [("a", 0), ("b", 0)]
    assert Plan(experiment(), seeds=3).keys(("b",)) == [("b", 0), ("b", 1), ("b", 2)]
    assert quick.keys() == [("a", 0)]
    fresh = experiment(conditions={**full.conditions, "b": Condition("b", seeds=2, first_seed=7)})
    assert Plan(fresh).keys(("b",)) == [("b", 7), ("b", 8)]
    assert Plan(fresh, small=True).keys(("b",)) == [("b", 7)]
    stored = document(Plan(fresh), {("b", 8): {"score": 0.0, "spikes": 5}})
    assert "| `b` | b | 1 of 2, from 7 |" in page_of(fresh, stored)
    assert [each.text for each in quick.criteria] == ["score"]
    assert (full.sizes, quick.sizes) == ({"n": 2}, {"n": 1})
    with pytest.raises(InputError, match="no condition 'b'; expected one of a"):
        quick.keys(("b",))
    everywhere = {"a": Condition("one"), "b": Condition("other")}
    bounds = [
        [each.threshold for each in Plan(experiment(conditions=everywhere), small).criteria]
        for small in (False, True)
    ]
    assert bounds == [[0.5, 0.25], [0.5, 0.75]]


def test_conditions_have_different_columns_and_seeds() -> None:
    plan = Plan(experiment())
    stored = document(plan, {("a", 2): {"score": 1.0}, ("b", 0): {"spikes": 3}})
    assert table_of(plan, stored.rows) == {"a": {2: {"score": 1.0}}, "b": {0: {"spikes": 3}}}
    verdict = judge(plan, stored)
    assert [len(each.missing) for each in verdict.judgements] == [2, 1]
    assert verdict.silent == (("a", 2),)  # it says nothing about spikes
    assert verdict.source == "does not hold"


@pytest.mark.parametrize(
    ("scores", "source", "marks"),
    [
        ({"a": [1, 1], "b": [0, 0]}, "not tested", "0 of 2; rows missing for 2"),
        ({"a": [1, 1], "b": [1, 1]}, "does not hold (half)", "0 of 2; rows missing for 2"),
        ({"a": [0, 0, 0], "b": [0, 0]}, "does not hold (half)", "0 of 2"),
        ({"a": [1, 1, 1], "b": [0, 0]}, "holds (half)", "1 of 2"),
        ({"a": [1, 1, 1]}, "holds (half)", "1 of 2"),
    ],
)
def test_complete_criteria_decide_first(
    scores: dict[str, list[float]], source: str, marks: str
) -> None:
    numbers = {
        (name, seed): {"score": float(score), "spikes": 5}
        for name, each in scores.items()
        for seed, score in enumerate(each)
    }
    ours = replace(CLAIM, text="ours", threshold=2.0, source=False)
    plan = Plan(experiment(criteria=(CLAIM, ours, CONTROL), source_part="half"))
    verdict = judge(plan, document(plan, numbers))
    assert (verdict.source, verdict.marks) == (source, marks)
    unmarked = replace(plan.experiment, criteria=(ours, CONTROL))
    assert judge(Plan(unmarked), document(plan, numbers)).source == "not tested"


def test_fewer_seeds_than_asked_for_are_named() -> None:
    numbers = {(name, 0): {"score": float(name == "a"), "spikes": 5} for name in "ab"}
    more = {("a", seed): {"score": 0.0, "spikes": 5} for seed in (1, 2)}
    plan = Plan(experiment(), seeds=1)
    page = page_of(experiment(), document(plan, numbers | more))
    assert "**Source's claim: not tested.** So." in page
    assert "**Our marks: 1 of 1 (1 of 3 planned seeds run).**" in page
    assert "`python -m experiments one --seeds 1`, 2 rows." in page


def test_criteria_that_change_or_are_added_after_their_rows_are_told() -> None:
    plan = Plan(experiment())
    numbers = {"score": 0.2, "spikes": 5.0}
    stored = document(plan, dict.fromkeys(plan.keys(), numbers))
    moved, new = replace(CLAIM, threshold=0.1), replace(CLAIM, text="score once more")
    later = Plan(replace(plan.experiment, criteria=(moved, new, CONTROL)))
    assert [each.since for each in judge(later, stored).judgements] == ["changed", "added", ""]
    other = replace(plan.experiment, criteria=(CLAIM, replace(CONTROL, kind="claim"), CONTROL))
    assert [each.since for each in judge(Plan(other), stored).judgements] == ["", "changed", ""]
    assert {each.since for each in judge(later, document(plan, {})).judgements} == {""}
    assert "criteria set after some of their rows" in judge(later, stored).source
    page = page_of(later.experiment, stored)
    assert "| ≥ 0.1 | holds (changed after some of its rows) |" in page
    assert "| ≥ 0.5 | misses (added after some of its rows) |" in page


def test_experiments_are_found() -> None:
    assert "demo" in available()


@pytest.mark.parametrize("name", available())
def test_plan_page_and_figures_need_no_rows(name: str) -> None:
    """The notes name conditions and columns that exist."""
    each = load(name)
    assert each.name == name
    assert Plan(each, small=True).criteria
    assert len(Plan(each).keys()) >= 2
    stored = Document(**dict(identity_of(Plan(each), "numpy")), rows=())
    assert "{" not in page_of(each, stored).partition("## Run")[0]
    # All conditions without rows, and rows of the first alone.
    for found in ({}, {0: dict.fromkeys(each.columns, 0.5)}):
        table = {key: {} for key in each.conditions} | {next(iter(each.conditions)): found}
        assert all(to_svg(styled(draw)(table)) for draw in each.figures.values())


def test_a_page_has_a_table_for_each_group_without_empty_columns() -> None:
    columns = {"score": Column("score"), "other": Column("other"), "spikes": Column("spikes")}
    grouped = experiment(columns=columns, groups={"One": ("a",), "Two": ("b",)}, seeds=1)
    plan = Plan(grouped)
    numbers = {"score": 0.5, "spikes": 5}
    rows = {("a", 0): numbers, ("b", 0): {**numbers, "other": 2.0}}
    page = page_of(grouped, document(plan, rows))
    one, two = page.split("### One\n\n")[1].split("### Two\n\n")
    assert [line.split("|")[1].strip() for line in one.splitlines()[2:4]] == ["score", "spikes"]
    assert "other" not in one
    assert "| other | 2.00 |" in two


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
