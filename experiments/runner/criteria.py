"""Criteria: a statistic over rows, a relation, and a threshold that is set beforehand.

A statistic reads the table of rows, an `xarray.Dataset` along ``condition`` and ``seed`` with a
variable for each column and the mask ``finished`` of the rows that exist. A number that is
undefined in a finished row makes the statistic undefined, and an undefined one meets no threshold.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "KINDS", "RELATIONS", "Criterion", "Estimate", "Kind", "Relation", "Statistic",
    "difference", "kruskal_p", "largest", "largest_rise", "mean", "paired_p", "quantity_of",
    "ratio", "smallest", "trend", "values_of", "welch_p",
]  # fmt: skip

Relation = Literal["<=", ">=", "<", ">"]

#: A part of the claim; a control, which would expose the claim if it did not hold; or the agreement
#: of Brian2 with the mirror.
Kind = Literal["claim", "control", "agreement"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Numbers = NDArray[np.float64]

RELATIONS: dict[Relation, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A statistic of the rows at hand.

    Attributes
    ----------
    value
        Its value; NaN if it is undefined.
    sd
        The standard deviation over seeds (n - 1 in the denominator), or NaN.
    n
        The number of seeds, or of pairs of rows with the same seed.
    """

    value: float
    sd: float = math.nan
    n: int = 0

    @classmethod
    def of(cls, values: Numbers) -> Estimate:
        """Return the mean and spread of one value per seed."""
        if not len(values):
            return cls(math.nan)
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
        return cls(float(np.mean(values)), sd, len(values))


@dataclass(frozen=True)
class Statistic:
    """A number that is computed from one column in some conditions.

    Attributes
    ----------
    text
        Its description, with the column and the conditions in backticks.
    column
        The column.
    conditions
        The conditions whose rows it needs.
    estimate
        The function of the table of rows.
    """

    text: str
    column: str
    conditions: tuple[str, ...]
    estimate: Callable[[xr.Dataset], Estimate]


@dataclass(frozen=True)
class Criterion:
    """A condition that the rows have to meet.

    Attributes
    ----------
    kind
        See `Kind`.
    text
        The quantity in words.
    statistic, relation, threshold
        The condition.
    quick
        The threshold of the quick form, whose networks are small; that of the full one by default.
    in_quick
        Whether the quick form has it; a test between conditions needs more than one seed.
    """

    kind: Kind
    text: str
    statistic: Statistic
    relation: Relation
    threshold: float
    quick: float | None = None
    in_quick: bool = True

    def __str__(self) -> str:
        return f"{self.kind}: {self.quantity} {self.required}"

    @property
    def quantity(self) -> str:
        """The quantity in words, and the statistic."""
        return f"{self.text}: {self.statistic.text}"

    @property
    def required(self) -> str:
        """The relation and the threshold as text."""
        return f"{self.relation} {self.threshold:g}"

    def of_form(self, *, quick: bool) -> Criterion:
        """Return the criterion with the threshold of the full or the quick form."""
        if quick and self.quick is not None:
            return replace(self, threshold=self.quick)
        return self

    def holds(self, value: float) -> bool:
        """Return whether a value meets the threshold; NaN does not."""
        return RELATIONS[self.relation](value, self.threshold)


def quantity_of(written: str) -> str:
    """Return the `quantity` of a criterion that is stored as text."""
    return written.partition(": ")[2].rsplit(" ", 2)[0]


def values_of(rows: xr.Dataset, column: str, condition: str) -> Numbers:
    """Return a column of the finished rows of a condition that have it, (seed,)."""
    selected = rows.sel(condition=condition)
    have = selected["measured"].sel(column=column).to_numpy()
    values: Numbers = selected[column].to_numpy()[have]
    return values


def mean(column: str, condition: str) -> Statistic:
    """Return the mean over seeds."""
    return Statistic(
        f"mean of `{column}` in `{condition}`",
        column,
        (condition,),
        lambda rows: Estimate.of(values_of(rows, column, condition)),
    )


def smallest(column: str, condition: str) -> Statistic:
    """Return the smallest value of any seed."""
    return _extreme("smallest", np.min, column, condition)


def largest(column: str, condition: str) -> Statistic:
    """Return the largest value of any seed."""
    return _extreme("largest", np.max, column, condition)


def difference(column: str, first: str, second: str) -> Statistic:
    """Return the mean over seeds of the difference of two conditions, paired by seed."""
    return Statistic(
        f"mean of `{column}` in `{first}` minus in `{second}`, by seed",
        column,
        (first, second),
        lambda rows: Estimate.of(np.subtract(*_paired(rows, column, first, second))),
    )


def ratio(column: str, first: str, second: str) -> Statistic:
    """Return the mean over seeds of the ratio of two conditions, paired by seed."""

    def estimate(rows: xr.Dataset) -> Estimate:
        above, below = _paired(rows, column, first, second)
        return Estimate.of(np.divide(above, np.where(below == 0, np.nan, below)))

    text = f"mean of `{column}` in `{first}` divided by in `{second}`, by seed"
    return Statistic(text, column, (first, second), estimate)


def welch_p(column: str, first: str, second: str) -> Statistic:
    """Return the two-sided p of Welch's t-test between two conditions; NaN if neither varies."""

    def test(one: Numbers, other: Numbers) -> float:
        from scipy import stats

        samples = one, other
        if not any(map(np.ptp, samples)):
            return math.nan
        # `ttest_ind` warns if one of the samples is constant, although p is defined.
        moments = [(each.mean(), each.std(ddof=1), len(each)) for each in samples]
        return float(stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue)

    return _p_value("Welch's t-test", test, column, (first, second), least=2)


def paired_p(column: str, lower: str, higher: str) -> Statistic:
    """Return the one-sided p of Wilcoxon's signed-rank test, paired by seed.

    It is small if the column is lower in the first condition than in the second. Pairs that do not
    differ are left out; if no pair differs, p is 1.
    """

    def estimate(rows: xr.Dataset) -> Estimate:
        from scipy import stats

        changes = np.subtract(*_paired(rows, column, lower, higher))
        if not len(changes) or np.isnan(changes).any():
            return Estimate(math.nan, n=len(changes))
        changed = changes[changes != 0]
        p = stats.wilcoxon(changed, alternative="less").pvalue if len(changed) else 1.0
        return Estimate(float(p), n=len(changes))

    text = f"p of the signed-rank test that `{column}` is lower in `{lower}` than in `{higher}`"
    return Statistic(f"{text}, by seed", column, (lower, higher), estimate)


def kruskal_p(column: str, conditions: Sequence[str]) -> Statistic:
    """Return the p of the Kruskal-Wallis test that conditions have the same distribution."""

    def test(*samples: Numbers) -> float:
        from scipy import stats

        if len(np.unique(np.concatenate(samples))) == 1:
            return 1.0  # refused by SciPy
        return float(stats.kruskal(*samples).pvalue)

    return _p_value("the Kruskal-Wallis test", test, column, tuple(conditions), least=1)


def trend(column: str, conditions: Sequence[str]) -> Statistic:
    """Return Spearman's rank correlation of a column with the order of conditions, by all rows."""

    def estimate(rows: xr.Dataset) -> Estimate:
        from scipy import stats

        samples = [values_of(rows, column, condition) for condition in conditions]
        places = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
        values = np.concatenate(samples)
        if len(np.unique(values)) < 2 or len(np.unique(places)) < 2:
            return Estimate(math.nan, n=len(values))
        return Estimate(float(stats.spearmanr(places, values).statistic), n=len(values))

    text = f"rank correlation of `{column}` with the order of {_listed(conditions)}"
    return Statistic(text, column, tuple(conditions), estimate)


def largest_rise(column: str, conditions: Sequence[str]) -> Statistic:
    """Return the largest rise of a column's mean from one condition to the next; a fall is less."""

    def estimate(rows: xr.Dataset) -> Estimate:
        samples = [values_of(rows, column, condition) for condition in conditions]
        if not all(len(sample) for sample in samples):
            return Estimate(math.nan, n=min(map(len, samples)))
        rises = np.diff([sample.mean() for sample in samples])
        return Estimate(float(rises.max()), n=min(map(len, samples)))

    text = f"largest rise of the mean of `{column}` in the order of {_listed(conditions)}"
    return Statistic(text, column, tuple(conditions), estimate)


def _extreme(
    name: str, reduce: Callable[[Numbers], np.float64], column: str, condition: str
) -> Statistic:
    def estimate(rows: xr.Dataset) -> Estimate:
        values = values_of(rows, column, condition)
        # No spread: that of the seeds is around their mean.
        value = float(reduce(values)) if len(values) else math.nan
        return Estimate(value, n=len(values))

    return Statistic(f"{name} `{column}` in `{condition}`", column, (condition,), estimate)


def _p_value(
    name: str,
    test: Callable[..., float],
    column: str,
    conditions: tuple[str, ...],
    *,
    least: int,
) -> Statistic:
    def estimate(rows: xr.Dataset) -> Estimate:
        samples = [values_of(rows, column, condition) for condition in conditions]
        n = min(map(len, samples))
        return Estimate(test(*samples) if n >= least else math.nan, n=n)

    text = f"p of {name} of `{column}` between {_listed(conditions)}"
    return Statistic(text, column, conditions, estimate)


def _paired(rows: xr.Dataset, column: str, first: str, second: str) -> tuple[Numbers, Numbers]:
    both = (
        rows["measured"].sel(column=column, condition=[first, second]).all("condition").to_numpy()
    )
    one, other = (rows[column].sel(condition=name).to_numpy()[both] for name in (first, second))
    return one, other


def _listed(conditions: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in conditions)
