"""Generated models on every target: no spike differs where the class "exact" is claimed."""

from __future__ import annotations

from typing import Any

import pytest
from builders import need
from generated_cases import check, draw_cases, states_needed
from one_build import Simulation, simulate_several

from bioae.simulation.backend import Target

#: Models per target. Cython compiles each code object by itself, which takes far longer.
COUNTS: dict[Target, int] = {"numpy": 60, "cpp_standalone": 60, "cython": 20}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_generated_models_on_every_target(quick_compiler: None, figures: Any) -> None:
    need("cpp_standalone")
    cases = draw_cases(60)
    exact = sum(case.reproducible for case in cases)
    assert 12 <= exact <= 54
    for target, count in COUNTS.items():
        chosen = cases[:count]
        results = simulate_several(
            [Simulation(case.network, case.images, record=states_needed(case)) for case in chosen],
            target=target,
        )
        for case, result in zip(chosen, results, strict=True):
            check(case, result)
    figures(
        "generated models",
        exact=exact,
        differing=0,
        **dict(COUNTS.items()),
    )
