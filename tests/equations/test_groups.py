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


#: Equations and arguments of groups whose spikes plain Brian2 gives.
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "condition": (
        """dv/dt = (I*(1 + i) - v + w)/(10*ms) : 1 (unless refractory)
        dw/dt = -w/(40*ms) : 1
        I : 1 (shared, constant)""",
        {
            "threshold": "v > 1", "reset": "v = 0; w -= 0.1", "method": "exponential_euler",
            "refractory": "w < -0.3 or timestep(t - lastspike, dt) < 20",
        },
    ),
    "adex": (
        """dv/dt = (30*nS*(-70*mV - v + 2*mV*exp((v + 50*mV)/(2*mV))) + I*nA - w)/(280*pF) : volt
        dw/dt = (4*nS*(v + 70*mV) - w)/(144*ms) : amp
        I : 1""",
        {"threshold": "v > 20*mV", "reset": "v = -65*mV; w += 80*pA", "method": "euler"},
    ),
}  # fmt: skip


def spikes_of(model: NeuronModel) -> set[tuple[int, int]]:
    """Return the steps and neurons of spikes of three neurons without input in 100 ms."""
    described = {
        "input_shape": [1, 1, 2], "dt": "0.1*ms", "steps": 1000, "latent": "neurons",
        "encoder": {"kind": "constant_current"}, "task": {"kind": "representation", "outputs": 3},
        "decoder": {"kind": "count"}, "clock": "common", "projections": [],
        "populations": [{"name": "neurons", "size": 3, "neuron": model}],
    }  # fmt: skip
    trained = bioae.Network.initialise(bioae.NetworkConfig.from_mapping(described), seed=0)
    result = bioae.simulate(trained, np.zeros((1, 1, 1, 2)), "numpy", progress=False)
    fired = result["layers/neurons"]
    steps = np.rint(fired["spike_time_ms"].values * 10).astype(int).tolist()
    return {*zip(steps, fired["spike_neuron"].values.tolist(), strict=True)}


@pytest.mark.medium
@pytest.mark.parametrize("case", ["adaptive", *CASES])
def test_a_group_becomes_a_model_that_fires_as_it_does(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    brian2.start_scope()
    jump, drive = 1 * mV, TimedArray([0.1, 0.2] * nA, dt=100 * ms)
    if case == "adaptive":
        group = adaptive()
    else:
        text, options = CASES[case]
        group = NeuronGroup(3, text, **options)
        group.I, group.v = (1.2, 0.1) if case == "condition" else (1.2, -70 * mV)
    with refused(ModelError, where=group.name, expected='input="NAME"'):
        NeuronModel.from_brian2(group)
    model = NeuronModel.from_brian2(group, input="w", name="adaptive")
    monitor = SpikeMonitor(group)
    with np.errstate(invalid="ignore"):  # of what refractory neurons do not take
        brian2.Network(group, monitor).run(100 * ms, namespace={"jump": jump, "drive": drive})
    steps = np.rint(monitor.t / ms * 10).astype(int)
    assert spikes_of(model) == {*zip(steps.tolist(), monitor.i[:].tolist(), strict=True)}
    assert len(steps) >= 10


def test_a_group_has_the_keys_of_a_model() -> None:
    jump, drive = 1 * mV, TimedArray([0.1, 0.2] * nA, dt=100 * ms)
    model = NeuronModel.from_brian2(adaptive(), input="w")
    assert model.parameters == {
        "R": "100*Mohm", "jump": "1*mV", "tau": "20*ms", "theta": "-50*mV", "v_rest": "-65*mV",
    }  # fmt: skip
    assert model.initial == {"I": "120*pA", "v": "-65*mV"}
    assert (model.refractory, model.method, model.dt) == ("2*ms", "euler", "0.1*ms")
    assert (model.run_regularly, model.run_every, model.weight) == ("w *= 0.5", "5*ms", "1*nA")
    assert model.events["low"].condition == "v < v_rest - jump"
    assert jump
    assert model.timed_arrays["drive"].values == list(drive.values)


def test_equations_get_constants_from_where_they_are() -> None:
    tau, theta = 10 * ms, 1.5
    given = {"threshold": "x > theta", "reset": "x = 0", "refractory": 2 * ms}
    model = NeuronModel.from_brian2("dx/dt = -x/tau + xi*tau**-0.5 : 1", **given)
    assert model.parameters == {"tau": "10*ms", "theta": "1.5"}
    assert (model.input, model.weight, model.refractory) == ("x", "1", "2*ms")
    same = NeuronModel.from_brian2(brian2.Equations("dx/dt = -x/tau : 1", tau=tau), namespace={})
    assert "10. * msecond" in same.equations
    text = "dx/dt = (level - x)/tau : 1"
    with refused(ModelError, "'level'", where="from_brian2", found="ndarray"):
        NeuronModel.from_brian2(text, namespace={"tau": tau, "level": np.ones(3)})
    with refused(ModelError, "'level'", where="from_brian2, equations"):
        NeuronModel.from_brian2(text, namespace={"tau": tau})
    for key, value in (("input", "y"), ("weight", 2 * mV)):
        with refused(ModelError, where=f"from_brian2, {key}"):
            NeuronModel.from_brian2("dx/dt = -x/tau : 1", **{key: value})
    with refused(ModelError, found="int"):
        NeuronModel.from_brian2(5)
    assert theta


@pytest.mark.medium
def test_a_network_takes_groups_and_models(caplog: pytest.LogCaptureFixture) -> None:
    group = NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0")
    group.v = [0, 0.5, 0.7]
    network = bioae.load("sae-mnist-leaky").network
    changed = network.with_neuron(group, calibrate="none", input="v")
    with refused(ModelError, where="input"):
        network.with_neuron("lif", input="v")
    assert changed.config.placed[0].model.name == group.name
    assert changed.config.placed[0].model.initial == {"v": "0.39999999999999997"}
    assert "mean" in caplog.text
    assert bioae.parity(group, target="numpy").differing == 0
    tables = network.config.to_mapping()
    network.config.from_mapping({**tables, "neuron": group})
    graph = {"populations": [{"name": "latent", "size": 4, "neuron": group}], "projections": []}
    described = {"task": {"kind": "representation", "outputs": 4}, "decoder": {"kind": "count"}}
    tables = {key: tables[key] for key in ("input_shape", "steps", "encoder")} | {"dt": "0.1*ms"}
    changed = bioae.NetworkConfig.from_mapping({**tables, **described, **graph, "latent": "latent"})
    assert changed.placed[0].model.name == group.name


def test_values_of_a_model_may_be_numbers_and_quantities() -> None:
    model = NeuronModel(
        name="lif", description="A neuron.", equations="dv/dt = -v/tau : volt", input="v",
        weight=2 * mV, parameters={"tau": 20 * ms, "a": 2, "b": 0.5},
        trainable={"tau": (5 * ms, 50 * ms)},
    )  # fmt: skip
    assert (model.weight, model.parameters) == ("2*mV", {"tau": "20*ms", "a": "2", "b": "0.5"})
    assert model.trainable == {"tau": ("5*ms", "50*ms")}


def test_wrong_types_and_operations_at_other_intervals_are_refused() -> None:
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
    with refused(ModelError, where=re.compile(group.name), found="start (0)"):
        NeuronModel.from_brian2(group, input="w")


def test_units_of_equations_have_no_brackets() -> None:
    text = "I = drive(t) : amp/meter**2\ndv/dt = (I*meter**2*Mohm - v)/(10*ms) : volt"
    drive = TimedArray([0.1, 0.2] * nA / brian2.meter**2, dt=1 * ms)
    group = NeuronGroup(1, text, namespace={"drive": drive})
    assert lower(NeuronModel.from_brian2(group)).states["v"].unit == "volt"
