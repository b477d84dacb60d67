"""Neuron models of Brian2 objects: the groups of a script, and equations as text."""

from __future__ import annotations

import re

import brian2
import numpy as np
import pytest
from brian2 import NeuronGroup, SpikeMonitor, TimedArray, ms, mV, nA
from refusals import refused

import bioae
from bioae.equations import NeuronModel, lower
from bioae.errors import ModelError

TEXT = """
dv/dt = (v_rest - v + R*(I + drive(t)))/tau : volt (unless refractory)
dw/dt = -w/(100*ms) : amp
I : amp
tau : second (constant)
"""


def adaptive(n: int = 3) -> NeuronGroup:
    """Return a group with what a model has: constants, a timed array, an event, an operation."""
    space = {"v_rest": -65 * mV, "R": 100 * brian2.Mohm, "theta": -50 * mV}
    group = NeuronGroup(
        n, TEXT, threshold="v > theta + i*mV", reset="v = v_rest; w += 10*pA", refractory="2*ms",
        method="euler", namespace=space, events={"low": "v < v_rest - jump"},
    )  # fmt: skip
    group.run_on_event("low", "v = v_rest")
    group.run_regularly("w *= 0.5", dt=5 * ms)
    group.v, group.I, group.tau = -65 * mV, 0.12 * nA, 20 * ms
    return group


@pytest.mark.medium
def test_a_group_becomes_a_model_that_fires_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    brian2.start_scope()
    jump, drive = 1 * mV, TimedArray([0.1, 0.2] * nA, dt=100 * ms)
    group = adaptive()
    with refused(ModelError, where=group.name, expected='input="NAME"'):
        NeuronModel.from_brian2(group)
    model = NeuronModel.from_brian2(group, input="w", name="adaptive")
    assert model.parameters == {
        "R": "100*Mohm", "jump": "1*mV", "tau": "20*ms", "theta": "-50*mV", "v_rest": "-65*mV",
    }  # fmt: skip
    assert model.initial == {"I": "120*pA", "v": "-65*mV"}
    assert (model.refractory, model.method, model.dt) == ("2*ms", "euler", "0.1*ms")
    assert (model.run_regularly, model.run_every, model.weight) == ("w *= 0.5", "5*ms", "1*nA")
    assert model.events["low"].condition == "v < v_rest - jump"
    assert model.timed_arrays["drive"].values == list(drive.values)
    monitor = SpikeMonitor(group)
    network = brian2.Network(group, monitor)
    network.run(100 * ms, namespace={"jump": jump, "drive": drive})
    described = {
        "input_shape": [1, 1, 2], "dt": "0.1*ms", "steps": 1000, "latent": "neurons",
        "encoder": {"kind": "constant_current"}, "task": {"kind": "representation", "outputs": 3},
        "decoder": {"kind": "count"}, "layers": [{"name": "neurons", "kind": "dense", "units": 3}],
        "neuron": model,
    }  # fmt: skip
    trained = bioae.Network.initialise(bioae.NetworkConfig.from_mapping(described), seed=0)
    result = bioae.simulate(trained, np.zeros((1, 1, 1, 2)), "numpy", progress=False)
    fired = result["layers/neurons"]
    assert len(monitor.i) >= 10
    np.testing.assert_array_equal(fired["spike_neuron"], monitor.i)
    times = fired["spike_time_ms"] + 0.1  # a step of the lead-in comes before the window
    np.testing.assert_array_equal(np.rint(times * 10), np.rint(monitor.t / ms * 10))


def test_equations_get_constants_from_where_they_are() -> None:
    tau, theta = 10 * ms, 1.5
    given = {"threshold": "x > theta", "reset": "x = 0", "refractory": 2 * ms}
    model = NeuronModel.from_brian2("dx/dt = -x/tau + xi*tau**-0.5 : 1", **given)
    assert model.parameters == {"tau": "10*ms", "theta": "1.5"}
    assert (model.input, model.weight, model.refractory) == ("x", "1*1", "2*ms")
    same = NeuronModel.from_brian2(brian2.Equations("dx/dt = -x/tau : 1", tau=tau), namespace={})
    assert "10. * msecond" in same.equations
    text = "dx/dt = (level - x)/tau : 1"
    with refused(ModelError, "'level'", where="from_brian2", found="ndarray"):
        NeuronModel.from_brian2(text, namespace={"tau": tau, "level": np.ones(3)})
    with refused(ModelError, "'level'"):
        lower(NeuronModel.from_brian2(text, namespace={"tau": tau}))
    with refused(ModelError, found="int"):
        NeuronModel.from_brian2(5)
    assert theta


@pytest.mark.medium
def test_a_network_takes_groups_and_models(caplog: pytest.LogCaptureFixture) -> None:
    group = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0")
    group.v = [0, 0.5, 0.7]
    network = bioae.load("sae-mnist-leaky").network
    changed = network.with_neuron(group, calibrate="none")
    assert changed.config.placed[0].model.name == group.name
    assert changed.config.placed[0].model.initial == {"v": "0.39999999999999997"}
    assert "mean" in caplog.text
    assert bioae.parity(group, target="numpy").differing == 0
    network.config.from_mapping({**network.config.to_mapping(), "neuron": group})


def test_values_of_a_model_may_be_numbers_and_quantities() -> None:
    model = NeuronModel(
        name="lif", description="A neuron.", equations="dv/dt = -v/tau : volt", input="v",
        weight=2 * mV, parameters={"tau": 20 * ms, "a": 2, "b": 0.5},
        trainable={"tau": (5 * ms, 50 * ms)},
    )  # fmt: skip
    assert model.weight == "2*mV"
    assert model.parameters == {"tau": "20*ms", "a": "2", "b": "0.5"}
    assert model.trainable == {"tau": ("5*ms", "50*ms")}


def test_wrong_types_and_operations_of_a_part_are_refused() -> None:
    lif = bioae.load_neuron("lif")
    for call in (
        lambda: NeuronModel.from_mapping("x", None, where="x.toml"),  # type: ignore[arg-type]
        lambda: NeuronModel.from_mapping("x", {None: 1}, where="x.toml"),  # type: ignore[dict-item]
        lambda: lif.with_parameters({"tau": None}),
        lambda: NeuronModel.from_brian2("dv/dt = -v/(1*ms) : 1", parameters=5),
        lambda: NeuronModel.from_brian2("dv/dt = -v/(1*ms) : 1", namespace=5),
    ):
        with refused(ModelError):
            call()
    assert lif.with_parameters({"tau": 5 * ms}).parameters["tau"] == "5*ms"
    group = adaptive()
    group[:1].run_regularly("w = 0*pA")
    with refused(ModelError, where=re.compile(group.name), found="thresholds (1)"):
        NeuronModel.from_brian2(group, input="w")


def test_units_of_equations_have_no_brackets() -> None:
    text = "I = drive(t) : amp/meter**2\ndv/dt = (I*meter**2*Mohm - v)/(10*ms) : volt"
    drive = TimedArray([0.1, 0.2] * nA / brian2.meter**2, dt=1 * ms)
    group = NeuronGroup(1, text, namespace={"drive": drive})
    program = lower(NeuronModel.from_brian2(group))
    assert program.states["v"].unit == "volt"
