"""Generated models on every target: no spike differs where the class "exact" is claimed."""

from __future__ import annotations

import pytest
from builders import need
from generated_cases import check, draw_cases, states_needed
from generated_models import AXES
from one_build import Simulation, simulate_several

from bioae.simulation.backend import Target

#: Models per target.
COUNT = 60
TARGETS: tuple[Target, ...] = ("numpy", "cpp_standalone", "cython")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_generated_models_on_every_target(quick_compiler: None) -> None:
    need("cpp_standalone")
    cases = draw_cases(COUNT)
    exact = sum(case.reproducible for case in cases)
    assert 12 <= exact <= 54
    for axis, options in AXES.items():
        assert {case.choices[axis] for case in cases} == set(options), axis
    simulations = [
        Simulation(case.network, case.images, record=states_needed(case)) for case in cases
    ]
    for target in TARGETS:
        results = simulate_several(simulations, target=target)
        for case, result in zip(cases, results, strict=True):
            check(case, result)
