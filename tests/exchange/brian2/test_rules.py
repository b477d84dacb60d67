"""Synapses of Brian2 scripts that learn: their spikes and weights, and what is refused."""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms
from refusals import refused

import bioae
from bioae.errors import ModelError, NetworkError

STEPS = 1200

TRACES = """
w : 1
dApre/dt = -Apre/(20*ms) : 1 (event-driven)
dApost/dt = -Apost/taupost : 1 (event-driven)
"""

#: Synapses by what is special: their arguments, and initial values.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "pairs of spikes": (
        {
            "model": TRACES,
            "on_pre": {"a": "ge += w; Apre += 0.02", "b": "w = clip(w + Apost, 0, gmax)"},
            "on_post": "Apost -= 0.021\n  w = clip(w + Apre*(1 + rate*second), 0, gmax)",
        },
        {"w": "0.5*rand()"},
    ),
    "traces of Diehl & Cook, delivery in between": (
        {
            "model": "w : 1\nbefore : 1\ndpre/dt = -pre/(20*ms) : 1 (event-driven)\n"
            "dpost1/dt = -post1/taupost : 1 (event-driven)\n"
            "dpost2/dt = -post2/(40*ms) : 1 (event-driven)",
            "on_pre": "pre = 1.; w = clip(w - 0.05*post1, 0, 1); ge += w",
            "on_post": "before = post2; w = clip(w + 0.1*pre*before, 0, 1); post1 = 1.; post2 = 1.",
        },
        {"w": "0.5*rand()", "delay": "rand()*5*ms"},
    ),
    "weights with a unit, another factor, a subexpression": (
        {
            "model": "strength : siemens\neta : siemens\nfactor = 2*eta/nS : 1\n"
            "dApre/dt = -Apre/(20*ms) : siemens (clock-driven)",
            "on_pre": "Apre += eta\nhalf = strength/2\nge += factor*half/nS\nchange = 2*eta\n"
            "strength -= change/10",
            "on_post": "strength = clip(strength + Apre, 0*nS, 20*nS)",
        },
        {"strength": "10*nS*rand()", "eta": "0.02*nS*(1 + rand())"},
    ),
    "short-term plasticity": (
        {
            "model": "w : 1 (constant)\nU : 1\ndu/dt = -u/(50*ms) : 1 (event-driven)\n"
            "dx/dt = (1 - x)/(100*ms) : 1 (event-driven)",
            "on_pre": "u += U*(1 - u)\nge += w*u*x/(2*U + 0.4)\nx -= u*x\nge += 0.01; v += 0.01*x",
        },
        {"U": 0.3, "w": "2*rand()", "x": "0.5 + 0.5*rand()"},
    ),
    "weights in the unit of their variable": (
        {
            "model": "w : siemens\ndApre/dt = -Apre/(20*ms) : siemens (event-driven)",
            "on_pre": "gs += w\nApre += 0.1*nS",
            "on_post": "w = clip(w + Apre, 0*nS, 10*nS)",
        },
        {"w": "2*nS*rand()"},
    ),
    "a weight that decays": (
        {"model": "dw/dt = -w/(50*ms) : 1 (event-driven)", "on_pre": "ge += w\nw += 0.2"},
        {"w": 0.5},
    ),
}


@pytest.fixture(autouse=True)
def numpy_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(b2.prefs, "codegen.target", "numpy")


def script(case: str) -> list[Any]:
    """Neurons that receive random spikes, and each other's, by synapses of a case."""
    b2.seed(1)
    rng = np.random.default_rng(0)
    fields, values = CASES[case]
    equations = (
        "dv/dt = (ge + gs/nS - v)/(10*ms) : 1\ndge/dt = -ge/(5*ms) : 1\n"
        "drate/dt = -rate/(50*ms) : Hz\ndgs/dt = -gs/(5*ms) : siemens"
    )
    group = b2.NeuronGroup(
        6, equations, threshold="v > 0.5", reset="v = 0; rate += 10*Hz", method="exact",
        name="cells",
    )  # fmt: skip
    step, neuron = np.nonzero(rng.random((STEPS, 20)) < 0.01)
    source = b2.SpikeGeneratorGroup(20, neuron, step * 0.1 * ms, name="source")
    namespace = {"taupost": 30 * ms, "gmax": 0.7}
    feed = b2.Synapses(source, group, namespace=namespace, name="feed", **fields)
    feed.connect(p=0.7)
    within = b2.Synapses(group[:4], group[2:], namespace=namespace, name="within", **fields)
    within.connect(condition="i != j", p=0.5)
    for each in (feed, within):
        for name, value in values.items():
            setattr(each, name, value)
    return [group, source, feed, within]


def pairs(steps: Any, neurons: Any) -> set[tuple[int, int]]:
    return set(zip(np.rint(steps).astype(int).tolist(), np.asarray(neurons).tolist(), strict=True))


def compared(case: str, target: str) -> None:
    objects = script(case)
    group, _, *synapses = objects
    converted = bioae.from_brian2(*objects, duration=STEPS * 0.1 * ms)
    assert "script's order" in dict(converted.rows)["feed"]
    learned = bioae.learn(converted.network, converted.data, target, progress=False)
    monitor = b2.SpikeMonitor(group)
    b2.Network(*objects, monitor).run(STEPS * 0.1 * ms, namespace={})
    layer = learned.result["/layers/cells"]
    assert monitor.num_spikes > 30
    fired = pairs(layer.spike_time_ms.values * 10, layer.spike_neuron)
    assert fired == pairs(monitor.t / ms * 10, monitor.i)
    for each in synapses:
        name = next(iter(each.equations.parameter_names & {"w", "strength"}), None)
        if name is not None:
            found = learned.network.weights[f"cells.{each.name}"]
            scale = converted.network.config.synapse(each.name).parameters.get("w_unit", "1")
            expected = np.asarray(getattr(each, name)) / float(scale.split("*")[0])
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
            assert 0.01 < np.median(found[found > 0]) < 100
            if not CASES[case][0]["model"].startswith("w : 1 (constant)"):
                assert (found != converted.network.weights[f"cells.{each.name}"]).mean() > 0.5


@pytest.mark.parametrize("case", CASES)
def test_spikes_and_weights_are_those_of_the_script(case: str) -> None:
    compared(case, "numpy")


@pytest.mark.medium
@pytest.mark.parametrize("persistent", [(), ("x",)])
def test_only_what_persists_is_handed_on(persistent: tuple[str, ...]) -> None:
    converted = bioae.from_brian2(*script("short-term plasticity"), duration=STEPS * 0.1 * ms)
    mapping = converted.network.config.to_mapping()
    for rule in mapping["synapses"].values():
        rule["persistent"] = persistent
    config = bioae.networks.NetworkConfig.from_mapping(mapping)
    network = bioae.networks.Network(config, converted.network.weights)
    data = np.concatenate([converted.data] * 2)
    first, second = (
        bioae.learn(network, data, bioae.Backend("numpy", chunk=each), progress=False)
        for each in (1, 2)
    )
    x, other = (each.network.weights["cells.feed_x"] for each in (first, second))
    assert np.array_equal(x, network.weights["cells.feed_x"]) == (not persistent)
    np.testing.assert_array_equal(x, other)
    alone, again = second.result["/layers/cells"].spike_count.values
    assert np.array_equal(alone, again) == (not persistent)


@pytest.mark.medium
def test_they_learn_so_in_cpp() -> None:
    compared("traces of Diehl & Cook, delivery in between", "cpp_standalone")


def test_short_term_plasticity_runs_without_learning_in_brian2_alone() -> None:
    converted = bioae.from_brian2(*script("short-term plasticity"), duration=STEPS * 0.1 * ms)
    given = converted.network, converted.data
    twice = np.concatenate([converted.data] * 2)
    learned = bioae.learn(*given, "numpy", progress=False).result
    result = bioae.simulate(converted.network, twice, "numpy", progress=False)
    alone, both = (each["/layers/cells"].spike_count.values for each in (learned, result))
    assert alone.sum() > 30
    np.testing.assert_array_equal(both, [alone[0]] * 2)
    with refused(NetworkError, "cells.feed", where="torch"):
        bioae.simulate(*given, "torch", progress=False)
    with refused(ModelError, where="feed.toml, timing", found="script"):
        bioae.learn(*given, "torch", progress=False)
    with refused(NetworkError, where="normalise", found="cells.feed, with cells.feed_2"):
        bioae.learn(*given, "numpy", normalise={"cells.feed": 1.0}, progress=False)
    with refused(ModelError, where="feed.toml, timing", found="script"):
        bioae.parity(converted.network.config.synapse("feed"), neurons=8, examples=2)
