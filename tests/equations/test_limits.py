"""Hostile equations: refused in a line before anything evaluates them, or accepted in time."""

from __future__ import annotations

from typing import Any

import pytest
from hostile import EXPRESSIONS, FIELDS, LIF, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioae.equations import NeuronModel, lower
from bioae.equations.limits import MOST_EQUATIONS, MOST_NAMES
from bioae.errors import ModelError

# Without its limit, each of these texts would run for minutes.
pytestmark = pytest.mark.timeout(300)

NEVER_ENDING = ["9**9**9**9", "v**9**9**9", "volt**9**9**9", "volt**99999", "pi**pi**pi**pi**pi"]
NO_VALUE = ["v/0", "log(0)", "(-1)**0.5", "1e999", "9//0", "v%0", "exp(1000)", "9" * 5000]


@pytest.mark.parametrize("field", FIELDS)
def test_a_power_is_bounded_before_it_is_evaluated(field: str) -> None:
    for text in NEVER_ENDING[: 2 if field == "equation, exact" else None]:
        refusal = outcome(FIELDS[field](text))
        assert refusal is not None, text
        assert refusal.where is not None


@pytest.mark.parametrize("text", NO_VALUE)
def test_a_constant_has_a_value(text: str) -> None:
    for field in ("equation", "threshold", "reset", "run_regularly", "initial"):
        assert outcome(FIELDS[field](text)) is not None, field


def nested(count: int, form: str) -> str:
    """Return equations in which each subexpression names the one before it."""
    lines = [f"x{n + 1} = {form.replace('X', f'x{n}')} : 1" for n in range(count)]
    return "\n".join([f"dv/dt = (x{count} - v)/tau : 1", "x0 = v : 1", *lines])


def equations(text: str, **others: Any) -> dict[str, Any]:
    return {"equations": f"dv/dt = -v/tau : 1\n{text}", **others}


LARGE: dict[str, dict[str, Any]] = {
    "subexpressions double": {"equations": nested(40, "sin(X) + cos(X)")},
    "products double": {"equations": nested(40, "X*X + 1")},
    "a product of sums": {"reset": "v = " + "*".join(["(v + theta)"] * 40)},
    "a power of a sum": {"reset": "v = (v + theta + dt/ms)**90"},
    "parentheses": {"reset": "v = " + "-" * 100 + "v"},
    "functions": {"reset": "v = " + "sqrt(" * 20 + "v" + ")" * 20},
    "conditions": {"threshold": " and ".join(["v > 1"] * 500)},
    "equations": equations("\n".join(f"dx{n}/dt = -x{n}/tau : 1" for n in range(MOST_EQUATIONS))),
    "statements": {"reset": "v = 2*v + 1\n" * (MOST_NAMES + 1)},
    "parameters": {"parameters": {f"p{n}": "1" for n in range(5000)}},
    "a long text": {"reset": "v = 0\n" * 10_000},
    "a long name": equations(f"{'a' * 5000} : 1"),
    "a long parameter": {"parameters": {"a" * 5000: "1"}},
    "a long temporary": {"reset": f"{'a' * 5000} = v\nv = {'a' * 5000}"},
    "a temporary of C++": {"reset": "double = v\nv = double"},
    "a temporary of Brian2": {"reset": "_x = v\nv = _x"},
    "Brian2's spikes": equations("_spikespace : 1"),
    "a look-alike": {"threshold": "\uff56 > 1"},
    "an invisible character": {"threshold": "v > 1\u200b"},
    "a comment": {"threshold": "v > 1 # mV"},
    "a unit": equations("x : volt**9**9**9"),
}


@pytest.mark.parametrize("case", LARGE)
def test_a_size_is_bounded(case: str) -> None:
    refusal = outcome(LARGE[case])
    assert refusal is not None
    assert (refusal.where or "").startswith("mine.toml")


@pytest.mark.medium
def test_a_model_may_be_as_large_as_models_of_the_field() -> None:
    text = "\n".join(
        f"dx{n}/dt = (v**3*(theta - x{n})**4 - exp(-v/10)*x{n})/tau : 1 # comment ä"
        for n in range(MOST_EQUATIONS - 1)
    )
    assert outcome(equations(text, method="euler", reset="v = 0 # zurück")) is None


@pytest.mark.medium
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(sorted(FIELDS)), EXPRESSIONS)
def test_every_expression_is_accepted_or_refused_in_time(field: str, text: str) -> None:
    outcome(FIELDS[field](text))


def test_the_model_before_the_changes_is_accepted() -> None:
    assert outcome({}) is None
    with pytest.raises(ModelError):
        lower(NeuronModel.from_mapping("mine", {**LIF, "reset": "u = 0"}, where="mine.toml"))
