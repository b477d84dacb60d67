"""Networks from the objects of a Brian2 script, and scripts of networks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import Hz, ms, mV
from builders import LEAKY, dense, drawn, pictures
from refusals import refused

import bioae
from bioae.errors import InputError, ModelError, NetworkError, OutputError

EQUATIONS = """
dv/dt = (ge + gi - (v - E))/tau : volt (unless refractory)
dge/dt = -ge/(5*ms) : volt
dgi/dt = -gi/(10*ms) : volt
tau : second (constant)
"""


@pytest.fixture(autouse=True)
def numpy_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(b2.prefs, "codegen.target", "numpy")


def script() -> tuple[dict[str, Any], b2.Network]:
    """Two populations, input, subgroups, delays, and weights of synapses and of the namespace."""
    b2.seed(0)
    rng = np.random.default_rng(0)
    E, we = -49 * mV, 6 * mV
    group = b2.NeuronGroup(
        30, EQUATIONS, threshold="v > -50*mV", reset="v = -60*mV", refractory=3 * ms,
        method="exact", name="cells", namespace={"E": E},
    )  # fmt: skip
    group.v = rng.uniform(-60, -50, 30) * mV
    group.tau = rng.uniform(15, 25, 30) * ms
    group[5:15].run_regularly("ge += 0.02*i*mV", dt=5 * ms)
    other = b2.NeuronGroup(5, "v : 1", threshold="v > 1.5", reset="v = 0", name="Counters")
    times = np.sort(rng.choice(900, 60, replace=False)) * 0.1 * ms
    source = b2.SpikeGeneratorGroup(4, rng.integers(0, 4, 60), times, name="source")
    excites = b2.Synapses(group[:24], group, on_pre="ge += we", delay=1 * ms, name="excites")
    excites.connect(p=0.3)
    inhibits = b2.Synapses(group[24:], group, "w : volt", on_pre="gi -= 2*w", name="inhibits")
    inhibits.connect(p=0.5)
    inhibits.w = rng.uniform(2, 6, len(inhibits)) * mV
    inhibits.delay = rng.integers(0, 20, len(inhibits)) * 0.1 * ms
    feed = b2.Synapses(source, group, on_pre="ge += 2*we\n    v_post += 0.5*mV", name="feed")
    feed.connect(j="i")
    onward = b2.Synapses(group, other, on_pre="v += 0.25*tau_pre/(20*ms)", name="onward")
    onward.connect(p=0.4)
    monitor = b2.SpikeMonitor(group, name="monitor")
    objects = [group, other, source, excites, inhibits, feed, onward, monitor]
    namespace = {"we": we}
    for each in (excites, feed):
        each.namespace = namespace
    monitors = {"cells": monitor, "counters": b2.SpikeMonitor(other, name="more")}
    return monitors, b2.Network(*objects, monitors["counters"])


@pytest.mark.medium
def test_spikes_are_those_of_the_script() -> None:
    monitors, network = script()
    converted = bioae.from_brian2(network, duration=90 * ms)
    assert dict(converted.rows)["source"].startswith("input")
    assert float(network.t) == 0
    network.store()
    network.run(90 * ms, namespace={})
    for target in ("numpy", "torch"):
        result = bioae.simulate(converted.network, converted.data, target, progress=False)
        for name, monitor in monitors.items():
            layer = result[f"/layers/{name}"]
            found = zip(
                np.rint(layer.spike_time_ms * 10).astype(int).values,
                layer.spike_neuron.values,
                strict=True,
            )
            expected = zip(np.rint(monitor.t / ms * 10).astype(int), monitor.i[:], strict=True)
            assert len(monitor.i) > 15
            assert {*map(tuple, found)} == {*map(tuple, expected)}
    for objects in ([network], network.objects):
        with refused(InputError, "run already"):
            bioae.from_brian2(*objects, duration=90 * ms)
    network.restore()
    again = bioae.from_brian2(*network.objects, duration=90 * ms)
    assert dict(again.rows).keys() == dict(converted.rows).keys()


def test_weights_have_the_unit_and_the_order_of_the_script() -> None:
    _, network = script()
    converted = bioae.from_brian2(network, duration=9 * ms).network
    synapses = {each.name: each for each in network.objects if isinstance(each, b2.Synapses)}
    expected = {
        "cells.excites": 6 * mV, "cells.inhibits": -2 * synapses["inhibits"].w[:],
        "cells.feed": 12 * mV, "cells.feed_2": 0.5 * mV,
    }  # fmt: skip
    for name, amounts in expected.items():
        found = converted.in_units(name)
        assert found.dim == mV.dim
        assert found.shape == (len(synapses[name.removesuffix("_2").partition(".")[2]]),)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(amounts))
    with refused(NetworkError, "cells.feed", found="'feed'"):
        converted.in_units("feed")


@pytest.mark.medium
def test_a_script_trains_to_rates() -> None:
    """Signs hold, the error is that of the rates in Hz, and Brian2 fires the same spikes."""
    _, network = script()
    converted = bioae.from_brian2(network, duration=30 * ms)
    signs = {"cells.excites": 1, "cells.inhibits": -1}
    training = {"rates": {"cells": 90 * Hz}, "derivative": "arctan", "grid_bits": 20, "epochs": 2}
    training |= {"learning_rate": 0.2, "truncate": 100, "frozen": ["counters"]}
    trained = bioae.train(converted.network, converted.data, settings={"training": training})
    for name, sign in signs.items():
        assert (sign * trained.network.weights[name] >= 0).all()
        assert not np.array_equal(trained.network.weights[name], converted.network.weights[name])
    results = [
        bioae.simulate(trained.network, converted.data, target, progress=False)
        for target in ("numpy", "torch")
    ]
    counts = [each["/layers/cells"].spike_count.to_numpy() for each in results]
    np.testing.assert_array_equal(*counts)
    errors = trained.history["validation_mean_absolute_error"]
    assert errors.min() == pytest.approx(abs(counts[0].mean() / 0.03 - 90))
    assert errors.min() < errors[0]
    for rate, found in (("20*kHz", "20000 Hz"), (20, "1")):
        with refused(NetworkError, where="training.rates.cells", found=found):
            bioae.train(converted.network, settings={"training": {"rates": {"cells": rate}}})


@pytest.mark.parametrize("rates", [[50, 100, 200] * Hz, "50*Hz*2**i"], ids=str)
def test_poisson_sources_and_generators_are_the_input(rates: Any) -> None:
    group = b2.NeuronGroup(3, "v : 1", threshold="v > 0.5", reset="v = 0", name="relay")
    source = b2.PoissonGroup(3, rates, name="poisson")
    synapses = b2.Synapses(source, group, on_pre="v += 1", name="feed")
    synapses.connect(j="i")
    converted = bioae.from_brian2(group, source, synapses, duration=2 * b2.second)
    assert converted.network.config.encoder.kind == "bernoulli"
    result = bioae.simulate(converted.network, converted.data, "torch", progress=False)
    counts = result["/layers/relay"].spike_count.values[0]
    np.testing.assert_allclose(counts, [100, 200, 400], atol=60)
    stimulus = b2.TimedArray([0, 100, 0] * Hz, dt=1 * b2.second)
    source = b2.PoissonGroup(2, "stimulus(t)*(i + 1)", name="changing")
    clock = b2.SpikeGeneratorGroup(1, [0], [3.16] * ms, period=10 * ms, name="ticks")
    ticks = b2.Synapses(clock, group, on_pre="v += 1", name="tick")
    ticks.connect(i=0, j=0)
    synapses = b2.Synapses(source, group[1:], on_pre="v += 1", name="feed")
    synapses.connect(j="i")
    background = b2.PoissonInput(group[2:], "v", 100, 1 * Hz, weight=1)
    objects = [group, source, clock, ticks, synapses, background]
    space = {"stimulus": stimulus}
    converted = bioae.from_brian2(*objects, duration=2 * b2.second, namespace=space)
    layer = bioae.simulate(converted.network, converted.data, "torch", progress=False)
    layer = layer["/layers/relay"]
    times = layer.spike_time_ms.values[layer.spike_neuron.values == 0]
    np.testing.assert_allclose(times, 3.2 + 10 * np.arange(200), atol=1e-6)
    np.testing.assert_allclose(layer.spike_count.values[0, 1:], [100, 400], atol=80)


def test_groups_that_never_fire_have_states() -> None:
    group = b2.NeuronGroup(2, "dv/dt = (1 - v)/(10*ms) : 1", method="exact", name="slow")
    synapses = b2.Synapses(group, group)
    converted = bioae.from_brian2(group, duration=10 * ms)
    backend = bioae.Backend("torch", record=("v",))
    result = bioae.simulate(converted.network, converted.data, backend, progress=False)
    states = result["/layers/slow"].state_v.values[0]
    np.testing.assert_allclose(states[:, 1], 1 - np.exp(-np.arange(1, 101) / 100))
    synapses.run_regularly("")
    synapses.connect()
    with refused(InputError, where=synapses.name, found="run_regularly"):
        bioae.from_brian2(group, synapses, duration=10 * ms)


def pairs(**fields: Any) -> list[Any]:
    group = b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1\nu : 1", threshold="v > 1", reset="v = 0")
    synapses = b2.Synapses(group, group, **fields)
    synapses.connect()
    return [group, synapses]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"model": "w : 1", "on_pre": "v += w", "on_post": "v_post += 0.1"}, "on_post"),
        ({"model": "w : 1", "on_pre": "w += 0.1"}, "adds to nothing"),
        ({"model": "w : 1", "on_pre": "v += w; w += v_post"}, "found v"),
        ({"model": "w : 1", "on_pre": "v += w; w += rand()"}, "found rand"),
        (
            {"model": "w : 1", "on_pre": {"a": "v += w", "b": "w += 1"}, "delay": {"a": 1 * ms}},
            "delays of a, b",
        ),
        ({"on_pre": "v = 0"}, "v = 0"),
        ({"on_pre": "v += v_pre"}, "v_pre"),
        ({"on_pre": "v += 0.1*(1 - v)"}, "found v"),
        ({"on_pre": "v += 0.1*rand()"}, "rand"),
        ({"model": "dw/dt = -w/ms : 1", "on_pre": "v += w", "method": "euler"}, "'euler'"),
        ({"model": "dw/dt = -w*w/ms : 1", "on_pre": "v += w"}, "equation of w"),
        ({"model": "dw/dt = (1 - w)/ms : 1 (clock-driven)", "on_pre": "v += w"}, "at rest"),
        ({"model": "w : 1", "on_pre": "\n  v += w  # adds\n  v = 0"}, "v = 0"),
        ({"model": "u_post = v_pre : 1 (summed)"}, "summed variable u"),
    ],
)
def test_what_has_no_meaning_is_refused_by_name(fields: dict[str, Any], named: str) -> None:
    objects = pairs(**fields)
    with refused(InputError, named, objects[1].name):
        bioae.from_brian2(*objects, duration=10 * ms)
    rows = dict(bioae.explain(*objects).rows)
    assert rows[objects[1].name].startswith("refused")
    assert rows[objects[0].name].startswith("population")


def test_other_objects_are_refused_by_kind() -> None:
    group = b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0")
    operation = b2.NetworkOperation(lambda: None, name="operation")
    for each, advice in ((operation, "run_regularly"), (group[:2], "hand over the group")):
        with refused(InputError, advice, where=each.name, found=type(each).__name__):
            bioae.from_brian2(group, each, duration=10 * ms)
    with refused(InputError, "NeuronGroup"):
        bioae.from_brian2(b2.PoissonGroup(3, 5 * Hz), duration=10 * ms)
    changing = bioae.explain(b2.PoissonGroup(3, "rand()*Hz", name="changing"), namespace={})
    assert changing.rows[0][1].startswith("refused: changing: rates depend")


def test_synapses_need_their_groups_and_the_usual_order() -> None:
    group, synapses = pairs(on_pre="v += 0.25")
    other = b2.NeuronGroup(3, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0")
    with refused(InputError, where=synapses.name, found=group.name):
        bioae.from_brian2(other, synapses, duration=10 * ms)
    assert "was not handed over" in dict(bioae.explain(other, synapses).rows)[synapses.name]
    assert "*objects" in dict(bioae.explain([group]).rows)["list"]
    network = b2.Network(group, synapses)
    network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
    with refused(InputError, "order", where=network.name):
        bioae.from_brian2(network, duration=10 * ms)
    synapses.pre.active = False
    with refused(InputError, found="an inactive pathway"):
        bioae.from_brian2(group, synapses, duration=10 * ms)


def test_delays_are_rounded_as_brian2_rounds_them() -> None:
    group, synapses = pairs(on_pre="v += 0.25")
    synapses.delay = np.arange(9) * 0.05 * ms
    converted = bioae.from_brian2(group, synapses, duration=10 * ms)
    (name,) = (each for each in converted.network.weights if each.endswith("_delay"))
    steps = np.rint(converted.network.weights[name] / 1e-4)
    np.testing.assert_array_equal(steps, (np.arange(9) * 0.05 / 0.1 + 0.5).astype(int))


CASES = [
    ("brian2", "constant_current", "mean"), ("paper", "bernoulli", "mean"),
    ("brian2", "bernoulli", "trajectory"),
]  # fmt: skip
WITHOUT_BIOAE = "import runpy, sys; sys.modules['bioae'] = None; runpy.run_path(sys.argv[1])"
#: A comment that would end its text in the script.
QUOTED = {
    **LEAKY, "equations": 'dv/dt = (x - v)/tau : 1  # """, 1/0, """\nx : 1\ny : 1',
    "initial": {"x": "0.2"},  # a current that nothing changes
}  # fmt: skip


POPULATIONS = [
    {"name": "first", "size": 20, "neuron": "lif_refractory", "background": 0.1},
    {"name": "second", "size": 12, "neuron": "coba", "bias": True},
    {"name": "output", "shape": [1, 4, 4], "neuron": "quoted", "spread": {"tau": 0.2}},
]
PROJECTIONS = [
    {"from": "input", "to": "first", "gain": 3.0}, {"from": "first", "to": "first"},
    {"from": "first", "to": "second", "gain": 4.0, "delay": ["0*ms", "3*ms"]},
    {"from": "second", "to": "first", "kind": "sparse", "probability": 0.5, "delay": "1*ms"},
    {"from": "second", "to": "output", "gain": 4.0},
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize(("schedule", "encoder", "decoder"), CASES)
def test_it_fires_the_same_spikes(
    tmp_path: Path, schedule: str, encoder: str, decoder: str
) -> None:
    task = "sequence" if decoder == "trajectory" else "representation"
    config = bioae.NetworkConfig(
        input_shape=[1, 4, 4], steps=30, schedule=schedule, encoder={"kind": encoder},
        decoder={"kind": decoder}, task={"kind": task, "outputs": 16}, neurons={"quoted": QUOTED},
        populations=POPULATIONS, projections=PROJECTIONS,
    )  # fmt: skip
    network, images = bioae.Network.initialise(config).quantised(), pictures(3, 4, 4)
    network = network.with_weights({"second.bias": pictures(12)})
    script = bioae.to_script(network, tmp_path / "script", images, seed=5)
    command = [sys.executable, "-I", "-c", WITHOUT_BIOAE, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"(\w+): (\d+) spikes, in bioae (\d+); (\d+) differ", done.stdout)
    result = bioae.simulate(network, images, "numpy", seed=5)
    counts = {name: str(int(each["spike_count"].sum())) for name, each in result["layers"].items()}
    assert lines == [(name, count, count, "0") for name, count in counts.items()]
    assert "0" not in counts.values()
    assert done.stdout.endswith(" is 0\n")  # the difference of the outputs
    mirrored = bioae.simulate(network, images, "torch", seed=5)["output"]
    np.testing.assert_array_equal(result["output"], mirrored)


def test_time_in_a_presentation_is_refused_and_other_files_are_kept(tmp_path: Path) -> None:
    timed = {**LEAKY, "threshold": "v > 1 and t > 2*ms"}
    network = drawn(dense("a", 4), input_shape=[1, 2, 2], neuron="mine", neurons={"mine": timed})
    with refused(ModelError, where="mine", found="t"):
        bioae.to_script(network, tmp_path / "script", pictures(1, 2, 2))
    (tmp_path / "notes.txt").touch()
    with refused(OutputError, where=tmp_path, found="notes.txt"):
        bioae.to_script(network, tmp_path, pictures(1, 2, 2), overwrite=True)
