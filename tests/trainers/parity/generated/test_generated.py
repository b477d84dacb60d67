"""Random models of the whole language: the same spikes in the mirror and Brian2, NumPy and C++."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from builders import need
from generated_cases import SLOW_TO_DRAW, check, draw_cases, states_needed
from generated_models import AXES, cases
from hypothesis import given, settings
from one_build import Simulation, simulate_several

from bioae import simulate
from bioae.simulation.backend import Backend


@cache
def compiled_cases(count: int) -> list[Any]:
    """Return cases that reach every option of every axis."""
    chosen = draw_cases(count)
    assert len(chosen) == count
    for axis, options in AXES.items():
        assert {case.choices[axis] for case in chosen} == set(options), axis
    return chosen


@pytest.mark.slow
@pytest.mark.parametrize(
    "count", [10, pytest.param(150, marks=pytest.mark.slow, id="many")], ids=str
)
def test_on_numpy(count: int) -> None:
    checked = []

    @settings(max_examples=count, **SLOW_TO_DRAW)
    @given(cases())
    def compare(case: Any) -> None:
        backend = Backend("numpy", record=states_needed(case))
        check(case, simulate(case.network, case.images, backend))
        checked.append(case)

    compare()
    assert len(checked) >= count / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "count", [14, pytest.param(44, marks=pytest.mark.slow, id="many")], ids=str
)
def test_in_one_standalone_build(quick_compiler: None, count: int) -> None:
    need("cpp_standalone")
    chosen = compiled_cases(count)
    results = simulate_several(
        [Simulation(case.network, case.images, record=states_needed(case)) for case in chosen]
    )
    for case, result in zip(chosen, results, strict=True):
        check(case, result)
    exact = sum(case.reproducible for case in chosen)
    assert count / 5 <= exact <= 0.9 * count
