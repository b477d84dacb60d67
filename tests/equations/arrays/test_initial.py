"""Initial states of a presentation: values, expressions, and settled states."""

from __future__ import annotations

from typing import Any

import numpy as np
from builders import model
from refusals import refused

from bioae.equations import lower
from bioae.equations.arrays.start import default_parameters, initial_state
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


def test_settling_that_blows_up_is_refused() -> None:
    changes: dict[str, Any] = {"equations": "dv/dt = v**2/ms : 1\ng_e : siemens"}
    changes |= {"threshold": "v > 1e300"}
    changes |= {"reset": "", "input": "v", "weight": "1", "initial": {"v": "5", "settle": "50*ms"}}
    with np.errstate(all="ignore"), refused(ModelError, where="mine.toml, [initial] settle"):
        start(changes, dt=1e-3)
