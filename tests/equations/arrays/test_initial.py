"""Initial states of a presentation: values, expressions, and settled states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import model
from refusals import refused

from bioae.equations import lower
from bioae.equations.arrays.start import constant_values, default_parameters, initial_state
from bioae.equations.program import NEVER
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
    return initial_state(program, default_parameters(program), dt=dt, n=n)


def test_zero_by_default_and_not_refractory() -> None:
    result = start({})
    assert {name: values.tolist() for name, values in result.items()} == {
        "v": [0.0] * 3,
        "g_e": [0.0] * 3,
        "lastspike": [NEVER] * 3,
        "not_refractory": [True] * 3,
    }


def test_expressions_of_parameters_and_of_one_another_in_any_order() -> None:
    result = start({"initial": {"v": "E_l + g_e/nS*mV", "g_e": "g_0 + i*nS"}})
    np.testing.assert_array_equal(result["g_e"], 2e-9 + np.arange(3) * 1e-9)
    np.testing.assert_array_equal(result["v"], -65e-3 + result["g_e"] / 1e-9 * 1e-3)


def test_a_declared_variable_starts_at_its_parameter() -> None:
    equations = CONDUCTANCE["equations"] + "x : 1\nk : integer\nb : boolean\n"
    parameters = {**CONDUCTANCE["parameters"], "x": "3", "k": "7"}
    result = start({"equations": equations, "parameters": parameters, "initial": {"b": "i > 0"}})
    assert result["x"].tolist() == [3.0] * 3
    assert result["k"].tolist() == [7.0] * 3
    assert result["b"].tolist() == [False, True, True]


def test_settling_ends_at_the_fixed_point() -> None:
    """The currents cancel there: v = (g_l E_l + g_0 E_e)/(g_l + g_0), g_e = g_0."""
    result = start({"initial": {"v": "E_l", "settle": "500*ms"}})
    np.testing.assert_allclose(result["g_e"], 2e-9, rtol=1e-12)
    np.testing.assert_allclose(result["v"], 10 * -65e-3 / 12, rtol=1e-10)
    assert not np.allclose(result["v"], -65e-3)
    assert result["not_refractory"].all()


def test_a_presentation_starts_with_neurons_that_are_not_refractory() -> None:
    changes: dict[str, Any] = {"theta": "-64*mV", "g_0": "20*nS"}
    fields = {**CONDUCTANCE, "parameters": {**CONDUCTANCE["parameters"], **changes}}
    fields |= {"refractory": "400*ms", "initial": {"v": "E_l", "settle": "50*ms"}}
    result = start(fields)
    assert result["v"] == pytest.approx(-65e-3)  # it has fired, and was refractory ever since
    assert result["not_refractory"].all()
    assert (result["lastspike"] == NEVER).all()


def test_settling_runs_without_input_for_its_time() -> None:
    """After k Euler steps from 0, g_e is g_0 (1 - (1 - dt/tau_e)^k)."""
    result = start({"initial": {"v": "E_l", "settle": "2*ms"}})
    np.testing.assert_allclose(result["g_e"], 2e-9 * (1 - (1 - 0.1 / 5) ** 20), rtol=1e-12)


def test_settling_that_blows_up_is_refused() -> None:
    changes: dict[str, Any] = {"equations": "dv/dt = v**2/ms : 1\ng_e : siemens"}
    changes |= {"threshold": "v > 1e300"}
    changes |= {"reset": "", "input": "v", "weight": "1", "initial": {"v": "5", "settle": "50*ms"}}
    with np.errstate(all="ignore"), refused(ModelError, where="mine.toml, [initial] settle"):
        start(changes, dt=1e-3)


def test_constants_depend_on_the_parameters_that_they_name() -> None:
    program = lower(model(CONDUCTANCE, method="exponential_euler"))
    assert program.constants
    assert set(program.dependents) == set(program.constants)
    base = default_parameters(program)
    size: dict[str, Any] = {"dt": 1e-4, "n": 2}
    values = constant_values(program, base, **size)
    for parameter in program.parameters:
        moved = constant_values(program, {**base, parameter: base[parameter] * 1.25 + 1}, **size)
        changed = {name for name in values if not np.array_equal(moved[name], values[name])}
        named = {name for name, needed in program.dependents.items() if parameter in needed}
        assert changed <= named
    assert any(program.dependents.values())


def test_a_zero_in_a_denominator_is_not_hidden() -> None:
    """Only constants that refractory neurons use may be replaced silently."""
    program = lower(model(CONDUCTANCE, threshold="v > theta*(ms/tau_e)"))
    zero = {**default_parameters(program), "tau_e": np.asarray(0.0)}
    values = constant_values(program, zero, dt=1e-4, n=1)
    divided = [name for name, needed in program.dependents.items() if "tau_e" in needed]
    assert divided
    assert all(np.isinf(values[name]).all() for name in divided)
