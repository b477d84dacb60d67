"""Networks that learn: Brian2 on all targets, the mirror, and Brian2 written manually."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from numpy.typing import NDArray
from plastic_networks import (
    ALONE,
    HIDDEN,
    INPUTS,
    STEPS,
    check_equal,
    custom,
    equal_weights,
    network,
    signals,
    with_rules,
)  # fmt: skip
from refusals import refused

import bioae
from bioae import learn
from bioae.analysis import differing_spikes
from bioae.api import build
from bioae.datasets import Data
from bioae.equations import load_synapse
from bioae.errors import InputError, NetworkError, TargetError
from bioae.networks import Network, NetworkConfig
from bioae.simulation import Backend, Learned
from bioae.simulation.presentations import Presentations


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
@pytest.mark.parametrize("autapses", [False, True])
def test_the_mirror_learns_as_brian2_does(schedule: str, autapses: bool) -> None:
    start = network(schedule, autapses=autapses)
    brian, mirror = learn(start, signals(), "numpy"), learn(start, signals(), "torch")
    check_equal(brian, mirror, start)
    diagonal = np.diag(brian.network.weights["hidden.recurrent"])
    assert bool((diagonal != np.diag(start.weights["hidden.recurrent"])).any()) == autapses


@pytest.mark.medium
def test_inhibition_may_arrive_separately() -> None:
    start = network(neuron="coba", weight="6*nS")
    assert start.config.placed[0].separate_inhibition
    names = ("hidden.weight", "output.weight")
    start = start.with_weights({name: start.weights[name] - 0.3 for name in names})
    rules = {name: load_synapse(name).to_mapping() for name in ("stdp_pair", "stdp_triplet")}
    for rule in rules.values():
        rule["parameters"]["w_min"] = "-1"  # weights of both signs
    start = Network(start.config.varied(synapses=rules), start.weights)
    check_equal(learn(start, signals(), "numpy"), learn(start, signals(), "torch"), start)


def by_hand(weights: NDArray[np.float64], drive: NDArray[Any]) -> NDArray[np.float64]:
    """Learn one presentation by the rule `stdp_pair` in plain Brian2; return the weights.

    Parameters
    ----------
    weights
        (target, source).
    drive
        Spikes of the input (step, source).
    """
    on_grid = "floor(clip({}, 0, 1)*16777216 + 0.5)/16777216"
    fires = b2.TimedArray(drive, dt=1 * b2.ms)
    b2.prefs.codegen.target = "numpy"
    inputs = b2.NeuronGroup(
        INPUTS, "dx/dt = -x/(20*ms) : 1", threshold="fires(t, i) > 0.5", reset="x += 1",
        method="exact", dt=1 * b2.ms, namespace={"fires": fires},
    )  # fmt: skip
    hidden = b2.NeuronGroup(
        HIDDEN, "dv/dt = -v/(100*ms) : 1\ndy/dt = -y/(20*ms) : 1\narrived : 1",
        threshold="v > 1", reset="v = 0\ny += 1", method="exact", dt=1 * b2.ms,
    )  # fmt: skip
    receive = hidden.run_regularly("v += 0.25*arrived\narrived = 0", when="synapses", order=10)
    synapses = b2.Synapses(
        inputs, hidden, "w : 1", dt=1 * b2.ms,
        on_pre={
            "deliver": "arrived_post += w",
            "depress": f"w = {on_grid.format('w - 0.00525*y_post')}",
        },
        on_post=f"w = {on_grid.format('w + 0.005*x_pre')}",
    )  # fmt: skip
    synapses.deliver.order, synapses.depress.order, synapses.post.order = -2, -1, 1
    synapses.connect()
    synapses.w = weights.T.ravel()
    b2.Network(inputs, hidden, receive, synapses).run(STEPS * b2.ms, namespace={})
    return np.asarray(synapses.w).reshape(INPUTS, HIDDEN).T


@pytest.mark.medium
def test_brian2_written_by_hand_learns_the_same_weights() -> None:
    start = network(recurrent=False, recurrent_synapse=None)
    learned = learn(start, signals(1), "numpy").network.weights["hidden.weight"]
    drive = Presentations.of(start.config, signals(1)).drive()[:, 0]
    weights = start.weights["hidden.weight"]
    assert np.mean(learned != weights) > 0.5
    np.testing.assert_array_equal(by_hand(weights, drive), learned)


@pytest.mark.medium
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "bcpnn" else pytest.mark.slow) for name in ALONE],
)
def test_rules_have_parity_on_another_neuron_model(name: str) -> None:
    report = bioae.parity(name, neuron="adex", neurons=16, steps=30, examples=4)
    assert report.passed
    assert not report.exact
    assert report.spikes > 20
    assert report.changed > 0.2


#: A rule that runs at an interval, with variables of synapses.
REGULAR: dict[str, Any] = {
    "synapse": {
        "equations": "dc/dt = (1 - c)/tau : 1\nd : 1", "initial": {"c": "0.25"},
        "on_pre": "d = d + c", "every": "7*ms",
        "regularly": "w = clip(w + 0.001*d*every/(7*ms), 0, 1); d = 0.5*d",
    },
    "parameters": {"tau": "12*ms", "step": "0.5"},
}  # fmt: skip


def all_features(schedule: str = "brian2") -> tuple[Network, dict[str, list[float]]]:
    """Return a network with all that rules have, homeostasis included, and its modulators."""
    homeostatic = {"h_plus": "0.05", "tau_h": "1*second"}
    start = network(schedule, neuron="lif_homeostatic", parameters=homeostatic)
    held = {"reward": [2.0, -1.0, 0.5, 3.0], "truth": [1.0, 0.0, 0.0, 1.0]}
    return with_rules(start, "stdp_reward", "csdp", "mine", mine=REGULAR), held


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_all_features_are_the_same_in_the_mirror(schedule: str) -> None:
    start, held = all_features(schedule)
    brian = learn(start, signals(), "numpy", held=held)
    check_features(brian, learn(start, signals(), "torch", held=held), start)


@pytest.mark.parametrize(
    "target", [pytest.param("cython", marks=pytest.mark.slow), "cpp_standalone"]
)
def test_targets_learn_all_features_in_chunks_of_any_size(target: Any) -> None:
    start, held = all_features("paper")
    whole = learn(start, signals(), "numpy", held=held)
    check_features(whole, learn(start, signals(), Backend(target, chunk=3), held=held), start)


def check_features(one: Learned, other: Learned, start: Network) -> None:
    """Check that two networks of `all_features` are equal, and that each array has learned."""
    assert differing_spikes(one.result, other.result)["differing"].sum() == 0
    arrays = {"hidden.weight", "hidden.recurrent", "hidden.h_start", "output.weight"}
    for name in arrays:
        learned = one.network.weights[name]
        np.testing.assert_array_equal(learned, other.network.weights[name])
        assert np.mean(learned != start.weights.get(name, np.zeros(HIDDEN))) > 0.3, name


@pytest.mark.medium
@pytest.mark.parametrize("every", [None, "4*ms", "80*ms"])
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_regular_statements_run_as_often(schedule: str, every: str | None) -> None:
    """A pathway learns in T - 1 steps, one within the layer in T, in the paper's order one less."""
    start = network(schedule)
    code = {"regularly": "w = w + 0.125"} | ({} if every is None else {"every": every})
    counting = with_rules(start, "mine", None, None, mine={"synapse": code, "pre": None})
    steps = STEPS - 1 - (schedule == "paper")
    interval = steps if every is None else int(every.partition("*")[0])
    times = steps // interval + (steps % interval > 0)
    for target in ("numpy", "torch"):
        after = learn(counting, signals(1), target).network.weights["hidden.weight"]
        np.testing.assert_array_equal(after, start.weights["hidden.weight"] + 0.125 * times)
    code = {"regularly": "w = w + every/(8*ms)", "every": every or "7*ms"}
    lasting = with_rules(start, "mine", "mine", "stdp_triplet", mine={"synapse": code, "pre": None})
    one = learn(lasting, signals(2), "torch").network.weights
    equal_weights(one, learn(lasting, signals(2), "numpy").network.weights)
    both = learn(lasting, signals(2), "torch", batch_size=2).network.weights
    for name, each in {"hidden.weight": steps, "hidden.recurrent": steps + 1}.items():
        for weights, presentations in ((one, 2), (both, 1)):
            change = (weights[name] - start.weights[name])[0, 1]
            assert change == pytest.approx(presentations * each / 8, abs=2**-16)


def test_a_batch_averages_all_that_is_learned() -> None:
    """Two equal examples learn what one of them does, in variables of synapses and of neurons."""
    start, held = all_features()
    certain = (signals(1).as_float() > 0.3).astype(float)  # probabilities of spikes: 0 or 1
    twice = Data.of_signals(np.repeat(certain, 2, axis=0), labels=np.zeros(2, int))
    first = {name: values[:1] for name, values in held.items()}
    one = learn(start, twice[:1], "torch", held=first).network
    doubled = {name: 2 * values for name, values in first.items()}
    both = learn(start, twice, "torch", batch_size=2, held=doubled).network
    for name in ("hidden.weight", "hidden.recurrent", "hidden.h_start", "output.weight"):
        np.testing.assert_allclose(one.weights[name], both.weights[name], atol=2**-18)
        assert (one.weights[name] != start.weights.get(name, 0)).any()


@pytest.mark.medium
def test_a_network_that_has_learned_starts_with_its_thresholds() -> None:
    start, held = all_features()
    learned = learn(start, signals(), "numpy", held=held).network
    built = build(learned, 1)
    monitor = b2.StateMonitor(built.populations["hidden"], "h", record=True, when="before_start",
                              order=5)  # fmt: skip
    built.network.add(monitor)
    built.present(signals(1))
    built.run()
    np.testing.assert_array_equal(monitor.h[:, 0], learned.weights["hidden.h_start"])


@pytest.mark.parametrize(
    ("held", "name"),
    [
        (None, "'reward'"),
        ({"reward": [1.0], "truth": [1.0] * 4}, "'reward'"),
        ({"reward": [1.0, np.nan, 1, 1], "truth": [1.0] * 4}, "'reward'"),
        ({"reward": [1.0] * 4, "truth": [1.0] * 4, "tag": [1.0] * 4}, "'tag'"),
        ([1.0], "held"),
    ],
)  # fmt: skip
def test_held_numbers_that_do_not_fit_are_refused(held: Any, name: str) -> None:
    start, _ = all_features()
    for target in ("numpy", "torch"):
        with refused(InputError, name):
            learn(start, signals(), target, held=held)


@pytest.mark.medium
@pytest.mark.parametrize("target", ["numpy", pytest.param("cython", marks=pytest.mark.slow)])
def test_the_brian2_objects_learn_the_same(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(b2.prefs, "codegen.target", target)
    start, held = all_features()
    built = build(start, 4, learning=True)
    assert set(built.plastic) == {"hidden.weight", "hidden.recurrent", "output.weight"}
    monitor = b2.StateMonitor(built.plastic["hidden.weight"].traces["pre"], "x", record=True)
    built.network.add(monitor)
    with refused(InputError, "'reward'", where="held"):
        built.present(signals())
    built.present(signals(), held=held)
    built.run()
    assert monitor.x.max() > 1
    assert "-ffast-math" not in b2.prefs["codegen.cpp.extra_compile_args_gcc"]
    # Modules that were compiled with it, under the same names, are in another folder.
    assert Path(b2.prefs["codegen.runtime.cython.cache_dir"]).name == "ieee"
    expected = learn(start, signals(), "numpy", held=held).network.weights
    for name, pathway in built.plastic.items():
        np.testing.assert_array_equal(pathway.weights, expected[name])
    assert not build(start, 4).plastic
    with refused(InputError, where="held"):
        build(start, 4).present(signals(), held=held)


CONDITIONS = {
    "post": {"equations": "dy/dt = -y/(10*ms) : 1", "on_spike": "y += 1"},
    "layer": {"sum": {"G": "(y > 0.25) + (y > 0.1)"}, "equations": "busy = int(G > 2)*0.3 : 1"},
    "synapse": {
        "equations": "c : 1",
        "on_pre": "c = (y_post > 0.5)*0.1 + busy",
        "on_post": "both = (x_pre > 0.5) and (y_post > 0.5); c = c + both*0.7",
        "regularly": "w = clip(w + 0.001*((c > 0.05) + (c > 0.5)), 0, 1.5)",
        "every": "2*ms",
    },
}


@pytest.mark.medium
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cpp_standalone", marks=pytest.mark.slow)]
)
def test_conditions_among_numbers_have_parity(target: Any) -> None:
    report = bioae.parity(custom(**CONDITIONS), target=target, neurons=16, steps=30, examples=3)
    assert report.exact
    assert report.passed
    assert report.changed > 0.2


def test_networks_that_cannot_learn_are_refused() -> None:
    fixed = with_rules(network(), None, None, None)
    for target in ("numpy", "torch"):
        with refused(NetworkError):
            learn(fixed, signals(), target)
    with refused(TargetError, where="cuda_standalone"):
        learn(network(), signals(), "cuda_standalone")
    with refused(InputError, found="'float16'"):
        learn(network(), signals(), Backend("torch", dtype="float16"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"layer": {"delay": "2*ms"}},
        {"encoder": {"kind": "frames"}},
        {"layer": {"synapse": "stdp"}},
        {"layer": {"recurrent": False}},
        {"input_shape": [1, 6, 6], "encoder": {"kind": "bernoulli"},
         "layer": {"kind": "conv2d", "channels": 2, "kernel": 3}},
    ],
)  # fmt: skip
def test_pathways_that_cannot_learn_are_refused(changes: dict[str, Any]) -> None:
    layer = {
        "kind": "dense", "name": "hidden", "synapse": "stdp_pair", "recurrent": True,
        "recurrent_synapse": "stdp_pair", **changes.pop("layer", {}),
    }  # fmt: skip
    if layer["kind"] == "dense":
        layer["units"] = 4
    fields = {
        "input_shape": [3], "steps": 10, "encoder": {"kind": "frames", "random": True},
        "task": {"kind": "classification", "classes": 32 if "kernel" in layer else 4},
        "decoder": {"kind": "count"}, "layers": [layer],
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        _ = NetworkConfig.from_mapping(fields | changes, where="test").placed
    assert "\n" not in str(caught.value)
