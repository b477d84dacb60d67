"""Synapse models: files, names, units, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refusals import place, refused

from bioae.equations import available_synapses, load_synapse, lower_synapse
from bioae.equations.synapses.model import SynapseModel
from bioae.equations.synapses.numbers import rule_start
from bioae.errors import ModelError

TRACE = {"equations": "dx/dt = -x/tau : 1", "on_spike": "x += 1"}


def rule(**changes: Any) -> SynapseModel:
    """Return a small rule with some keys changed."""
    fields: dict[str, Any] = {
        "description": "A rule.", "pre": TRACE, "synapse": {"on_post": "w = w + x_pre"},
        "parameters": {"tau": "20*ms"},
    }  # fmt: skip
    return SynapseModel.from_mapping("mine", fields | changes, where="mine.toml")


@pytest.mark.parametrize("name", available_synapses())
def test_shipped_models_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    model = load_synapse(name)
    inexact = {"csdp": ("exp",), "bcpnn": ("log",), "eprop_classification": ("exp",)}
    assert lower_synapse(model).inexact == inexact.get(name, ())
    path = tmp_path / f"{name}.toml"
    path.write_text(model.to_toml())
    assert load_synapse(path) == model


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


def test_intervals_are_whole_numbers_of_steps() -> None:
    found = lower_synapse(rule(synapse={"regularly": "w = 0.5*w", "every": "10*ms"}))
    assert found.interval(1e-3) == 10
    with refused(ModelError, where="mine.toml, [synapse] every", expected="a multiple of 3 ms"):
        found.interval(3e-3)


@pytest.mark.parametrize(
    ("changes", "where", "name"),
    [
        ({"synapse": {"on_post": "w = w + x"}}, "[synapse] on_post", "x"),
        ({"synapse": {"on_post": "w = w + q"}}, "[synapse] on_post", "'q'"),
        ({"synapse": {"on_post": "x_pre = 0; w = 1"}}, "[synapse] on_post", "'x_pre'"),
        ({"synapse": {"on_post": "tau = 0*ms; w = 1"}}, "[synapse] on_post", "'tau'"),
        ({"synapse": {"on_post": "a = 1"}}, "[synapse] on_post", "'w'"),
        ({"synapse": {"on_post": "w = w + tau"}}, "[synapse] on_post", "'w'"),
        ({"synapse": {"on_post": "w = tau"}}, "[synapse] on_post", "second"),
        ({"synapse": {}}, "", ""),
        ({"pre": {"equations": "dx/dt = -x/tau + xi/tau**0.5 : 1"}}, "[pre]", ""),
        ({"pre": {"equations": "dx/dt = -x/tau : 1 (unless refractory)"}},
         "[pre] equations", "x (unless refractory)"),
        ({"pre": {"equations": "s = 2 : 1"}}, "[pre] equations", "'dx/dt = -x/tau : 1'"),
        ({"pre": {"equations": "dx/dt = -x : 1"}}, "[pre] equations", "'x'"),
        ({"pre": {**TRACE, "on_spike": "x = 1*mV"}}, "[pre] on_spike", "volt"),
        ({"pre": {"equations": "dtau/dt = -tau/s : 1"},
          "parameters": {"tau_pre": "1", "s": "1*ms"}}, '[pre]', "'tau_pre'"),
        ({"parameters": {"tau": "0*ms"}}, "[parameters] tau", "0 * ms"),
        ({"parameters": {"tau": "20*mss"}}, "[parameters] tau", "'mss'"),
        ({"pre": {"equations": "dx/dt = (t/tau - x)/tau : 1"}}, "[pre]", "t"),
        ({"pre": {"equations": "dx/dt = -x/tau : 1\ns = N/tau*ms : 1", "on_spike": "x += s"}},
         "[pre]", "N"),
        ({"synapse": {"on_post": "w = x_pre > 1"}}, "[synapse] on_post", "x_pre > 1"),
        ({"parameters": {"tau": "9*ms", "a_pre": "1", "a_presynaptic": "2"}},
         "[parameters]", "'a_pre'"),
        ({"parameters": {"tau": "9*ms", "a": "rand()"}}, "[parameters] a", ""),
        ({"learn": {}}, "", "'learn'"),
        ({"synapse": {"on_post": "w = w + x_pre", "every": "1*ms"}}, "", ""),
        ({"synapse": {"on_post": "w = w + x_pre", "initial": {"c": "1"}}}, "", ""),
        ({"synapse": {"equations": "dc/dt = -c/tau : 1", "on_post": "c = c + 1"}},
         "[synapse]", "'w'"),
        ({"synapse": {"equations": "dc/dt = -c/tau : volt", "on_post": "c = c + 1; w = 1"}},
         "[synapse] on_post", "'c'"),
        ({"synapse": {"equations": "dc/dt = (x_pre - c)/tau : 1", "on_post": "w = c"}},
         "[synapse] equations", "'x_pre'"),
        ({"synapse": {"equations": "dtau/dt = -tau/(1*ms) : 1", "on_post": "w = 1"}},
         "[parameters] tau", "a differential equation"),
        ({"synapse": {"equations": "dc/dt = xi/tau**0.5 : 1", "on_post": "w = c"}},
         "[synapse]", ""),
        ({"held": ["x"], "synapse": {"on_post": "w = w + y"}},
         "[synapse] on_post", "'y'"),
        ({"held": ["tau"]}, "held", "'tau'"),
        ({"post": TRACE, "layer": {"sum": {"S": "x_pre"}}}, "[layer] sum S", "'x_pre'"),
        ({"post": TRACE, "layer": {"sum": {"w": "1"}}}, "[layer] sum", "'w'"),
        ({"layer": {"equations": "dp/dt = -p/tau : 1"}}, "[layer] equations", "p"),
        ({"layer": {"equations": "p = tau : 1"}}, "[layer] equations", "second"),
        ({"layer": {"sums": {}}}, "", "'layer.sums'"),
        ({"layer": {"sum": {"G": "1.5"}}}, "[layer] sum", "a table [post]"),
        ({"synapse": {"on_post": "w = w + int(w and x_pre)"}},
         "[synapse] on_post", "bioae_synapse_w"),
        ({"synapse": {"on_post": "w = w + int((w > 1) == (x_pre > 1))"}},
         "[synapse] on_post", "numbers"),
        ({"synapse": {"equations": " ", "on_post": "w = 1"}}, "", ""),
        ({"pre": {"equations": "# nothing"}}, "[pre] equations", "'dx/dt = -x/tau : 1'"),
        ({"pre": {**TRACE, "method": ""}}, "", ""),
        ({"parameters": {"tau": "9*ms", "tau_pre": "0*ms"},
          "pre": {"equations": "dx/dt = -x/tau_pre : 1"}}, "[parameters] tau_pre", "0 * ms"),
        ({"synapse": {"equations": "dc/dt = -c/tau : 1", "initial": {"c": "1 1"},
                      "on_post": "w = c"}}, '[synapse] initial c', "'1 1'"),
        ({"synapse": {"equations": "dc/dt = -c/tau : 1 (event-driven)", "on_post": "w = c"}},
         "[synapse] equations", "c (event-driven)"),
    ],
)  # fmt: skip
def test_refused(changes: dict[str, Any], where: str, name: str) -> None:
    with refused(ModelError, name, where=place("mine.toml", where)):
        lower_synapse(rule(**changes))


def test_unknown_models_are_refused() -> None:
    with refused(ModelError, hint="Did you mean 'stdp_pair'?"):
        load_synapse("stdp_pairs")
    with refused(ModelError):
        lower_synapse("stdp_pair")  # type: ignore[arg-type]
