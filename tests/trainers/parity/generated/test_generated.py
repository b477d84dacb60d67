"""Random models of the whole language: the same spikes in the mirror and Brian2, NumPy and C++."""

from __future__ import annotations

from collections import Counter
from functools import cache
from types import ModuleType
from typing import Any

import pytest
import xarray as xr
from builders import need
from hypothesis import HealthCheck, Phase, given, settings
from one_build import Simulation, simulate_several

from bioae.analysis import differing_spikes
from bioae.simulation import simulate
from bioae.simulation.backend import Backend
from bioae.trainers import simulate_mirror
from bioae.trainers.parity.comparison import recorded, report

SLOW_TO_DRAW = {"suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


def states_needed(case: Any) -> set[str]:
    """Return what to record: what each step is restarted from, where equality is not owed."""
    return set() if case.reproducible else recorded(case.network)


def check(case: Any, brian: xr.DataTree) -> None:
    """Compare with the mirror, once it is known that at least half of the neurons fire."""
    counts = brian["/layers/only/spike_count"]
    assert float((counts > 0).any("example").mean()) >= 0.5, case
    if case.reproducible:
        spikes = differing_spikes(brian, simulate_mirror(case.network, case.images))
        assert spikes["differing"].values.tolist() == [0], case
    else:
        found = report(case.network, case.images, brian, name="drawn")
        assert found.one_step == 1.0, (found, case)


def draw_cases(models: ModuleType, count: int) -> list[Any]:
    """Return cases of different models that hypothesis draws, spread evenly over the axes."""
    found: dict[str, Any] = {}

    @settings(max_examples=8 * count, phases=[Phase.generate], database=None, **SLOW_TO_DRAW)
    @given(models.cases())
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


@cache
def compiled_cases(models: ModuleType, count: int) -> list[Any]:
    """Return cases that reach every option of every axis."""
    cases = draw_cases(models, count)
    assert len(cases) == count
    for axis, options in models.AXES.items():
        assert {case.choices[axis] for case in cases} == set(options), axis
    return cases


@pytest.mark.parametrize(
    "count", [10, pytest.param(150, marks=pytest.mark.slow, id="many")], ids=str
)
def test_on_numpy(models: ModuleType, count: int) -> None:
    checked = []

    @settings(max_examples=count, **SLOW_TO_DRAW)
    @given(models.cases())
    def compare(case: Any) -> None:
        backend = Backend("numpy", record=states_needed(case))
        check(case, simulate(case.network, case.images, backend))
        checked.append(case)

    compare()
    assert len(checked) >= count / 2


@pytest.mark.parametrize(
    "count", [14, pytest.param(44, marks=pytest.mark.slow, id="many")], ids=str
)
def test_in_one_standalone_build(models: ModuleType, quick_compiler: None, count: int) -> None:
    need("cpp_standalone")
    cases = compiled_cases(models, count)
    results = simulate_several(
        [Simulation(case.network, case.images, record=states_needed(case)) for case in cases]
    )
    for case, result in zip(cases, results, strict=True):
        check(case, result)
    exact = sum(case.reproducible for case in cases)
    assert count / 5 <= exact <= 0.9 * count
