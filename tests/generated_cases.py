"""Generated models on both sides: those of a survey, and their comparison."""

from __future__ import annotations

from collections import Counter
from typing import Any

import xarray as xr
from generated_models import cases
from hypothesis import HealthCheck, Phase, given, settings

from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.api import engine_of
from bioae.trainers.parity.comparison import Comparison, recorded

SLOW_TO_DRAW = {"suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def states_needed(case: Any) -> set[str]:
    """Return what to record: what each step is restarted from, where equality is not owed."""
    return set() if case.reproducible else recorded(case.network)


def check(case: Any, brian: xr.DataTree) -> None:
    """Compare with the mirror, once it is known that at least half of the neurons fire."""
    assert float((brian["/layers/only/spike_count"] > 0).any("example").mean()) >= 0.5, case
    if case.reproducible:
        spikes = differing_spikes(brian, simulate(case.network, case.images, "torch"))
        assert spikes["differing"].values.tolist() == [0], case
    else:
        found = Comparison(case.network, case.images, engine_of, name="drawn").with_result(brian)
        assert found.one_step == 1.0, (found, case)


def draw_cases(count: int) -> list[Any]:
    """Return cases of different models that hypothesis draws, spread evenly over the axes."""
    found: dict[str, Any] = {}

    @settings(max_examples=40 * count, phases=[Phase.generate], database=None, **SLOW_TO_DRAW)
    @given(cases())
    def collect(case: Any) -> None:
        found.setdefault(case.model.to_toml(), case)

    collect()
    reached: Counter[tuple[str, str]] = Counter()
    chosen = []
    for _ in range(count):
        case = min(found.values(), key=lambda case: rank(case, reached))
        reached.update(case.choices.items())
        chosen.append(found.pop(case.model.to_toml()))
    return chosen


def rank(case: Any, reached: Counter[tuple[str, str]]) -> float:
    """Return how well the choices of a case are covered already."""
    return sum(-(0.5 ** reached[choice]) for choice in case.choices.items())
