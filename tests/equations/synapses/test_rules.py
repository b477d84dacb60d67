"""Synapse models: files, names, units, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bioae.equations import available_synapses, load_synapse, lower_synapse
from bioae.equations.synapses.model import SynapseModel
from bioae.equations.synapses.numbers import rule_start
from bioae.errors import ModelError

TRACE = {"equations": "dx/dt = -x/tau : 1", "on_spike": "x += 1"}


def rule(**changes: Any) -> SynapseModel:
    """Return a small rule with some keys changed."""
    fields: dict[str, Any] = {
        "description": "A rule.",
        "pre": TRACE,
        "synapse": {"on_post": "w = w + x_pre"},
        "parameters": {"tau": "20*ms"},
    }
    return SynapseModel.from_mapping("mine", fields | changes, where="mine.toml")


@pytest.mark.parametrize("name", available_synapses())
def test_shipped_models_name_what_is_inexact_and_survive_a_round_trip(
    name: str, tmp_path: Path
) -> None:
    model = load_synapse(name)
    assert lower_synapse(model).inexact == {"csdp": ("exp",), "bcpnn": ("log",)}.get(name, ())
    path = tmp_path / f"{name}.toml"
    path.write_text(model.to_toml())
    assert load_synapse(path) == model


def test_functions_that_libraries_round_differently_are_named() -> None:
    found = lower_synapse(rule(synapse={"on_post": "w = w + exp(-x_pre)"}))
    assert found.inexact == ("exp",)


def test_parameters_may_end_as_traces_do() -> None:
    pre = {"equations": "dx/dt = -x/tau_pre : 1", "on_spike": "x += step_post"}
    found = lower_synapse(rule(pre=pre, parameters={"tau_pre": "2*tau_post", "tau_post": "9*ms",
                                                    "step_post": "0.5"}))  # fmt: skip
    assert found.parameters["tau_pre"] == pytest.approx(0.018)


def test_subexpressions_and_temporary_variables_are_written_out() -> None:
    pre = {"equations": "dx/dt = -x/tau : 1\nslope = 2*x + gain : 1"}
    code = {"on_post": "half = slope_pre/2; w = w + half"}
    found = lower_synapse(rule(pre=pre, synapse=code, parameters={"tau": "9*ms", "gain": "3"}))
    assert "2 * bioae_pre_x" in str(found.on_post.statements[0])


def test_numbers_of_the_layer_reach_statements() -> None:
    found = lower_synapse(load_synapse("csdp"))
    assert found.sums["G"].text == "bioae_post_z * bioae_post_z"
    (goodness,) = found.layer
    assert "bioae_layer_G" in goodness.value.text
    assert {"bioae_layer_p", "bioae_held_truth", "bioae_post_z"} <= found.on_pre.reads


def test_synapses_may_have_variables() -> None:
    found = lower_synapse(load_synapse("stdp_reward"))
    assert found.states == ("c",)
    assert found.regularly.results.keys() == {"w"}
    assert found.on_pre.results.keys() == found.integrate.results.keys() == {"c"}
    start = {"equations": "dc/dt = -c/tau : 1", "initial": {"c": "2*half"}, "on_pre": "w = w + c"}
    model = rule(synapse=start, parameters={"tau": "9*ms", "half": "0.5"})
    assert rule_start(lower_synapse(model), 1e-3) == {"c": 1.0}


def test_conditions_among_numbers_are_made_numbers() -> None:
    code = {"on_post": "high = x_pre > 0.5; w = clip(0.1*high + (w > 0)*0.25, 0, 1)"}
    found = lower_synapse(rule(synapse=code)).on_post.statements[1].value.text
    assert found.count("int(") == 2


def test_intervals_are_whole_numbers_of_steps() -> None:
    found = lower_synapse(rule(synapse={"regularly": "w = 0.5*w", "every": "10*ms"}))
    assert found.interval(1e-3) == 10
    with pytest.raises(ModelError, match=r"\[synapse\] every: .*; expected a multiple of 3 ms"):
        found.interval(3e-3)


def test_traces_may_have_units() -> None:
    pre = {"equations": "dx/dt = -x/tau : volt", "on_spike": "x += 1*mV"}
    assert lower_synapse(rule(pre=pre, synapse={"on_post": "w = w + x_pre/mV"})).reproducible


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"synapse": {"on_post": "w = w + x"}}, r"on_post: the bare name .* expected x_pre"),
        ({"synapse": {"on_post": "w = w + v_post"}}, r"v_post"),
        ({"synapse": {"on_post": "w = w + q"}}, r"mine.toml, \[synapse\] on_post.*q"),
        ({"synapse": {"on_post": "x_pre = 0; w = 1"}}, "cannot write 'x_pre'"),
        ({"synapse": {"on_post": "tau = 0*ms; w = 1"}}, "cannot write 'tau'"),
        ({"synapse": {"on_post": "a = 1"}}, "do not change 'w'"),
        ({"synapse": {"on_post": "w = w + tau"}}, r"'w \+ tau' uses inconsistent units"),
        ({"synapse": {"on_post": "w = tau"}}, "wrong unit"),
        ({"synapse": {}}, "needs `on_pre`, `on_post` or `regularly`"),
        ({"pre": {"equations": "dx/dt = -x/tau + xi/tau**0.5 : 1"}}, r"\[pre\].*random"),
        ({"pre": {"equations": "dx/dt = -x/tau : 1 (unless refractory)"}}, "no flags"),
        ({"pre": {"equations": "s = 2 : 1"}}, "no trace"),
        ({"pre": {"equations": "dx/dt = -x : 1"}}, r"mine.toml, \[pre\] equations"),
        ({"pre": {**TRACE, "on_spike": "x = 1*mV"}}, r"\[pre\] on_spike.*wrong unit"),
        ({"pre": {**TRACE, "on_spike": "z = 1"}}, r"\[pre\] on_spike"),
        ({"pre": {"equations": "dtau/dt = -tau/s : 1"},
          "parameters": {"tau_pre": "1", "s": "1*ms"}}, "a parameter and a trace"),
        ({"parameters": {"tau": "0*ms"}}, r"\[parameters\] tau"),
        ({"parameters": {"tau": "20*mss"}}, r"\[parameters\] tau"),
        ({"parameters": {"tau": "1*ms", "pi": "3"}}, "pi"),
        ({"pre": {"equations": "dx/dt = (t/tau - x)/tau : 1"}}, r"\[pre\]: .*found t$"),
        ({"pre": {**TRACE, "on_spike": "x += i"}}, r"\[pre\]: .*found i$"),
        ({"pre": {"equations": "dx/dt = -x/tau : 1\ns = N/tau*ms : 1", "on_spike": "x += s"}},
         r"\[pre\]: .*found N$"),
        ({"synapse": {"on_post": "w = x_pre > 1"}}, "a number, not a condition"),
        ({"synapse": {"on_post": "high = x_pre > 1; w = high"}}, "a number, not a condition"),
        ({"parameters": {"tau": "9*ms", "a_pre": "1", "a_presynaptic": "2"}},
         "stands for 'a_pre' in Brian2"),
        ({"parameters": {"tau": "9*ms", "a": "rand()"}}, "cannot be random"),
        ({"learn": {}}, "unknown key 'learn'"),
        ({"synapse": {"on_post": "w = w + x_pre", "every": "1*ms"}}, "`regularly`, which is miss"),
        ({"synapse": {"on_post": "w = w + x_pre", "initial": {"c": "1"}}}, "need its `equations`"),
        ({"synapse": {"equations": "dc/dt = -c/tau : 1", "on_post": "c = c + 1"}},
         r"mine.toml, \[synapse\]: the statements do not change 'w'"),
        ({"synapse": {"equations": "dc/dt = -c/tau : volt", "on_post": "c = c + 1; w = 1"}},
         r"'c \+ 1' uses inconsistent units"),
        ({"synapse": {"equations": "dc/dt = (x_pre - c)/tau : 1", "on_post": "w = c"}},
         r"\[synapse\].*x_pre"),
        ({"synapse": {"equations": "dtau/dt = -tau/(1*ms) : 1", "on_post": "w = 1"}},
         r"\[parameters\] tau: the equations define this variable"),
        ({"synapse": {"equations": "dc/dt = xi/tau**0.5 : 1", "on_post": "w = c"}}, "random"),
        ({"held": ["x"], "synapse": {"on_post": "w = w + y"}},
         r"on_post: unknown name 'y'; expected one of .*x_pre"),
        ({"held": ["tau"]}, "'tau' is declared twice"),
        ({"held": ["pi"]}, "held.*pi"),
        ({"post": TRACE, "layer": {"sum": {"S": "x_pre"}}}, r"\[layer\] sum S.*x_pre"),
        ({"post": TRACE, "layer": {"sum": {"S": "q"}}}, r"\[layer\] sum S.*q"),
        ({"post": TRACE, "layer": {"sum": {"w": "1"}}}, "'w' is declared twice"),
        ({"layer": {"equations": "dp/dt = -p/tau : 1"}}, r"\[layer\] equations: .*'p = "),
        ({"layer": {"equations": "p = q : 1"}}, r"\[layer\] equations.*q"),
        ({"layer": {"equations": "p = tau : 1"}}, r"\[layer\] equations.*wrong unit"),
        ({"layer": {"sums": {}}}, "unknown key 'layer.sums'"),
        ({"layer": {"sum": {"G": "1.5"}}}, r"\[layer\] sum: .*expected a table \[post\]"),
        ({"synapse": {"on_post": "w = w + int(w and x_pre)"}}, "a number stands for a condition"),
        ({"synapse": {"on_post": "w = w + int((w > 1) == (x_pre > 1))"}}, "condition is compared"),
        ({"synapse": {"equations": " ", "on_post": "w = 1"}}, "must not be blank"),
        ({"pre": {"equations": "# nothing"}}, r"\[pre\] equations: .*declare no trace"),
        ({"pre": {**TRACE, "method": ""}}, "must not be blank"),
        ({"parameters": {"tau": "1 1"}}, r"mine.toml, \[parameters\] tau: .*expression"),
        ({"parameters": {"tau": "9*ms", "tau_pre": "0*ms"},
          "pre": {"equations": "dx/dt = -x/tau_pre : 1"}}, r"\[parameters\] tau_pre: "),
        ({"synapse": {"equations": "dc/dt = -c/tau : 1", "initial": {"c": "1 1"},
                      "on_post": "w = c"}}, r"mine.toml, \[synapse\] initial c: "),
        ({"synapse": {"equations": "dc/dt = -c/tau : 1 (event-driven)", "on_post": "w = c"}},
         r"all are clock-driven; found c \(event-driven\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_line(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ModelError, match=line) as refused:
        lower_synapse(rule(**changes))
    assert "\n" not in str(refused.value)


def test_unknown_models_are_refused() -> None:
    with pytest.raises(ModelError, match="Did you mean 'stdp_pair'"):
        load_synapse("stdp_pairs")
    with pytest.raises(ModelError, match="not a synapse model"):
        lower_synapse("stdp_pair")  # type: ignore[arg-type]
