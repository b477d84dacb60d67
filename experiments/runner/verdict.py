"""The verdict: each statistic next to its threshold, missing rows and silent networks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bioae.analysis.measures.tables import format_value
from experiments.runner.criteria import Criterion, Estimate, quantity_of
from experiments.runner.experiment import SPIKES, Key, Plan
from experiments.runner.rows import Document, Row, table_of

__all__ = ["Judgement", "Verdict", "judge", "measured"]


@dataclass(frozen=True)
class Judgement:
    """A criterion and what the rows say about it.

    Attributes
    ----------
    criterion
        The criterion.
    estimate
        The statistic.
    missing
        Rows that it needs and that do not exist.
    holds
        Whether they are all there and meet the threshold.
    since
        What was done after the run had begun: "changed", "added", or nothing.
    """

    criterion: Criterion
    estimate: Estimate
    missing: tuple[Key, ...]
    holds: bool
    since: str

    @property
    def outcome(self) -> str:
        """The outcome in words, without the remark."""
        if self.missing:
            return f"rows missing: {len(self.missing)}"
        if math.isnan(self.estimate.value):
            return "undefined"
        return "holds" if self.holds else "misses"

    @property
    def remark(self) -> str:
        """A remark in brackets on the criterion itself, or nothing."""
        return f" ({self.since} after the run began)" if self.since else ""

    def __str__(self) -> str:
        criterion = self.criterion
        line = f"{criterion.kind}: {criterion.text}: {measured(self.estimate)}, "
        return f"{line}threshold {criterion.required}: {self.outcome}{self.remark}"


@dataclass(frozen=True)
class Verdict:
    """The judgements of all criteria, and the rows of silent networks.

    Attributes
    ----------
    judgements, silent
        These.
    small
        Whether they are of the quick form, which shows nothing.
    seeds
        The number of seeds, if it is fewer than the experiment asks for, and that one.
    """

    judgements: tuple[Judgement, ...]
    silent: tuple[Key, ...]
    small: bool = False
    seeds: tuple[int, int] | None = None

    @property
    def holds(self) -> bool:
        """Return whether the claim and all controls hold, and no network is silent."""
        return not self.silent and all(each.holds for each in self.judgements)

    @property
    def outcome(self) -> str:
        """The outcome in words: a criterion with all its rows may decide it before the others."""
        missing = any(each.missing for each in self.judgements)
        decided = [each for each in self.judgements if not each.missing]
        if missing and not self.silent and all(each.holds for each in decided):
            return "rows are missing"
        what = "the quick form" if self.small else "the claim"
        if not self.holds:
            return f"{what} does not hold" + (", and rows are missing" if missing else "")
        fewer = " ({} of {} planned seeds run)".format(*self.seeds) if self.seeds else ""
        return f"{what} holds{fewer}"

    def lines(self) -> list[str]:
        """Return a line for each criterion, each silent network, and the outcome."""
        silent = [f"silent: {condition}, seed {seed}" for condition, seed in self.silent]
        return [*map(str, self.judgements), *silent, f"Verdict: {self.outcome}."]

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data; undefined numbers are None."""
        return {
            "holds": self.holds,
            "silent": [list(key) for key in self.silent],
            "criteria": [
                {
                    "kind": each.criterion.kind,
                    "text": each.criterion.text,
                    "statistic": each.criterion.statistic.text,
                    "value": _plain(each.estimate.value),
                    "sd": _plain(each.estimate.sd),
                    "n": each.estimate.n,
                    "relation": each.criterion.relation,
                    "threshold": each.criterion.threshold,
                    "outcome": each.outcome,
                }
                for each in self.judgements
            ],
        }


def judge(plan: Plan, document: Document) -> Verdict:
    """Judge the rows that a plan asks for.

    Parameters
    ----------
    plan
        The form of the experiment.
    document
        The rows at hand.
    """
    rows = document.rows
    table = table_of(plan, rows)
    keys = {row.key for row in rows}
    judgements = []
    for criterion in plan.criteria:
        estimate = criterion.statistic.estimate(table)
        needed = plan.keys(criterion.statistic.conditions)
        missing = tuple(key for key in needed if key not in keys)
        judgements.append(
            Judgement(
                criterion=criterion,
                estimate=estimate,
                missing=missing,
                holds=not missing and criterion.holds(estimate.value),
                since=_since(criterion, document),
            )
        )
    return Verdict(tuple(judgements), tuple(_silent(plan, rows)), plan.small, _fewer(plan))


def _since(criterion: Criterion, document: Document) -> str:
    """Return what was done to a criterion after the run had begun."""
    stated = {each for each in document.criteria if quantity_of(each) == criterion.quantity}
    if not stated:
        return "added"
    return "" if stated == {str(criterion)} else "changed"


def _fewer(plan: Plan) -> tuple[int, int] | None:
    """Return the number of seeds of a plan and that of the experiment, if they are fewer."""
    judged = {name for each in plan.criteria for name in each.statistic.conditions}
    whole = Plan(plan.experiment, plan.small)
    asked = max(len(whole.seeds_of(name)) for name in judged)
    return (plan.seeds, asked) if plan.seeds and plan.seeds < asked else None


def measured(estimate: Estimate) -> str:
    """Return an estimate with its spread and the number of seeds as text."""
    spread = "" if math.isnan(estimate.sd) else f" ± {format_value(estimate.sd)}"
    return f"{format_value(estimate.value)}{spread} (n = {estimate.n})"


def _silent(plan: Plan, rows: Iterable[Row]) -> list[Key]:
    wanted = set(plan.keys())
    return [
        row.key
        for row in rows
        if row.key in wanted
        and not plan.conditions[row.condition].may_be_silent
        and not row.numbers.get(SPIKES)
    ]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
