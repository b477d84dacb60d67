"""Neurons that count the spikes of their layer, in Brian2 and in the mirror."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from mirrors import mirror_of
from network_cases import COUNTING, counted, counting
from refusals import refused

import bioae
from bioae import simulate
from bioae.analysis import differing_spikes
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.networks import Network
from bioae.random import named_stream
from bioae.trainers import derivative

STEPS = 30


@pytest.mark.medium
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
def test_neurons_count_the_spikes_of_their_layer(schedule: str, recurrent: bool) -> None:
    # Without input before the window, the lead-in has no spike.
    assert_counted(counting(schedule, recurrent=recurrent), counted(), [0, 0])


def test_all_channels_of_a_convolution_are_one_layer() -> None:
    net = counting(
        "brian2", first={"kind": "conv2d", "channels": 3, "kernel": 3, "weight": "0.3"},
        input_shape=[1, 4, 4], encoder={"kind": "bernoulli"},
    )  # fmt: skip
    assert_counted(net, named_stream(3, "images").random((4, 4, 4)), [0, 0])


def test_spikes_of_the_lead_in_count() -> None:
    """Neurons that start above their threshold fire in the lead-in, whose spikes are no result."""
    net = counting("brian2", initial={"v": "0.6"})
    decayed = 0.6 * np.exp(-net.config.dt_seconds / 0.1)
    before = []
    for placed in net.config.placed:
        threshold = np.clip(net.parameters(placed)["h_start"] - 0.02, 0.1, 10)
        before.append(int((decayed > threshold).sum()))
    assert min(before) > 0
    assert_counted(net, counted(), before)


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
        number = spikes.cumsum(1)
        if schedule == "paper":  # pathways act before thresholds
            number = np.pad(number, ((0, 0), (1, 0)))[:, :-1]
        found = layer["state_c"].to_numpy().reshape(4, STEPS, -1)
        assert (found == found[:, :, :1]).all()
        np.testing.assert_array_equal(found[:, :, 0], earlier + number)


def test_gradients_pass_through_the_count() -> None:
    """The layer runs uncompiled, and each neuron's weights have a gradient by the others."""
    mirror = mirror_of(counting("brian2", recurrent=False), derivative=derivative("fast_sigmoid"))
    counts = mirror(torch.from_numpy(counted().as_float()).swapaxes(0, 1)).layers["first"].counts
    assert int(counts.sum()) > 50
    (gradient,) = torch.autograd.grad(counts[:, 0].sum(), mirror.weights["first.weight"])
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
