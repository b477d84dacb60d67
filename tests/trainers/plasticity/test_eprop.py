"""e-prop: rules that read their target's neuron, targets, and signals that are sent back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import plastic_networks
import pytest
import torch
from numpy.typing import NDArray
from refusals import refused
from torch import Tensor

from bioae import learn, train
from bioae.datasets import Data
from bioae.equations import load_synapse
from bioae.errors import ModelError, NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.random import named_stream
from bioae.simulation import Backend
from bioae.simulation.presentations import Presentations

STEPS, INPUTS, HIDDEN, OUTPUTS = 30, 6, 5, 2
TAU, TAU_ADAPT, TAU_OUT, BETA, HEIGHT, START = 20, 50, 15, 0.4, 0.3, 10
_TIMES = {
    "tau": f"{TAU}*ms", "tau_adapt": f"{TAU_ADAPT}*ms", "beta": f"{BETA}", "height": f"{HEIGHT}",
    "tau_out": f"{TAU_OUT}*ms", "start": f"{START}*ms", "eta": "0.01",
}  # fmt: skip
_UPDATES = {
    "w = clip(w - eta*L_post*f, -w_max, w_max)": "L_post*f",
    "w = clip(w - eta*error_post*x_pre, -w_max, w_max)": "error_post*x_pre",
}


def rule(name: str, *, gradient: bool = False, **parameters: str) -> dict[str, Any]:
    """Return a shipped rule; with `gradient`, its weights stay, and `g` sums their gradients."""
    fields = load_synapse(name).to_mapping()
    known = {**_TIMES, **parameters}
    fields["parameters"] |= {k: known[k] for k in fields["parameters"] if k in known}
    if gradient:
        synapse = fields["synapse"]
        for update, term in _UPDATES.items():
            whole = f"w = clip(w, -w_max, w_max)\ng = g + {term}"
            synapse["regularly"] = synapse["regularly"].replace(update, whole)
        synapse["equations"] = "\n".join([synapse.get("equations", ""), "g : 1"]).strip()
        fields["persistent"] = [*fields.get("persistent", ()), "g"]
    return fields


def tables(
    readout: str = "eprop_classification",
    *,
    gradient: bool = False,
    refractory: str = "",
    **keys: Any,
) -> dict[str, Any]:
    """Return a recurrent layer of adaptive neurons and a read-out, which learn by e-prop."""
    adaptive = {
        "description": "-", "equations": "dv/dt = -v/tau : 1\nda/dt = -a/tau_adapt : 1",
        "threshold": "v > theta + beta*a", "reset": "v -= theta\na += 1", "method": "exact",
        "input": "v", "parameters": {n: _TIMES[n] for n in ("tau", "tau_adapt", "beta")},
    }  # fmt: skip
    adaptive["parameters"]["theta"] = "1"
    adaptive |= {"refractory": refractory} if refractory else {}
    silent = {
        "description": "-", "equations": "dv/dt = -v/tau_out : 1", "method": "exact", "input": "v",
        "parameters": {"tau_out": _TIMES["tau_out"]},
    }  # fmt: skip
    hidden = {
        "kind": "dense", "name": "hidden", "units": HIDDEN, "neuron": "adaptive", "gain": 2.0,
        "synapse": "inner", "recurrent": True, "recurrent_synapse": "inner",
    }  # fmt: skip
    output = {"kind": "dense", "name": "output", "units": OUTPUTS, "neuron": "silent"}
    rules = {"inner": "eprop", "outer": readout}
    return {
        "input_shape": [INPUTS], "steps": STEPS, "clock": "common",
        "task": {"kind": "classification", "classes": OUTPUTS},
        "encoder": {"kind": "frames", "random": True}, "decoder": {"kind": "last"},
        "neurons": {"adaptive": adaptive, "silent": silent},
        "synapses": {own: rule(name, gradient=gradient) for own, name in rules.items()},
        "layers": [hidden, {**output, "synapse": "outer"}], **keys,
    }  # fmt: skip


def start_of(**keys: Any) -> Network:
    return Network.initialise(NetworkConfig.from_mapping(tables(**keys), where="test"), seed=1)


def signals(examples: int = 1, **known: Any) -> Data:
    values = 0.3 * named_stream(3, "signals").random((examples, STEPS, INPUTS))
    known = known or {"labels": np.arange(examples) % OUTPUTS}
    return Data.of_signals(values, **known)


class Triangle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (distance,) = ctx.saved_tensors
        return gradients[0] * HEIGHT * (1 - distance.abs()).clamp(min=0)


def truncated_gradients(
    weights: dict[str, NDArray[np.float64]], drive: NDArray[Any], target: Tensor, *, softmax: bool,
    refractory: int = 0,
) -> tuple[dict[str, NDArray[np.float64]], int]:  # fmt: skip
    """Back-propagate through time, cut at resets and where spikes reach other neurons.

    With `softmax` the loss is the cross-entropy, else half of the squared error, of each step from
    `START` on. Returns the gradients, and the number of spikes.
    """
    own = {n: torch.tensor(w, requires_grad=True) for n, w in weights.items()}
    into, within, out = (own[n] for n in ("hidden.weight", "hidden.recurrent", "output.weight"))
    leak, slow, low = (float(np.exp(-1 / tau)) for tau in (TAU, TAU_ADAPT, TAU_OUT))
    v, a, silent = torch.zeros(3, HIDDEN, dtype=out.dtype)
    y, loss, count = 0 * out[:, 0], 0 * out[0, 0], 0
    for step, sent in enumerate(torch.tensor(drive, dtype=out.dtype)):
        v, a, y = leak * v, slow * a, low * y
        z = Triangle.apply(torch.where(silent > 0, -2.0, v - 1 - BETA * a))  # type: ignore[no-untyped-call]
        if step >= START and softmax:
            loss = loss - torch.log_softmax(y, 0) @ target[0]
        elif step >= START:
            loss = loss + (y - target[step]).square().sum() / 2
        cut, count = z.detach(), count + int(z.sum())
        v = v + into @ sent + within @ cut - cut
        a, y = a + z, y + out @ z
        silent = torch.where(cut > 0, float(refractory), silent) - 1
    found = torch.autograd.grad(loss, list(own.values()))
    return dict(zip(own, (each.numpy() for each in found), strict=True)), count


@pytest.mark.medium
@pytest.mark.parametrize(
    ("readout", "refractory"),
    [("eprop_regression", 0), ("eprop_regression", 3), ("eprop_classification", 0)],
)
def test_gradients_are_those_of_truncated_back_propagation(readout: str, refractory: int) -> None:
    keys: dict[str, Any] = {"readout": readout, "gradient": True}
    data, softmax = signals(), readout == "eprop_classification"
    targets = np.eye(OUTPUTS)[:1]
    if not softmax:
        targets = named_stream(5, "targets").normal(size=(STEPS, OUTPUTS))
        keys |= {
            "task": {"kind": "sequence", "outputs": OUTPUTS},
            "decoder": {"kind": "trajectory"},
        }
        data = signals(targets=targets[None])
    if refractory:
        keys["refractory"] = f"{refractory}*ms"
    start = start_of(**keys)
    names = ["hidden.weight", "hidden.recurrent", "output.weight"]
    if softmax:  # with symmetric feedback, back-propagation does the same
        start = start.with_weights({"output.weight_b": start.weights["output.weight"]})
    learned = learn(start, data, "numpy").network.weights
    drive = Presentations.of(start.config, data).drive()[:, 0]
    weights = {name: learned[name] for name in names}
    expected, spikes = truncated_gradients(
        weights, drive, torch.tensor(targets), softmax=softmax, refractory=refractory
    )
    assert spikes > 10
    np.fill_diagonal(expected["hidden.recurrent"], 0)
    for name in names:
        found = np.array(learned[f"{name}_g"])
        if name == "hidden.recurrent":
            np.fill_diagonal(found, 0)
        assert np.abs(expected[name]).max() > 1e-2
        np.testing.assert_allclose(found, expected[name], rtol=1e-6, atol=1e-9)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_the_mirror_learns_on_a_common_clock_as_brian2_does(schedule: str) -> None:
    start = plastic_networks.network(schedule, clock="common")
    examples = plastic_networks.signals()
    brian, mirror = (learn(start, examples, each) for each in ("numpy", "torch"))
    plastic_networks.check_equal(brian, mirror, start)
    fields = tables(schedule=schedule)
    fields["neurons"]["adaptive"]["layer_spikes"] = {"a": "0.1"}
    paper = Network.initialise(NetworkConfig.from_mapping(fields, where="test"), seed=1)
    brian, mirror = (learn(paper, signals(3), each) for each in ("numpy", "torch"))
    certain = np.repeat(signals().values > 0.15, 2, axis=0).astype(float)
    equal = Data.of_signals(certain, labels=[1, 1])
    pair, one = (learn(paper, equal[:n], "torch", batch_size=n).network.weights for n in (2, 1))
    assert (one["hidden.weight"] != paper.weights["hidden.weight"]).any()
    for name, values in brian.network.weights.items():
        np.testing.assert_array_equal(values, mirror.network.weights[name])
        np.testing.assert_array_equal(pair[name], one[name])


@pytest.mark.medium
def test_targets_learn_equal_weights() -> None:
    start, data = start_of(), signals(3)
    first, *others = [learn(start, data, target) for target in ("numpy", "cpp_standalone", "torch")]
    for name in ("hidden.weight", "hidden.recurrent", "output.weight"):
        change = first.network.weights[name] - start.weights[name]
        assert np.mean(change != 0) > 0.5
        for each in others:
            np.testing.assert_array_equal(each.network.weights[name], first.network.weights[name])
    assert int(first.result["layers/hidden"]["spike_count"].sum()) > 10


@pytest.mark.medium
def test_runs_measure_the_outputs_of_a_read_out(tmp_path: Path) -> None:
    run = {"network": tables(), "data": {"validation": 4}, "learning": {"target": "numpy"}}
    found = train(run, signals(12), test=signals(4), out=tmp_path / "run").summary
    assert found["test_rate_hz_mean"] > 1
    assert found["test_accuracy"] in np.arange(5) / 4
    first, *_ = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(first)["layers"].keys() == {"hidden"}
    assert "test_assigned_accuracy" not in found


@pytest.mark.medium
def test_runs_measure_the_errors_of_a_sequence() -> None:
    task = {"task": {"kind": "sequence", "outputs": OUTPUTS}, "decoder": {"kind": "trajectory"}}
    run = {"network": tables("eprop_regression", **task), "learning": {"target": "numpy"}}
    known = named_stream(5, "targets").random((12, STEPS, OUTPUTS))
    found = train({**run, "data": {"validation": 4}}, signals(12, targets=known))
    assert found.records[-1]["validation_mean_squared_error"] > 0


def test_feedback_is_drawn_with_the_network() -> None:
    one, other = start_of(), Network.initialise(start_of().config, seed=2)
    name = "output.weight_b"
    assert (one.weights[name] != other.weights[name]).all()
    np.testing.assert_array_equal(one.learner().weights[name], one.weights[name])
    missing = {n: w for n, w in one.weights.items() if n != name}
    assert Network(one.config, missing).learner().weights[name].std() > 0.2


def test_rules_that_do_not_fit_the_network_are_rejected() -> None:
    with refused(NetworkError, expected='clock = "common" in the network', found="staggered"):
        _ = start_of(clock="staggered").config.placed
    cases: list[tuple[str, str, str]] = [
        ("inner", "eprop_classification", "only the last layer"),
        ("outer", "oja", "fires"),
        ("outer", "eprop", "fires"),
    ]
    for layer, name, text in cases:
        fields = tables()
        fields["synapses"][layer] = rule(name)
        with pytest.raises(NetworkError, match=text):
            Network.initialise(NetworkConfig.from_mapping(fields, where="test")).learner()
    fields = tables()
    fields["synapses"]["outer"].pop("feedback")
    with refused(NetworkError, "'L'", expected="a rule with [feedback] L in a projection from it"):
        Network.initialise(NetworkConfig.from_mapping(fields, where="test")).learner()
    fields = tables()
    fields["synapses"]["outer"]["post"]["reads"] = ["v", "target", "u"]
    with refused(NetworkError, expected="v", found="'u'"):
        Network.initialise(NetworkConfig.from_mapping(fields, where="test")).learner()
    with refused(ModelError, where="eprop.toml, [post]"):
        from bioae.equations import learning_window

        learning_window(load_synapse("eprop"), [1.0])


def changed(layer: str, *path: str, to: Any, **keys: Any) -> Network:
    """Return the start of learning, with another value at a place of a rule, a table by default."""
    fields = tables(**keys)
    *inside, key = path
    table = fields["synapses"][layer]
    for each in inside:
        table = table.setdefault(each, {})
    table[key] = to
    return Network.initialise(NetworkConfig.from_mapping(fields, where="test"), seed=1)


#: Where a rule is changed, to what, and the names in the error.
REFUSED: list[tuple[tuple[str, ...], Any, str]] = [
    (("outer", "post", "reads"), ["v", "v", "target"], "'v'"),
    (("inner", "post", "signals"), ["L", "L"], "'L'"),
    (("inner", "post", "signals"), ["L", "target"], "'target'"),
    (("inner", "held"), ["target"], "'target'"),
    (("outer", "feedback", "1 x"), "b", "'1 x'"),
    (("outer", "feedback", "_x"), "b", "'_x'"),
    (("outer", "synapse", "regularly"), "e = 1\nw = clip(w + e, 0, 1)", "'e'"),
]


@pytest.mark.parametrize(("path", "value", "name"), REFUSED)
def test_names_of_numbers_are_checked(path: tuple[str, ...], value: Any, name: str) -> None:
    with refused(ModelError, name, hint=re.compile("Rename one of them|Choose another name")):
        changed(*path, to=value).learner()


def test_psi_signals_and_targets_fit_neurons_and_tasks() -> None:
    fields = tables()
    fields["neurons"]["adaptive"]["threshold"] = "False"
    with refused(NetworkError, "hidden", found="False"):
        Network.initialise(NetworkConfig.from_mapping(fields, where="test"), seed=1).learner()
    with refused(NetworkError, "'v'", hint="Rename it in `signals` and [feedback]"):
        changed("inner", "post", "signals", to=["L", "v"]).learner()
    with refused(NetworkError, "layer 'output'", found="representation"):
        start_of(task={"kind": "representation", "outputs": OUTPUTS})


@pytest.mark.medium
def test_feedback_names_the_interval_and_needs_no_target() -> None:
    plain = learn(start_of(), signals(), "numpy").network.weights["hidden.weight"]
    other = changed("outer", "feedback", "L", to="b*error_post*every/ms")
    found = learn(other, signals(), "numpy").network.weights["hidden.weight"]
    np.testing.assert_allclose(found, plain, atol=1e-5)
    learn(changed("outer", "post", "equations", to="error = v : 1"), signals(), "numpy")


@pytest.mark.medium
@pytest.mark.parametrize("target", ["numpy", "cpp_standalone", "torch"])
def test_connections_that_do_not_exist_send_nothing_back(target: Any) -> None:
    table = {"fan_in": 2, "period": 1000, "swaps": 1, "score": "abs(b)", "by_fan_out": False}
    start = changed("outer", "structure", to=table)
    missing = start.weights["output.weight_connected"] == 0
    assert missing.any()
    start = start.with_weights({"output.weight_b": start.weights["output.weight_b"] * missing})
    learned = learn(start, signals(), target).network.weights
    np.testing.assert_array_equal(
        learned["hidden.weight"], start.learner().weights["hidden.weight"]
    )
    assert (learned["output.weight"] != start.learner().weights["output.weight"]).any()


@pytest.mark.medium
@pytest.mark.parametrize(
    "threshold", ["v > theta + beta*a and a < 1e6", "v > theta + beta*a or a < 0"]
)
def test_psi_of_joined_conditions(threshold: str) -> None:
    found = []
    for text in ("v > theta + beta*a", threshold):
        fields = tables()
        fields["neurons"]["adaptive"]["threshold"] = text
        start = Network.initialise(NetworkConfig.from_mapping(fields, where="test"), seed=1)
        found += [learn(start, signals(), each).network.weights for each in ("numpy", "torch")]
    for name in ("hidden.weight", "output.weight"):
        np.testing.assert_array_equal(found[2][name], found[3][name])
    np.testing.assert_array_equal(found[0]["output.weight"], found[2]["output.weight"])


@pytest.mark.medium
def test_learning_starts_in_the_step_of_its_time() -> None:
    # 49 steps of 0.1 ms are less than 4.9 ms in floating point.
    fields = tables(dt="0.1*ms", steps=60)
    outer = fields["synapses"]["outer"] = rule("eprop_classification", start="4.9*ms")
    outer["synapse"]["equations"] += "\nn : 1"
    outer["synapse"]["regularly"] += "\nn = n + abs(sign(error_post))"
    outer["persistent"] = ["b", "n"]
    start = Network.initialise(NetworkConfig.from_mapping(fields, where="test"), seed=1)
    data = Data.of_signals(np.zeros((1, 60, INPUTS)), labels=[0])
    assert (learn(start, data, "numpy").network.weights["output.weight_n"] == 11).all()


@pytest.mark.medium
def test_large_potentials_do_not_overflow() -> None:
    large = start_of().with_weights({"output.weight": np.full((OUTPUTS, HIDDEN), 9.0)})
    learned = learn(large, signals(), Backend("numpy", dtype="float32")).network.weights
    assert np.isfinite(learned["output.weight"]).all()
