"""Private parts of Brian2 on which lowering relies: a new Brian2 that changes one fails here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from brian2 import NeuronGroup, ms
from brian2.codegen.translation import make_statements
from brian2.core.functions import DEFAULT_FUNCTIONS

EQUATIONS = """
dv/dt = -v/(10*ms) : 1 (unless refractory)
held = 2*v : 1 (constant over dt)
plain = v + 1 : 1
"""


class SilentGroup(NeuronGroup):  # type: ignore[misc]
    """A group that never runs; Brian2 would warn about that."""

    def __del__(self) -> None:
        """Give no warning."""


@pytest.fixture
def group() -> Any:
    group = SilentGroup(
        1, EQUATIONS, threshold="v > 1", reset="v = 0", refractory=2 * ms, method="euler", dt=1 * ms
    )
    group.before_run({})
    return group


def test_the_state_updater_has_its_abstract_code_after_that_of_refractoriness(group: Any) -> None:
    refractoriness = group.state_updater._get_refractory_code({})
    assert refractoriness.startswith("not_refractory = ")
    group.state_updater.update_abstract_code({})
    code = group.state_updater.abstract_code
    assert code.startswith(refractoriness)
    assert "int(not_refractory)" in code


def test_subexpressions_constant_over_dt_have_an_updater(group: Any) -> None:
    assert group.subexpression_updater.abstract_code.split() == ["held", "=", "2*v"]
    assert group.equations["held"].type == "parameter"
    assert group.equations["plain"].type == "subexpression"


def test_the_thresholder_of_spikes_checks_its_condition(group: Any) -> None:
    group.thresholder["spike"].update_abstract_code({})
    assert "v > 1" in group.thresholder["spike"].abstract_code


def test_statements_that_add_are_rewritten(group: Any) -> None:
    known = {**DEFAULT_FUNCTIONS, **dict(group.variables)}
    blocks = make_statements("v = 1 + v + dt/ms", known, np.float64, optimise=False)
    (statement,) = (each for block in blocks for each in block if each.var == "v")
    assert statement.op == "+="
