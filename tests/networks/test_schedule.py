"""The steps of presentations in a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioae.networks.schedule import SCHEDULES, ScheduleName, Timing


@pytest.mark.parametrize(
    ("name", "period", "blocks"),
    [
        ("brian2", 11, ("groups", "thresholds", "synapses", "resets")),
        ("paper", 10, ("synapses", "thresholds", "resets", "groups")),
    ],
)
def test_the_two_schedules(name: ScheduleName, period: int, blocks: tuple[str, ...]) -> None:
    timing = Timing(SCHEDULES[name], steps=10)
    assert timing.period == period
    assert timing.schedule.blocks == blocks


@pytest.mark.parametrize("name", SCHEDULES)
@given(steps=st.integers(1, 200), presentations=st.integers(1, 50), depth=st.integers(1, 10))
def test_windows_follow_one_another_and_all_fit(
    name: ScheduleName, steps: int, presentations: int, depth: int
) -> None:
    timing = Timing(SCHEDULES[name], steps)
    starts = [timing.start(depth) + k * timing.period for k in range(presentations)]
    first = [start + timing.schedule.lead_in for start in starts]
    assert first == [depth + k * timing.period for k in range(presentations)]
    # The window of one presentation ends where the next is reset.
    assert all(a + steps <= b for a, b in zip(first, starts[1:], strict=False))
    assert first[-1] + steps <= timing.duration(presentations, depth)
    assert timing.start(0) == 0
