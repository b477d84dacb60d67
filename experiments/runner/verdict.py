"""Both verdicts: each statistic next to its threshold, missing rows and silent networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bioae.analysis.measures.definitions import format_value
from experiments.runner.criteria import Criterion, Estimate, Kind, quantity_of
from experiments.runner.experiment import SPIKES, Key, Plan
from experiments.runner.rows import Document, table_of


@dataclass(frozen=True)
class Judgement:
    """A criterion, the statistic, the rows that it lacks, and whether it holds.

    `since`: "changed" or "added", if that was after a row that it needs had begun; else nothing.
    """

    criterion: Criterion
    estimate: Estimate
    missing: tuple[Key, ...]
    since: str

    @property
    def holds(self) -> bool:
        """True if all rows are there and meet the threshold."""
        return not self.missing and self.criterion.holds(self.estimate.value)

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
        return f" ({self.since} after some of its rows)" if self.since else ""

    def __str__(self) -> str:
        criterion = self.criterion
        line = f"{criterion.kind}: {criterion.text}: {measured(self.estimate)}, "
        return f"{line}threshold {criterion.required}: {self.outcome}{self.remark}"


@dataclass(frozen=True)
class Verdict:
    """The judgements of all criteria of a plan, and the rows of silent networks.

    `seeds` are the number of seeds and that which the experiment asks for, if it is larger.
    """

    plan: Plan
    judgements: tuple[Judgement, ...]
    silent: tuple[Key, ...]
    seeds: tuple[int, int] | None = None

    @property
    def holds(self) -> bool:
        """True if all criteria are met, and no network is silent."""
        return not self.silent and all(each.holds for each in self.judgements)

    @property
    def source(self) -> str:
        """The verdict on the source's claim: by criteria that state it, controls and agreement.

        A criterion with all its rows may decide it before the others have theirs; controls and
        agreement delay it only if they lack rows and concern a condition of the claim. Neither the
        quick form nor fewer seeds than planned test it. It says if one of
        these was changed or added after some of its rows.
        """
        experiment = self.plan.experiment
        if not experiment.source_says:
            return "none, the claim is ours"
        judged = [e for e in self.judgements if e.criterion.source or e.criterion.kind != "claim"]
        claims = [each.criterion for each in judged if each.criterion.source]
        conditions = {name for each in claims for name in each.statistic.conditions}
        missed = bool(self.silent) or any(not (each.holds or each.missing) for each in judged)
        waiting = not missed and any(
            each.missing and conditions & {*each.criterion.statistic.conditions} for each in judged
        )
        if not claims or waiting or self.seeds or self.plan.small:
            return "not tested"
        late = any(each.since for each in judged)
        parts = [experiment.source_part, "criteria set after some of their rows" if late else ""]
        text = "; ".join(filter(None, parts))
        return ("does not hold" if missed else "holds") + (f" ({text})" if text else "")

    @property
    def marks(self) -> str:
        """The verdict on our marks: how many criteria of the claim are met."""
        fewer = " ({} of {} planned seeds run)".format(*self.seeds) if self.seeds else ""
        return self.met("claim") + fewer

    def met(self, kind: Kind) -> str:
        """Return how many criteria of a kind are met, and for how many rows are missing."""
        judgements = [each for each in self.judgements if each.criterion.kind == kind]
        met = sum(each.holds for each in judgements)
        waiting = sum(bool(each.missing) for each in judgements)
        text = f"{met} of {len(judgements)}" if judgements else ""
        return f"{text}; rows missing for {waiting}" if waiting else text

    def lines(self) -> list[str]:
        """Return a line for each criterion, each silent network, and each verdict."""
        silent = [f"silent: {condition}, seed {seed}" for condition, seed in self.silent]
        verdicts = [f"Source's claim: {self.source}.", f"Our marks: {self.marks}."]
        return [*map(str, self.judgements), *silent, *verdicts]


def judge(plan: Plan, document: Document) -> Verdict:
    """Judge the rows that a plan asks for, of those of a document."""
    table, keys = table_of(plan, document.rows), {row.key for row in document.rows}
    begun = {row.condition for row in document.rows}
    judgements = []
    for criterion in plan.criteria:
        needed = plan.keys(criterion.statistic.conditions)
        missing = tuple(key for key in needed if key not in keys)
        stated = {each for each in document.criteria if quantity_of(each) == criterion.quantity}
        in_time = not begun & {*criterion.statistic.conditions} or stated == {str(criterion)}
        since = "" if in_time else "changed" if stated else "added"
        estimate = criterion.statistic.estimate(table)
        judgements.append(Judgement(criterion, estimate, missing, since))
    silent = [
        (name, seed)
        for name, seed in keys & {*plan.keys()}
        if not (plan.conditions[name].may_be_silent or table[name][seed].get(SPIKES, 0) > 0)
    ]
    in_order = tuple(row.key for row in document.rows if row.key in silent)
    judged = {name for each in plan.criteria for name in each.statistic.conditions}
    whole = Plan(plan.experiment, plan.small)
    asked = max(len(whole.seeds_of(name)) for name in judged)
    fewer = (plan.seeds, asked) if plan.seeds and plan.seeds < asked else None
    return Verdict(plan, tuple(judgements), in_order, fewer)


def measured(estimate: Estimate) -> str:
    """Return an estimate with its spread and the number of seeds as text."""
    spread = "" if math.isnan(estimate.sd) else f" ± {format_value(estimate.sd)}"
    return f"{format_value(estimate.value)}{spread} (n = {estimate.n})"
