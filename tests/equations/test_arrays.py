"""Initial states of a presentation, and the distance to threshold, read from a condition."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import model
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from stepping import begun

from bioae.equations import NeuronModel, lower
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start, default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.errors import ModelError

CONDUCTANCE: dict[str, Any] = {
    "description": "A conductance-based neuron with a constant input.",
    "equations": """
dv/dt = (g_l*(E_l - v) + g_e*(E_e - v))/C : volt (unless refractory)
dg_e/dt = (g_0 - g_e)/tau_e : siemens
""",
    "threshold": "v > theta",
    "reset": "v = E_l",
    "refractory": "2*ms",
    "method": "euler",
    "input": "g_e",
    "weight": "1*nS",
    "parameters": {
        "C": "200*pF", "g_l": "10*nS", "E_l": "-65*mV", "E_e": "0*mV", "theta": "-40*mV",
        "tau_e": "5*ms", "g_0": "2*nS",
    },
}  # fmt: skip


def start(changes: dict[str, Any], n: int = 3, dt: float = 1e-4) -> dict[str, np.ndarray[Any, Any]]:
    program = lower(model(CONDUCTANCE, **changes))
    return Start(program, dt, n).state(default_parameters(program))


def test_expressions_of_parameters_and_of_one_another_in_any_order() -> None:
    result = start({"initial": {"v": "E_l + g_e/nS*mV", "g_e": "g_0 + i*nS"}})
    np.testing.assert_array_equal(result["g_e"], 2e-9 + np.arange(3) * 1e-9)
    np.testing.assert_array_equal(result["v"], -65e-3 + result["g_e"] / 1e-9 * 1e-3)


def test_a_declared_variable_starts_at_its_parameter() -> None:
    equations = CONDUCTANCE["equations"] + "x : 1\nk : integer\nb : boolean\n"
    parameters = {**CONDUCTANCE["parameters"], "x": "3", "k": "7"}
    result = start({"equations": equations, "parameters": parameters, "initial": {"b": "i > 0"}})
    assert (result["x"].tolist(), result["k"].tolist()) == ([3.0] * 3, [7.0] * 3)
    assert result["b"].tolist() == [False, True, True]


def test_settling_ends_at_the_fixed_point() -> None:
    """The currents cancel there: v = (g_l E_l + g_0 E_e)/(g_l + g_0), g_e = g_0."""
    result = start({"initial": {"v": "E_l", "settle": "500*ms"}})
    np.testing.assert_allclose(result["g_e"], 2e-9, rtol=1e-12)
    np.testing.assert_allclose(result["v"], 10 * -65e-3 / 12, rtol=1e-10)
    assert not np.allclose(result["v"], -65e-3)
    assert result["not_refractory"].all()


def test_settling_that_blows_up_is_refused() -> None:
    changes: dict[str, Any] = {"equations": "dv/dt = v**2/ms : 1\ng_e : siemens"}
    changes |= {"threshold": "v > 1e300"}
    changes |= {"reset": "", "input": "v", "weight": "1", "initial": {"v": "5", "settle": "50*ms"}}
    with np.errstate(all="ignore"), refused(ModelError, where="mine.toml, [initial] settle"):
        start(changes, dt=1e-3)


EQUATIONS = """
dv/dt = -v/tau : 1
u : 1
k : integer
up : boolean
near = v > 0.5*theta : boolean
"""
PARAMETERS = {"tau": "20*ms", "theta": "0.75", "low": "-0.5"}

comparisons = st.sampled_from(
    [
        "v > theta", "u >= v", "u < low", "v + u <= 0.25*theta", "v > 0", "k == 2", "k != 1",
        "near", "v < inf", "inf*theta > u", "v > -inf", "k == inf",
    ]
)  # fmt: skip


def joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(
            lambda a, op, b: f"({a}) {op} ({b})", parts, st.sampled_from(["and", "or"]), parts
        ),
        st.builds(lambda a: f"not ({a})", parts),
    )


def model_of(threshold: str, **changes: Any) -> NeuronModel:
    fields = {
        "description": "A model of the tests.", "equations": EQUATIONS, "threshold": threshold,
        "reset": "v = 0", "input": "v", "parameters": PARAMETERS,
    }  # fmt: skip
    return builders.model(fields, **changes)


def evaluated(model: NeuronModel, **states: Any) -> tuple[Any, Any, Any]:
    """Return the truth of the condition, the distance, and the scale."""
    program = lower(model)
    values = begun(program) | states | {name: np.asarray(0.25) for name in program.draws}
    stepper = Stepper(program, array_functions(np))
    return stepper.condition(values), stepper.distance(values), stepper.scale(values)


@pytest.mark.medium
@given(st.recursive(comparisons, joined, max_leaves=6))
def test_it_is_positive_where_the_condition_is_true(condition: str) -> None:
    random = np.random.default_rng(0)
    states = {
        "v": random.normal(size=200), "u": random.normal(size=200),
        "k": random.integers(0, 4, 200).astype(float), "up": random.random(200) < 0.5,
    }  # fmt: skip
    fires, distance, scale = evaluated(model_of(condition), **states)
    assert (scale > 0).all()
    # The distance of an equality is 0 where it holds: there only the condition decides.
    decided = distance != 0
    np.testing.assert_array_equal((distance > 0)[decided], fires[decided])


@pytest.mark.parametrize(
    ("threshold", "distance", "scale"),
    [
        ("not v <= theta", "v - theta", "theta"),
        ("near", "v - bioae_c1", "bioae_c1"),
        ("v > theta and up", "(v - theta) / theta", "1"),
        ("v > theta and not_refractory", "(v - theta) / theta", "1"),
        ("v > theta or u < low", "maximum((v - theta) / theta, (low - u) / bioae_c1)", "1"),
        ("rand() < v", "v - bioae_draw0", "0.5"),
        ("v > theta + randn()", "v - (theta + bioae_draw0)", "bioae_c1"),
        ("k == 3", "-abs(k - 3) / 3", "1"),
        ("v < inf", "bioae_c1 - v", "1"),
    ],
)
def test_distance_and_scale_of_a_condition(threshold: str, distance: str, scale: str) -> None:
    changes = {"refractory": "2*ms"} if "refractory" in threshold else {}
    program = lower(model_of(threshold, **changes))
    assert str(program.distance) == distance
    assert scale == str(program.scale)


@pytest.mark.parametrize(
    ("threshold", "start", "expected"),
    [("v > 0*mV", "-65*mV", 65e-3), ("v > -50*mV", "-65*mV", 50e-3), ("v > 0*mV", "0*mV", 1.0)],
)
def test_a_threshold_of_zero_has_a_scale(threshold: str, start: str, expected: float) -> None:
    model = model_of(
        threshold,
        equations="dv/dt = (80*Mohm*I - v)/tau : volt\nI : amp",
        reset="v = 0*mV", input="I", weight="1*nA", initial={"v": start},
    )  # fmt: skip
    _, distance, scale = evaluated(model, v=np.array([0.03]), I=np.array([0.0]))
    assert distance == pytest.approx(0.03 if threshold[4:] == "0*mV" else 0.08)
    assert float(scale) == pytest.approx(expected)


def test_the_nearer_condition_gets_the_gradient() -> None:
    program = lower(model_of("v > theta and u > 2"))
    v, u = (torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (0.6, 1.0))
    values = {"v": v, "u": u, "theta": torch.tensor(0.75, dtype=torch.float64)}
    distance = Stepper(program, array_functions(torch)).distance(values)
    distance.sum().backward()
    assert float(distance.detach()) == pytest.approx((1.0 - 2) / 2)
    assert (v.grad, float(u.grad[0])) == (0, 0.5)  # type: ignore[index, comparison-overlap]
