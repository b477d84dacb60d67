"""Timing: the order of slots within a step, and the steps of each presentation.

A spike acts on the next layer one step later, so a presentation reaches a layer at depth d after d
steps. Every layer gets its whole presentation: with `steps` T, the window of a layer at depth d in
presentation k is the T steps from ``k * period + d`` on. On a common clock all depths are 0, there
is no lead-in, and spikes arrive one step later wherever they go, as in a plain Brian2 script.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

ScheduleName = Literal["brian2", "paper"]

#: Whether the window of a population begins with its first input, or with all others.
ClockName = Literal["staggered", "common"]


@dataclass(frozen=True)
class Schedule:
    """The order of Brian2's slots within a step.

    Attributes
    ----------
    slots
        As `brian2.Network.schedule` takes them.
    lead_in
        Steps between the arrival of a presentation at a layer and the layer's window: where
        synapses act after thresholds, the input of step n can cause a spike at step n + 1 at the
        earliest.
    """

    slots: tuple[str, ...]
    lead_in: int

    @property
    def at_once(self) -> bool:
        """True if spikes without a delay arrive in the step in which they were fired."""
        return self.slots.index("thresholds") < self.slots.index("synapses")

    @property
    def blocks(self) -> tuple[str, ...]:
        """The slots in which a layer computes, in order."""
        return tuple(s for s in self.slots if s in ("groups", "thresholds", "synapses", "resets"))


#: Brian2's order, and that of Hübotter et al. 2021 (arXiv:2109.11045), in which input, threshold
#: and reset come before the leak.
SCHEDULES: dict[ScheduleName, Schedule] = {
    "brian2": Schedule(("start", "groups", "thresholds", "synapses", "resets", "end"), lead_in=1),
    "paper": Schedule(("start", "synapses", "thresholds", "resets", "groups", "end"), lead_in=0),
}
assert set(SCHEDULES) == set(get_args(ScheduleName))


def points_in(steps: int, every: int, owner: str) -> int:
    """Return the number of points in time of a presentation, each of which lasts `every` steps."""
    if steps % every:
        raise ValueError(f"steps = {steps} is not a multiple of the {owner}'s every = {every}")
    return steps // every


@dataclass(frozen=True)
class Timing:
    """The steps of presentations in a run.

    Parameters
    ----------
    schedule
        The order of the slots.
    steps
        Steps T of a presentation.
    rest
        Steps without input after each presentation, which results leave out.
    carry_over
        Whether each presentation starts from the state in which the one before ended.
    """

    schedule: Schedule
    steps: int
    rest: int = 0
    carry_over: bool = False

    @property
    def period(self) -> int:
        """Steps between the starts of two presentations."""
        return self.steps + self.schedule.lead_in + self.rest

    def start(self, depth: int) -> int:
        """Return the step at which a layer is reset for the first presentation."""
        return depth - self.schedule.lead_in if depth else 0

    def duration(self, presentations: int, depth: int) -> int:
        """Return the steps until a layer at a depth has finished its last presentation."""
        return presentations * self.period + depth

    def arriving(self, lag: int, *, own: bool) -> range:
        """Return the target's steps in which a pathway without a delay delivers spikes.

        A delay of d steps moves them by d: the spikes that arrive in the target's step q were
        emitted in the source's step q - d + `late`, in the same presentation. A spike of a lead-in
        step reaches only its own layer.

        Parameters
        ----------
        lag
            The steps from a spike, in the source's window, to its arrival in the target's.
        own
            Whether the target is the source.
        """
        if self.carry_over:  # spikes of the presentation before arrive, too
            return range(self.period)
        late = self.schedule.at_once - lag
        return range((-self.schedule.lead_in if own else 0) - late, self.steps - late)

    def shift(self, lag: int) -> int:
        """Return the steps from a spike, in the source's window, to the target's first step by it.

        They count from the first step in which the target runs, its lead-in included.
        """
        return lag - self.schedule.at_once + self.schedule.lead_in

    def learning(self, lag: int) -> LearningSteps:
        """Return the steps of the target's window in which a pathway learns, of a lag of 0 or 1."""
        if self.carry_over:  # in every step, without a reset
            return LearningSteps(-1, 0, self.period - 1)
        own = 1 - self.schedule.at_once
        first = own if lag else -self.schedule.lead_in
        return LearningSteps(first, own, self.steps - (1 if lag else 2))


@dataclass(frozen=True)
class LearningSteps:
    """The steps of the target's window in which a pathway learns, see `docs/timing.md`.

    `first`: the step of the first spikes that teach as they arrive: variables of synapses are reset
    in it, and integrated in those that follow; `own`: the step of the first spikes of the target
    that teach; `last`: the last step for both.
    """

    first: int
    own: int
    last: int

    def since(self, step: int, interval: int | None) -> int:
        """Return the steps since `regularly` ran before a step, or since the first of them."""
        before = step - self.own
        return (before if interval is None else before % interval) + 1

    def blocks(self, step: int, interval: int | None) -> frozenset[str]:
        """Return the names of the blocks of a rule that run in a step of the target's window.

        `interval` is the steps from one run of `regularly` to the next; None: it runs in the last
        step only.
        """
        if not self.first <= step <= self.last:
            return frozenset()
        counted = step - self.own + 1
        due = step == self.last or (interval is not None and counted % interval == 0)
        own = step >= self.own
        runs = {
            "integrate": step > self.first, "on_pre": True, "on_post": own, "regularly": own and due
        }  # fmt: skip
        return frozenset(name for name, holds in runs.items() if holds)
