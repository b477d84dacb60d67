"""Neurons that count the spikes of their layer, in Brian2 and in the mirror."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from mirrors import mirror_of
from refusals import refused

import bioae
from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.datasets import Data
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.networks import Network, NetworkConfig
from bioae.random import named_stream
from bioae.simulation.backend import Target
from bioae.trainers import derivative

STEPS = 30

#: A threshold that rises with the layer's spikes, and a number that counts them.
COUNTING: dict[str, Any] = {
    "description": "Neuron whose threshold rises with the spikes of its layer.",
    "equations": "dv/dt = -v/tau : 1\nh : 1\nc : 1",
    "threshold": "v > h", "reset": "v = 0", "run_regularly": "h = clip(h - h_step, h_min, 10)",
    "method": "exact", "input": "v", "layer_spikes": {"h": "h_step", "c": "1"},
    "parameters": {"tau": "100*ms", "h_start": "0.5", "h_step": "0.02", "h_min": "0.1"},
    "initial": {"h": "h_start"},
}  # fmt: skip


def network(
    schedule: str, *, recurrent: bool = False, first: dict[str, Any] | None = None,
    initial: dict[str, str] | None = None, **fields: Any,
) -> Network:  # fmt: skip
    own = {"kind": "dense", "weight": "0.2", "spread": {"h_start": ["0.3", "0.8"]}}
    layers = [
        {"name": "first", **own, **(first or {"units": 9, "recurrent": recurrent})},
        {"name": "second", **own, "units": 5, "recurrent": recurrent},
    ]
    neuron = {**COUNTING, "initial": {**COUNTING["initial"], **(initial or {})}}
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [12], "steps": STEPS, "schedule": schedule, "neuron": "counting",
            "neurons": {"counting": neuron}, "layers": layers, "decoder": {"kind": "max"},
            "task": {"kind": "classification", "classes": 5},
            "encoder": {"kind": "frames", "random": True}, **fields,
        },
        where="test",
    )  # fmt: skip
    start = Network.initialise(config, seed=0)
    weights = {n: np.abs(w) if n.endswith("weight") else w for n, w in start.weights.items()}
    return Network(config, weights).quantised()


def signals() -> Data:
    values = 0.5 * named_stream(3, "signals").random((4, STEPS, 12))
    return Data.of_signals(values, labels=np.zeros(4, int))


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_neurons_count_the_spikes_of_their_layer(schedule: str, recurrent: bool) -> None:
    # Without input before the window, the lead-in has no spike.
    assert_counted(network(schedule, recurrent=recurrent), signals(), [0, 0])


def test_all_channels_of_a_convolution_are_one_layer() -> None:
    net = network(
        "brian2", first={"kind": "conv2d", "channels": 3, "kernel": 3, "weight": "0.3"},
        input_shape=[1, 4, 4], encoder={"kind": "bernoulli"},
    )  # fmt: skip
    assert_counted(net, named_stream(3, "images").random((4, 4, 4)), [0, 0])


def test_spikes_of_the_lead_in_count() -> None:
    """Neurons that start above their threshold fire in the lead-in, whose spikes are no result."""
    net = network("brian2", initial={"v": "0.6"})
    decayed = 0.6 * np.exp(-net.config.dt_seconds / 0.1)
    before = []
    for placed in net.config.placed:
        threshold = np.clip(net.parameters(placed)["h_start"] - 0.02, 0.1, 10)
        before.append(int((decayed > threshold).sum()))
    assert min(before) > 0
    assert_counted(net, signals(), before)


def assert_counted(net: Network, data: Any, before: list[int]) -> None:
    """Compare counts with the mirror's, and with spikes and those of a layer before its window."""
    schedule = net.config.schedule
    brian = bioae.simulate(net, data, bioae.Backend("numpy", record=["h", "c"]))
    mirror = simulate(net, data, bioae.Backend("torch", record=["h", "c"]))
    assert differing_spikes(brian, mirror)["differing"].sum() == 0
    for name, earlier in zip(("first", "second"), before, strict=True):
        layer = brian[f"layers/{name}"]
        assert int(layer["spike_count"].sum()) > 50
        for state in ("state_h", "state_c"):
            np.testing.assert_array_equal(layer[state], mirror[f"layers/{name}"][state])
        step = np.rint(layer["spike_time_ms"].to_numpy() / brian.attrs["dt_ms"]).astype(int)
        spikes = np.zeros((4, STEPS))
        np.add.at(spikes, (layer["spike_example"].to_numpy(), step), 1)
        counted = spikes.cumsum(1)
        if schedule == "paper":  # pathways act before thresholds
            counted = np.pad(counted, ((0, 0), (1, 0)))[:, :-1]
        found = layer["state_c"].to_numpy().reshape(4, STEPS, -1)
        assert (found == found[:, :, :1]).all()
        np.testing.assert_array_equal(found[:, :, 0], earlier + counted)


@pytest.mark.parametrize(
    "target", ["cpp_standalone", pytest.param("cython", marks=pytest.mark.slow)]
)
def test_compiled_targets_count_the_same(target: Target) -> None:
    # Fewer objects without a read-out: Cython takes seconds for each.
    net = network("paper", recurrent=True, decoder={"kind": "count"})
    one, other = (
        bioae.simulate(net, signals(), bioae.Backend(each, record=["h", "c"]))
        for each in ("numpy", target)
    )
    assert int(one["layers/second"]["spike_count"].sum()) > 50
    assert differing_spikes(one, other)["differing"].sum() == 0
    for name in ("first", "second"):
        for state in ("state_h", "state_c"):
            layers = (each[f"layers/{name}"][state] for each in (one, other))
            np.testing.assert_array_equal(*layers)


def test_gradients_pass_through_the_count() -> None:
    """The layer runs uncompiled, and each neuron's weights have a gradient by the others."""
    net = network("brian2", recurrent=False)
    mirror = mirror_of(net, derivative=derivative("fast_sigmoid"))
    drive = torch.from_numpy(signals().as_float())
    counts = mirror(drive.swapaxes(0, 1)).layers["first"].counts
    assert int(counts.sum()) > 50
    (weights,) = (p for n, p in mirror.named_parameters() if n.endswith("weight") and len(p) == 9)
    (gradient,) = torch.autograd.grad(counts[:, 0].sum(), weights)
    assert (gradient.abs().sum(1) > 0).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"layer_spikes": {"g": "1"}},
        {"layer_spikes": {"h": "1*mV"}},
        {"layer_spikes": {"h": "0"}},
        {"threshold": None, "reset": None},
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    from bioae.equations.lowering.lowering import lower

    fields = {key: each for key, each in {**COUNTING, **changes}.items() if each is not None}
    with refused(ModelError, where=re.compile("counting.toml")):
        lower(NeuronModel.from_mapping("counting", fields, where="counting.toml"))
