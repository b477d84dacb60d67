"""Criteria: a statistic over rows, a relation, and a threshold that is set beforehand.

A number that is undefined in a finished row makes a statistic undefined, and an undefined one meets
no threshold.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

#: A part of the claim; a control, which would expose the claim if it did not hold; or the agreement
#: of Brian2 with the mirror.
Kind = Literal["claim", "control", "agreement"]

Numbers = NDArray[np.float64]

#: Numbers of finished rows by condition, seed and column; NaN where a number is undefined.
Rows = Mapping[str, Mapping[int, Mapping[str, float]]]

_RELATIONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Estimate:
    """Value of a statistic, standard deviation over seeds (or NaN), and number of seeds."""

    value: float
    sd: float = math.nan
    n: int = 0

    @classmethod
    def of(cls, values: Numbers) -> Estimate:
        """Return the mean and spread of one value per seed."""
        n = len(values)
        sd = float(np.std(values, ddof=1)) if n > 1 else math.nan
        return cls(float(np.mean(values)) if n else math.nan, sd, n)


@dataclass(frozen=True)
class Statistic:
    """A number that is computed from a column in some conditions; the text names them."""

    text: str
    column: str
    conditions: tuple[str, ...]
    compute: Callable[..., Estimate]
    paired: bool = False

    def estimate(self, rows: Rows) -> Estimate:
        """Return the statistic of the values of each condition, of common seeds if paired."""
        names, seeds = self.conditions, None
        if self.paired:
            seeds = set.intersection(*(_seeds(rows, self.column, name) for name in names))
        return self.compute(*(values_of(rows, self.column, name, seeds) for name in names))


@dataclass(frozen=True)
class Criterion:
    """A condition that the rows have to meet: a quantity in words, a statistic and its threshold.

    `quick` is the threshold of the quick form, whose networks are small, if it is another one. With
    `in_quick` false the quick form does not have it: a test between conditions needs several seeds.
    With `source` a claim states what the source's authors say, or guards it, and is part of both
    verdicts; without, it is a mark of ours alone.
    """

    kind: Kind
    text: str
    statistic: Statistic
    relation: str
    threshold: float
    quick: float | None = None
    in_quick: bool = True
    source: bool = False

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
        return replace(self, threshold=self.quick) if quick and self.quick is not None else self

    def holds(self, value: float) -> bool:
        """Return whether a value meets the threshold; NaN does not."""
        return bool(_RELATIONS[self.relation](value, self.threshold))


#: Criteria by their kind: of the claim, of a control, of the agreement of Brian2 with the mirror.
claim, control = partial(Criterion, "claim"), partial(Criterion, "control")
agreement = partial(Criterion, "agreement")


def quantity_of(written: str) -> str:
    """Return the `quantity` of a criterion that is stored as text."""
    return written.partition(": ")[2].rsplit(" ", 2)[0]


def values_of(
    rows: Rows, column: str, condition: str, seeds: set[int] | None = None
) -> NDArray[np.float64]:
    """Return a column of the rows of a condition that have it (seed,), of some seeds or all."""
    found = _seeds(rows, column, condition)
    kept = sorted(found if seeds is None else found & seeds)
    return np.array([rows[condition][seed][column] for seed in kept], np.float64)


def _seeds(rows: Rows, column: str, condition: str) -> set[int]:
    return {seed for seed, numbers in rows.get(condition, {}).items() if column in numbers}


def mean(column: str, condition: str) -> Statistic:
    """Return the mean over seeds."""
    return Statistic(f"mean of `{column}` in `{condition}`", column, (condition,), Estimate.of)


def smallest(column: str, condition: str) -> Statistic:
    """Return the smallest value of any seed."""
    return _extreme("smallest", np.min, column, condition)


def largest(column: str, condition: str) -> Statistic:
    """Return the largest value of any seed."""
    return _extreme("largest", np.max, column, condition)


def _extreme(
    name: str, reduce: Callable[[Numbers], np.float64], column: str, condition: str
) -> Statistic:
    def compute(values: Numbers) -> Estimate:  # no spread: that of the seeds is around their mean
        return Estimate(float(reduce(values)) if len(values) else math.nan, n=len(values))

    return Statistic(f"{name} `{column}` in `{condition}`", column, (condition,), compute)


def difference(column: str, first: str, second: str) -> Statistic:
    """Return the mean over seeds of the difference of two conditions, paired by seed."""
    text = f"mean of `{column}` in `{first}` minus in `{second}`, by seed"
    return Statistic(text, column, (first, second), lambda a, b: Estimate.of(a - b), paired=True)


def ratio(column: str, first: str, second: str) -> Statistic:
    """Return the mean over seeds of the ratio of two conditions, paired by seed."""

    def compute(above: Numbers, below: Numbers) -> Estimate:
        return Estimate.of(above / np.where(below == 0, np.nan, below))

    text = f"mean of `{column}` in `{first}` divided by in `{second}`, by seed"
    return Statistic(text, column, (first, second), compute, paired=True)


def largest_rise(column: str, conditions: Sequence[str]) -> Statistic:
    """Return the largest rise of a column's mean from one condition to the next; a fall is less."""

    def compute(*samples: Numbers) -> Estimate:
        n = min(map(len, samples))
        rises = np.diff([sample.mean() for sample in samples]) if n else np.array([math.nan])
        return Estimate(float(rises.max()), n=n)

    text = f"largest rise of the mean of `{column}` in the order of {_listed(conditions)}"
    return Statistic(text, column, tuple(conditions), compute)


def welch_p(column: str, first: str, second: str) -> Statistic:
    """Return the two-sided p of Welch's t-test between two conditions; NaN if neither varies."""

    def compute(*samples: Numbers) -> Estimate:
        from scipy import stats

        p, n = math.nan, min(map(len, samples))
        if n > 1 and any(map(np.ptp, samples)):
            # `ttest_ind` warns if one of the samples is constant, although p is defined.
            moments = [(each.mean(), each.std(ddof=1), len(each)) for each in samples]
            found = stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False)
            p = float(found.pvalue)
        return Estimate(p, n=n)

    text = f"p of Welch's t-test of `{column}` between {_listed((first, second))}"
    return Statistic(text, column, (first, second), compute)


def kruskal_p(column: str, conditions: Sequence[str]) -> Statistic:
    """Return the p of the Kruskal-Wallis test that conditions have the same distribution."""

    def compute(*samples: Numbers) -> Estimate:
        from scipy import stats

        p, n = math.nan, min(map(len, samples))
        if n:  # SciPy rejects samples without any difference
            same = len(np.unique(np.concatenate(samples))) == 1
            p = 1.0 if same else stats.kruskal(*samples).pvalue
        return Estimate(float(p), n=n)

    text = f"p of the Kruskal-Wallis test of `{column}` between {_listed(conditions)}"
    return Statistic(text, column, tuple(conditions), compute)


def paired_p(column: str, lower: str, higher: str) -> Statistic:
    """Return the one-sided p of Wilcoxon's signed-rank test, paired by seed.

    It is small if the column is lower in the first condition than in the second. Pairs that do not
    differ are left out; if no pair differs, p is 1.
    """

    def compute(low: Numbers, high: Numbers) -> Estimate:
        from scipy import stats

        changes, p = low - high, math.nan
        if len(changes) and not np.isnan(changes).any():
            changed = changes[changes != 0]
            none = not len(changed)
            p = 1.0 if none else float(stats.wilcoxon(changed, alternative="less").pvalue)
        return Estimate(p, n=len(changes))

    text = f"p of the signed-rank test that `{column}` is lower in `{lower}` than in `{higher}`"
    return Statistic(f"{text}, by seed", column, (lower, higher), compute, paired=True)


def _listed(conditions: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in conditions)
