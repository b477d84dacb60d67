"""Values that a refractory neuron would throw away are not computed."""

from __future__ import annotations

import pytest
from builders import model

from bioae.equations import available, load_neuron, lower
from bioae.equations.assignments import parse_assignments, without_refractory


def test_only_values_for_guarded_writes_take_a_neuron_for_active() -> None:
    code = """
    _BA_v = g*int(not_refractory)/(h*int(not_refractory))
    _both = 1.0*int(not_refractory)*x
    _v = v*_BA_v + _both
    _w = w + _both*int(not_refractory)
    v = _v
    w = _w
    """
    assignments = parse_assignments(code, where="here")
    kept = without_refractory(assignments, guarded=["v"], states=["v", "w"])
    assert [f"{each.target} = {each.value}" for each in kept] == [
        "_BA_v = g / h",
        "_both = 1.0 * int(not_refractory) * x",
        "_v = v * _BA_v + _both",
        "_w = w + _both * int(not_refractory)",
        "v = _v",
        "w = _w",
    ]


@pytest.mark.parametrize("name", available())
def test_no_shipped_model_divides_by_a_leak_that_is_switched_off(name: str) -> None:
    for statement in lower(load_neuron(name)).update:
        assert "int(not_refractory)" not in statement.value.text


def test_an_exponential_euler_step_is_finite_while_refractory() -> None:
    fields = {
        **load_neuron("coba").to_mapping(),
        "equations": """
        dv/dt = (g_L*(E_L - v) + g_e*(E_e - v) + g_i*(E_i - v))/C : volt (unless refractory)
        dg_e/dt = -g_e/tau_e : siemens
        dg_i/dt = -g_i/tau_i : siemens
        dx/dt = (int(not_refractory) - x)/tau_e : 1
        """,
    }
    program = lower(model(fields))
    kept = [s.target for s in program.update if "int(not_refractory)" in s.value.text]
    assert kept == ["bioae_tmp_BA_x"]
